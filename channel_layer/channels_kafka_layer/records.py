"""The records of the topic: a key that says whom a record concerns, and a value that only those concerned decode.

The key is one letter for the kind and a name. The value begins with the sender's node (8 bytes) and the number of the
record among those of its sender (8 bytes). By these a reader finds its own records, and drops a record that a replaced
producer wrote twice.
"""

from dataclasses import dataclass
from typing import Any

import msgpack

NODE_BYTES = 8
HEAD_BYTES = 16
_LIFE_BYTES = 4

MESSAGE = b"s"
"""To a specific channel; the name is the owner's node."""
ADD = b"a"
"""Adds a specific channel of another node to a group; the name is the owner's node."""
DISCARD = b"d"
"""Removes one; the name is the owner's node."""
GROUP = b"g"
"""To all members of a group; the name is the group."""
QUEUED = b"n"
"""To a normal channel; the name is the channel, as in all kinds that follow here."""
OFFER = b"o"
"""A waiting `receive` asks for one message, or repeats that it still waits."""
WITHDRAW = b"w"
"""A waiting `receive` was cancelled."""
RETURN = b"r"
"""A message that was matched with a `receive` that is gone: the channel gets it again, in front."""
JOIN = b"+"
"""Adds a normal channel to a group."""
RENEW = b"="
"""Repeats that a normal channel is a member of a group. Who knows that it is none takes no notice."""
LEAVE = b"-"
"""Removes a normal channel from a group."""
HELLO = b"h"
"""A newcomer asks for the state of the normal channels."""
STATE = b"H"
"""The state of the normal channels at a HELLO."""
FLUSH = b"f"
"""Empties all channels and groups."""
PROBE = b"p"
"""Nothing: its sender learns the log's time."""

OF_NORMAL_CHANNELS = frozenset(b"nowr+=-hHfp")
"""First bytes of the keys of all records that the replicas of the normal channels read; GROUP comes besides."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it was read. `time_ms` is the log's time."""

    key: bytes
    value: bytes
    offset: int
    time_ms: int

    @property
    def kind(self) -> bytes:
        return self.key[:1]

    @property
    def name(self) -> str:
        return self.key[1:].decode()

    @property
    def sender(self) -> bytes:
        return self.value[:NODE_BYTES]

    @property
    def number(self) -> int:
        return int.from_bytes(self.value[NODE_BYTES:HEAD_BYTES], "big")

    def fields(self) -> Any:
        """Returns what `with_fields` was given."""
        return msgpack.unpackb(self.value[HEAD_BYTES:], strict_map_key=False)

    def group_fields(self) -> tuple[int, bytes]:
        """Returns what `pack_group` was given. A group's message is not nested: its members share these bytes."""
        end = HEAD_BYTES + _LIFE_BYTES
        return int.from_bytes(self.value[HEAD_BYTES:end], "big"), self.value[end:]


def head(sender: bytes, number: int) -> bytes:
    return sender + number.to_bytes(HEAD_BYTES - NODE_BYTES, "big")


def key_of(kind: bytes, name: str) -> bytes:
    return kind + name.encode()


def pack_fields(*fields: object) -> bytes:
    return msgpack.packb(fields)  # type: ignore[no-any-return]  # msgpack has no precise types


def pack_group(life_ms: int, body: bytes) -> bytes:
    return life_ms.to_bytes(_LIFE_BYTES, "big") + body


def pack_message(message: dict[str, Any]) -> bytes:
    """Encodes a message; raises TypeError or OverflowError for what Channels does not allow in one.

    It is decoded once here: a key such as a tuple can be encoded and not decoded, and would end each of its receivers.
    """
    body: bytes = msgpack.packb(message)
    unpack_message(body)
    return body


def unpack_message(body: bytes) -> dict[str, Any]:
    """Decodes a message anew for each receiver, which may change what it gets."""
    return msgpack.unpackb(body, strict_map_key=False)  # type: ignore[no-any-return]  # msgpack has no precise types
