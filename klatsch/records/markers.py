"""The records of markers, version 1: how far one person has received and read one conversation (D19).

A gateway judges a marker by its header alone, which repeats the two positions as numbers. Instead of an own id and a
digest it has:

    bytes 1 to 16   `read`: epoch (2 bytes), offset (8), partition (2), zeros
    bytes 33 to 47  `delivered`, likewise
    byte 48         1 where only the person's own connections may be told

Positions of one conversation in one epoch lie in one partition, so that these bytes have the positions' order.
"""

import struct
from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from klatsch.core.ids import uuid_bytes
from klatsch.eventlog.log import Record
from klatsch.eventlog.places import Position, PositionText
from klatsch.records.header import ACTOR, MARKER
from klatsch.records.values import Uuid

READ: Final = slice(1, 17)
DELIVERED: Final = slice(33, 48)
_READ_PLACE: Final = slice(1, 13)
_DELIVERED_PLACE: Final = slice(33, 45)
_OWN_ONLY: Final = 48
_PLACE: Final = struct.Struct(">HQH")
_NOWHERE: Final = bytes(_PLACE.size)
_WRONG: Final = b"\xff"
"""The bytes of a text that is no position: no header equals them."""


class MarkerMoved(msgspec.Struct, frozen=True, tag_field="t", tag="marker", gc=False):
    """A person has received or read a conversation up to these positions. The highest of each counts.

    A position that is null says nothing. `unread_from` is the person's own flag: null takes it away, and so does a
    higher `read`. A record without it says nothing about the flag.
    """

    conversation: Uuid
    user: str
    user_id: Uuid
    delivered: PositionText | None = None
    read: PositionText | None = None
    unread_from: PositionText | UnsetType | None = UNSET
    v: Literal[1] = 1

    def __post_init__(self) -> None:
        """Raises ValueError for a flag beyond the bounds of positions; the header checks the other two."""
        if self.unread_from:
            Position.parse(self.unread_from)


def place_bytes(position: str | None, length: int) -> bytes:
    """Returns a position as the header has it, in so many bytes; a text that is no position equals no header."""
    if position is None:
        return bytes(length)
    try:
        epoch, partition, offset = Position.parse(position)
    except ValueError:
        return _WRONG
    return _PLACE.pack(epoch, offset, partition).ljust(length, b"\0")


def marker_header(event: MarkerMoved, *, own_only: bool) -> bytes:
    """Returns the header of a marker; with `own_only`, gateways push it to nobody but the person."""
    read = place_bytes(event.read, READ.stop - READ.start)
    delivered = place_bytes(event.delivered, DELIVERED.stop - DELIVERED.start)
    actor = uuid_bytes(event.user_id)
    return MARKER.to_bytes(1, "big") + read + actor + delivered + own_only.to_bytes(1, "big")


def is_own_only(judge: bytes) -> bool:
    """Returns whether only the person's own connections may be told."""
    return judge[_OWN_ONLY] != 0


def marked_by(judge: bytes) -> bytes:
    """Returns the person's id, 16 bytes."""
    return judge[ACTOR]


def is_possible(record: Record, epoch: int) -> bool:
    """Returns whether a marker's positions lie before its record: nobody has received what is not yet written."""
    here, judge = _PLACE.pack(epoch, record.offset, record.partition), record.judge
    read, delivered = judge[_READ_PLACE], judge[_DELIVERED_PLACE]
    return read < here > delivered and _is_of_partition(read, here) and _is_of_partition(delivered, here)


def _is_of_partition(place: bytes, here: bytes) -> bool:
    """Returns whether a position of this epoch lies in the record's partition; earlier epochs had others."""
    return place[:2] != here[:2] or place[-2:] == here[-2:]


def has_read(judge: bytes, other: bytes) -> bool:
    """Returns whether one header's `read` is not below another's."""
    return judge[_READ_PLACE] >= other[_READ_PLACE]


def has_received(judge: bytes, other: bytes) -> bool:
    """Returns whether one header's `delivered` is not below another's."""
    return judge[_DELIVERED_PLACE] >= other[_DELIVERED_PLACE]


def moves(judge: bytes) -> bool:
    """Returns whether a header says anything: a record that only sets or clears `unread_from` does not."""
    return judge[_READ_PLACE] != _NOWHERE or judge[_DELIVERED_PLACE] != _NOWHERE
