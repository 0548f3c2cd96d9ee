"""Marks as values: what a person says they have received and read, checked against what can be. No I/O (D19)."""

import msgspec
from msgspec import UNSET, UnsetType

from klatsch.core.errors import BadRequest, FieldError
from klatsch.core.ids import uuid_bytes
from klatsch.eventlog.log import Entry
from klatsch.eventlog.partitions import partition_of
from klatsch.eventlog.places import Position
from klatsch.records.markers import MarkerMoved, marker_header
from klatsch.records.values import encode


class Whose(msgspec.Struct, frozen=True, gc=False):
    """A person and a conversation, as records name them."""

    conversation: str
    user: str
    user_id: str

    @property
    def key(self) -> bytes:
        return self.conversation.encode()

    @property
    def name(self) -> bytes:
        """Returns the bytes by which a marker's record names them too."""
        return uuid_bytes(self.user_id) + self.key


class Mark(msgspec.Struct, frozen=True, gc=False):
    """The positions that a person says they have received and read, as checked by `check_mark`."""

    delivered: Position | None = None
    read: Position | None = None


class Marked(msgspec.Struct, frozen=True, gc=False):
    """A person's marker in one conversation, as it is now for themselves."""

    delivered: Position | None = None
    read: Position | None = None
    unread_from: Position | None = None


def check_mark(*, key: bytes, delivered: str | None, read: str | None, epoch: int, partitions: int) -> Mark:
    """Returns a mark; raises BadRequest for what is no position of that conversation, or of an epoch to come."""
    if delivered is None and read is None:
        raise BadRequest("Give `read`, `delivered` or both.")
    partition = partition_of(key, partitions)
    return Mark(
        delivered=None if delivered is None else check_place("delivered", delivered, epoch, partition),
        read=None if read is None else check_place("read", read, epoch, partition),
    )


def check_place(name: str, text: str, epoch: int, partition: int) -> Position:
    """Returns a position; raises BadRequest unless a conversation of that partition may have it."""
    try:
        position = Position.parse(text)
    except ValueError:
        position = None
    if position is None or position.epoch > epoch or (position.epoch == epoch and position.partition != partition):
        field = FieldError(name, "invalid", "Use the position of a message of this conversation.")
        raise BadRequest(f"{name} is no position of this conversation.", fields=(field,))
    return position


def is_after(one: Position | None, other: Position | None) -> bool:
    """Returns whether a position of a conversation lies after another one; None lies before all."""
    if one is None or other is None:
        return one is not None
    return (one.epoch, one.offset) > (other.epoch, other.offset)


def clamp(position: Position | None, last: Position | None) -> Position | None:
    """Returns the position, or that of the last message if it lies beyond."""
    return last if is_after(position, last) else position


def marker_entry(
    whose: Whose, mark: Mark, *, unread_from: Position | UnsetType | None = UNSET, own_only: bool, trace: bytes = b""
) -> Entry:
    """Returns the entry of a marker's record."""
    event = MarkerMoved(
        conversation=whose.conversation,
        user=whose.user,
        user_id=whose.user_id,
        delivered=_text(mark.delivered),
        read=_text(mark.read),
        unread_from=str(unread_from) if isinstance(unread_from, Position) else unread_from,
    )
    return Entry(whose.key, encode(event), marker_header(event, own_only=own_only), trace=trace)


def highest(now: Marked, delivered: Position | None, read: Position | None) -> Marked:
    """Returns a marker with the higher ones of its and the given positions. Who has read has also received."""
    read = read if is_after(read, now.read) else now.read
    delivered = delivered if is_after(delivered, now.delivered) else now.delivered
    return Marked(read if is_after(read, delivered) else delivered, read, now.unread_from)


def parsed(text: str | None) -> Position | None:
    """Returns a position of a record, which was checked when it was appended."""
    return None if text is None else Position.parse(text)


def flag_told(text: str | UnsetType | None, otherwise: Position | None) -> Position | None:
    """Returns the flag that a record sets or clears; `otherwise` where it says nothing about it."""
    return otherwise if isinstance(text, UnsetType) else parsed(text)


def _text(position: Position | None) -> str | None:
    return None if position is None else str(position)
