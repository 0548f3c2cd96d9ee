"""The header `judge`: the parts of a record that decide about it, so that no value is decoded to decide (D5, D18).

It has 1 byte for the kind, then 16 bytes each: the record's own id, its actor's id and a digest of its body. A record
that changes a message adds the id of its target.
"""

from typing import Final

NEW_MESSAGE: Final = 1
WHOLE_MESSAGE: Final = 2
"""First bytes: a kind's number. 3 to 7 are for changes and markers (D18)."""

ID: Final = slice(1, 17)
ACTOR: Final = slice(17, 33)
DIGEST: Final = slice(33, 49)
TARGET: Final = slice(49, 65)


def make_header(kind: int, own_id: bytes, actor: bytes, digest: bytes = bytes(16), target: bytes = b"") -> bytes:
    """Returns the header of a record: 49 bytes, or 65 with a target."""
    return kind.to_bytes(1, "big") + own_id + actor + digest + target


def judged_id(judge: bytes) -> bytes:
    """Returns the record's own id, which tells a copy of the record from another record."""
    return judge[ID]


def judged_actor(judge: bytes) -> bytes:
    """Returns the id of the person who wrote or changed something."""
    return judge[ACTOR]


def judged_digest(judge: bytes) -> bytes:
    """Returns the digest, which tells two bodies of one id apart."""
    return judge[DIGEST]
