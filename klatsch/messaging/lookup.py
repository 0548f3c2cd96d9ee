"""Lookups that need log and archive together: of an old `client_id` (D3), and of a place to wait for (D8)."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Protocol

from klatsch.archive.at_least import parse_at_least
from klatsch.archive.fates import find_fate
from klatsch.archive.message_view import MessageView
from klatsch.archive.progress import Progress
from klatsch.core.errors import BadRequest, FieldError, NotArchivedYet, Unavailable
from klatsch.eventlog.log import LogError
from klatsch.eventlog.partitions import partition_of
from klatsch.eventlog.places import Position
from klatsch.messaging.outcomes import name_in_use
from klatsch.postgres.base import release_connection

ENDS_WAIT_S: Final = 3.0
"""The wait of a change or a marker for the log's ends: it holds a thread, and the log answers in milliseconds."""


class LogEnds(Protocol):
    """Returns the log's ends."""

    def ends(self, deadline_s: float = ...) -> dict[int, int]:
        """Returns the offset after each partition's last record; raises LogError when no broker answers in time."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """An archived message of the same id. `digest` tells whether it is a copy or a conflict."""

    message: MessageView
    digest: bytes

    @property
    def position(self) -> str:
        return self.message.position


def find_earlier(*, ends: LogEnds, progress: Progress, key: bytes, message_id: bytes, wait_s: float) -> Earlier | None:
    """Returns the archived message of that id, or None if there was none at the call; blocks for about `wait_s`.

    `key` is that of its conversation: None is certain only once the archive has what its partition held at the call.
    Raises NotArchivedYet or Unavailable when that cannot be seen. Nothing may be sent then.
    """
    last = find_last(ends, progress.epoch, [key])[key]
    if last.offset >= 0 and not progress.wait_for(last.partition, last.offset, wait_s):
        raise behind()
    return read_earlier(message_id, last)


def read_ends(ends: LogEnds, deadline_s: float | None = None) -> dict[int, int]:
    """Returns the offset after each partition's last record, and holds no connection meanwhile; raises Unavailable."""
    release_connection()
    try:
        return ends.ends() if deadline_s is None else ends.ends(deadline_s)
    except LogError as error:
        raise Unavailable("The log does not answer. Try again later.", retry_after=1) from error


def find_last(ends: LogEnds, epoch: int, keys: Collection[bytes]) -> dict[bytes, Position]:
    """Returns the last record of each key's partition (with offset -1 when empty); raises Unavailable."""
    all_ends = read_ends(ends)
    places = {key: partition_of(key, len(all_ends)) for key in keys}
    return {key: Position(epoch, partition, all_ends[partition] - 1) for key, partition in places.items()}


def read_earlier(message_id: bytes, last: Position) -> Earlier | None:
    """Returns the archived message of that id, once the archive has the record at `last`.

    Raises NotArchivedYet, and Conflict if a change has that id: messages and changes share their names.
    """
    fate = find_fate(own_id=message_id, position=last)
    if fate.message is not None and fate.digest is not None:
        return Earlier(fate.message, fate.digest)
    if fate.is_change:
        raise name_in_use()
    if fate.next_offset <= last.offset:
        raise behind()
    return None


def wait_for_place(*, ends: LogEnds, progress: Progress, at_least: str, wait_s: float) -> None:
    """Returns when the archive holds a position, or all before a resume token; blocks for about `wait_s`.

    Raises NotArchivedYet, and BadRequest for malformed text or a place beyond the log's end: it may never come.
    """
    try:
        progress.wait_for_position(at_least, 0)
    except NotArchivedYet:
        _check_within(ends, progress.epoch, at_least, wait_s / 2)
        progress.wait_for_position(at_least, wait_s)


def _check_within(ends: LogEnds, epoch: int, at_least: str, deadline_s: float) -> None:
    """Raises BadRequest for a place beyond the log's end; accepts any place while the log does not answer.

    Places of an earlier epoch lie before everything, whatever their offsets: the newest topic began at 0 again.
    """
    wanted_epoch, wanted = parse_at_least(at_least)
    if wanted_epoch < epoch:
        return
    try:
        all_ends = ends.ends(deadline_s)
    except LogError:
        return
    if wanted_epoch > epoch or any(offset > all_ends.get(partition, 0) for partition, offset in wanted.items()):
        field = FieldError("at_least", "invalid", "This place lies beyond the end of the log.")
        raise BadRequest("at_least names a place that the log does not have.", fields=(field,))


def behind() -> NotArchivedYet:
    return NotArchivedYet("The archive is behind, so an old client_id cannot be looked up. Try again.", retry_after=1)
