"""find_earlier: the slow way of a `client_id` that feeds may have forgotten (D3)."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from klatsch.core.errors import NotArchivedYet, Unavailable
from klatsch.eventlog.log import LogError, Position
from klatsch.eventlog.partitions import partition_of
from klatsch.messaging.archive_progress import Progress
from klatsch.messaging.queries import MessageView, find_verdict


class LogEnds(Protocol):
    """Tells how long the log is."""

    def ends(self) -> dict[int, int]:
        """The offset after the last record of each partition, now; raises LogError."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """The message that has the id already; `digest` tells whether it is the same or a conflict."""

    message: MessageView
    digest: bytes

    @property
    def position(self) -> str:
        return self.message.position


def find_earlier(*, ends: LogEnds, progress: Progress, key: bytes, message_id: bytes, wait_s: float) -> Earlier | None:
    """The archived message of that id, or None if there was none when this was called; blocks for about `wait_s`.

    `key` is that of its conversation: None is true only once the archive has what its partition held at the call.
    Raises NotArchivedYet or Unavailable where that cannot be seen: then send nothing.
    """
    last = find_last(ends, progress.epoch, [key])[key]
    if last.offset >= 0 and not progress.wait_for(last.partition, last.offset, wait_s):
        raise behind()
    return read_earlier(message_id, last)


def find_last(ends: LogEnds, epoch: int, keys: Collection[bytes]) -> dict[bytes, Position]:
    """The last record of each key's partition, now (its offset is -1 where there is none); raises Unavailable."""
    try:
        all_ends = ends.ends()
    except LogError as error:
        raise Unavailable("The log does not answer. Try again.", retry_after=1) from error
    places = {key: partition_of(key, len(all_ends)) for key in keys}
    return {key: Position(epoch, partition, all_ends[partition] - 1) for key, partition in places.items()}


def read_earlier(message_id: bytes, last: Position) -> Earlier | None:
    """The archived message of that id, once the archive has what stands at `last`; raises NotArchivedYet."""
    verdict = find_verdict(message_id=message_id, position=last)
    if verdict.message is not None:
        return Earlier(verdict.message, verdict.digest)
    if verdict.next_offset <= last.offset:
        raise behind()
    return None


def behind() -> NotArchivedYet:
    return NotArchivedYet("The archive is behind, so an old client_id cannot be looked up. Try again.", retry_after=1)
