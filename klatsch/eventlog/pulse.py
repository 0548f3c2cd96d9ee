"""Signs of life that a thread that calls the driver leaves for its watch. No I/O; time is an argument.

A pulse is plain numbers that one thread writes and another reads. The reading thread uses no clock: the watch's clock
stops while the process is stopped, so that no thread seems stalled then.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

PATIENCE_S = 5.0
"""A partition whose position does not move for this long, although the log holds more, counts as stalled."""
CALL_MOST_S = 8.0
"""A call that should return within half a second counts as hanging after this time."""


@dataclass(slots=True)
class Pulse:
    """`calls` counts calls to the driver; `inside` says that the last has not returned.

    `emptied` counts how often all fetched records had been taken.
    """

    calls: int = 0
    emptied: int = 0
    inside: bool = False

    def enter(self) -> None:
        self.calls += 1
        self.inside = True

    def leave(self) -> None:
        self.inside = False


class CallWatch:
    """Finds a call that does not return."""

    def __init__(self) -> None:
        self._calls = -1
        self._since_s = 0.0

    def is_overdue(self, pulse: Pulse, now_s: float) -> bool:
        if not pulse.inside or pulse.calls != self._calls:
            self._calls, self._since_s = pulse.calls, now_s
        return now_s - self._since_s >= CALL_MOST_S


@dataclass(frozen=True, slots=True)
class _Behind:
    """A partition that is behind, and the time since when the reader is at fault: it had nothing else to do."""

    position: int
    emptied: int
    idle_s: float | None = None


class ReadingWatch:
    """Finds partitions that are no longer read."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self.stalled: list[int] = []
        self._patience_s = patience_s
        self._behind: dict[int, _Behind] = {}

    def look(self, ends: Mapping[int, int], positions: Mapping[int, int], emptied: int, now_s: float) -> list[int]:
        """Finds partitions whose position has not moved for `patience_s` although the log holds more; returns them.

        `ends` must be fresh: a partition whose leader is away is not stalled. The time starts once everything fetched
        was taken, as a partition may wait long for its turn behind a backlog.
        """
        behind, stalled = {}, []
        for partition, end in ends.items():
            position = positions.get(partition, end)
            if position >= end:
                continue
            known = self._behind.get(partition)
            if known is None or known.position != position:
                known = _Behind(position, emptied)
            elif known.idle_s is None and emptied > known.emptied:
                known = replace(known, emptied=emptied, idle_s=now_s)
            elif known.idle_s is not None and emptied > known.emptied and now_s - known.idle_s >= self._patience_s:
                stalled.append(partition)
            behind[partition] = known
        self._behind, self.stalled = behind, stalled
        return stalled


class WritingWatch:
    """Finds a producer that finishes nothing, by how many entries were queued and how many of them still wait."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._queued = 0
        self._since_s: float | None = None

    def is_stalled(self, queued: int, waiting: int, now_s: float) -> bool:
        """Returns whether entries that were queued at a call `patience_s` ago still wait now."""
        if self._since_s is None or queued - waiting >= self._queued:
            self._queued, self._since_s = queued, now_s
            return False
        return now_s - self._since_s >= self._patience_s
