"""Makes and reads the names of specific channels: `prefix!` and a local part that begins with the owner's node."""

import secrets

_NODE_BYTES = 8
_LOCAL_BYTES = 8
_NODE_CHARS = 2 * _NODE_BYTES


def new_node() -> bytes:
    """Returns the identity of a new node: 64 bits of the system's own randomness, never of the module `random`."""
    return secrets.token_bytes(_NODE_BYTES)


def new_channel_name(prefix: str, node: bytes) -> str:
    """Returns an unused name of a channel that only `node` may receive from."""
    return f"{prefix}!{node.hex()}{secrets.token_hex(_LOCAL_BYTES)}"


def is_specific(channel: str) -> bool:
    return "!" in channel


def owner_of(channel: str) -> bytes:
    """Returns the owner's node of a specific channel; of a foreign format, bytes that are no node."""
    local = channel.partition("!")[2]
    try:
        return bytes.fromhex(local[:_NODE_CHARS])
    except ValueError:
        return b""
