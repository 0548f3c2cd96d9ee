"""Ids that every process computes alike, so that a retry needs no look-up (D3)."""

import hashlib
import os
import re
from uuid import UUID

CLIENT_ID_MOST = 64
"""In characters."""
FRESH_WINDOW_MS = 60_000
"""The distance of a client's UUIDv7 from the server's clock within which the feed's memory knows every earlier use."""

_DIRECT_NAMESPACE = UUID("6f0a3a52-4f0c-5c1e-9a39-8d1c8e1d7c11").bytes
UUID_PATTERN = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
CLIENT_ID_PATTERN = f"^[A-Za-z0-9_-]{{1,{CLIENT_ID_MOST}}}$"
"""JSON Schema patterns. In Python `$` also matches before a line end, so `fullmatch` checks them."""
_is_client_id = re.compile(CLIENT_ID_PATTERN).fullmatch
_is_uuid = re.compile(UUID_PATTERN).fullmatch

_VERSION_5 = 0x5000 << 64 | 0x8000 << 48
_HASHED = ~(0xF000 << 64 | 0xC000 << 48)
"""The bits of a UUIDv5 that say what it is, and those that are hashed."""
_UUID7 = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-7[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}\Z")


def uuid5_bytes(namespace: bytes, name: bytes) -> bytes:
    """Returns the 16 bytes of RFC 9562's UUIDv5, in a third of the time of `uuid.uuid5`."""
    digest = hashlib.sha1(namespace + name, usedforsecurity=False).digest()[:16]
    return (int.from_bytes(digest, "big") & _HASHED | _VERSION_5).to_bytes(16, "big")


def uuid_text(raw: bytes) -> str:
    """Returns the canonical text of 16 bytes."""
    h = raw.hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def uuid_bytes(text: str) -> bytes:
    """Returns the 16 bytes of a UUID's text, in a third of the time of `UUID`; raises ValueError."""
    return bytes.fromhex(text.replace("-", ""))


def message_id(conversation: bytes, sender: bytes, client_id: str) -> bytes:
    """Returns the id (16 bytes) of the message that `sender` names `client_id`. Every process computes the same id."""
    return uuid5_bytes(conversation, sender + client_id.encode("ascii"))


def direct_conversation_id(one: UUID, other: UUID) -> UUID:
    """Returns the id of two people's direct conversation, whoever writes first."""
    first, second = sorted((one.bytes, other.bytes))
    return UUID(bytes=uuid5_bytes(_DIRECT_NAMESPACE, first + second))


def uuid7(now_ms: int) -> str:
    """Returns a new UUIDv7 (RFC 9562) of that time."""
    raw = bytearray(now_ms.to_bytes(6, "big") + os.urandom(10))
    raw[6] = raw[6] & 0x0F | 0x70
    raw[8] = raw[8] & 0x3F | 0x80
    return uuid_text(bytes(raw))


def is_client_id(text: str) -> bool:
    """Returns whether `text` is a valid `client_id`: 1 to 64 of `A-Z a-z 0-9 _ -`."""
    return _is_client_id(text) is not None


def is_uuid(text: str) -> bool:
    """Returns whether `text` is a UUID as this code writes them: in lower case, with hyphens."""
    return _is_uuid(text) is not None


def is_fresh(client_id: str, now_ms: int, since_ms: int = 0) -> bool:
    """Returns whether every gateway still remembers any earlier use: a UUIDv7 of the last or next minute.

    One that was made before `since_ms` is not fresh: feeds have no memory of that time.
    """
    if _UUID7.match(client_id) is None:
        return False
    made_ms = int(client_id[:8] + client_id[9:13], 16)
    return max(since_ms, now_ms - FRESH_WINDOW_MS) <= made_ms <= now_ms + FRESH_WINDOW_MS
