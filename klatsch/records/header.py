"""The header `judge`: the parts of a record that decide about it, so that no value is decoded to decide (D5, D18).

It has 1 byte for the kind, then 16 bytes each: the record's own id, its actor's id and a digest of its body. A record
that changes a message adds the id of its target (16 bytes) and the `Check` before it was appended (17 bytes).
"""

import struct
from typing import Final, NamedTuple

NEW_MESSAGE: Final = 1
WHOLE_MESSAGE: Final = 2
EDITED: Final = 3
DELETED: Final = 4
REACTION: Final = 5
PINNED: Final = 6
MARKER: Final = 7
"""First bytes: a kind's number."""

ID: Final = slice(1, 17)
ACTOR: Final = slice(17, 33)
DIGEST: Final = slice(33, 49)
TARGET: Final = slice(49, 65)
_BODY: Final = slice(DIGEST.start, TARGET.stop)
CHECK: Final = slice(65, 82)

_CHECK: Final = struct.Struct(">qqB")
_NO_BASE: Final = -2
BEFORE_THE_EPOCH: Final = -1
"""A check's `base` of an earlier epoch: any edit of this one is after it."""
_BY_ROLE: Final = 1
_WAS_ON: Final = 2


class Check(NamedTuple):
    """The facts that a change was checked against in the archive before it was appended (D18).

    `at_ms` is the time of the check. `base` is the offset that an editor had seen, None when the editor does not mind
    other edits, and BEFORE_THE_EPOCH for an offset of an earlier epoch. `by_role` says that the actor may do this only
    as an owner or an admin, and `was_on` that the reaction or the pin was there.
    """

    at_ms: int
    base: int | None = None
    by_role: bool = False
    was_on: bool = False

    def encode(self) -> bytes:
        """Returns 17 bytes."""
        base = _NO_BASE if self.base is None else self.base
        return _CHECK.pack(self.at_ms, base, _BY_ROLE * self.by_role | _WAS_ON * self.was_on)

    @classmethod
    def decode(cls, judge: bytes) -> "Check":
        """Returns the check in the header of a change, which has 82 bytes."""
        at_ms, base, flags = _CHECK.unpack(judge[CHECK])
        return cls(at_ms, None if base == _NO_BASE else base, bool(flags & _BY_ROLE), bool(flags & _WAS_ON))


def make_header(
    kind: int, own_id: bytes, actor: bytes, digest: bytes = bytes(16), target: bytes = b"", check: bytes = b""
) -> bytes:
    """Returns the header of a record: 49 bytes, 65 with a target, and 82 with a target and a check."""
    return kind.to_bytes(1, "big") + own_id + actor + digest + target + check


def judged_id(judge: bytes) -> bytes:
    """Returns the record's own id, which tells a copy of the record from another record."""
    return judge[ID]


def judged_actor(judge: bytes) -> bytes:
    """Returns the id of the person who wrote or changed something."""
    return judge[ACTOR]


def judged_digest(judge: bytes) -> bytes:
    """Returns the digest of the value."""
    return judge[DIGEST]


def judged_body(judge: bytes) -> bytes:
    """Returns the digest and the target, if any: they tell two records of one id apart.

    Two changes of different messages may have equal digests.
    """
    return judge[_BODY]


def judged_target(judge: bytes) -> bytes:
    """Returns the id of the message that a change names; empty for other records."""
    return judge[TARGET]
