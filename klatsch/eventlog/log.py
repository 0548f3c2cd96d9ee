"""The port to the log: the operations that Klatsch needs of Kafka.

`klatsch.eventlog.kafka_writer` and `kafka_reader` implement it, and `memory` is its twin. A record's place is its
partition and offset.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record of the log, as read. `judge` and `trace` are headers, empty when absent.

    `time_ms` is the log's own time, by the topic's `message.timestamp.type`.
    """

    partition: int
    offset: int
    key: bytes
    value: bytes
    judge: bytes
    trace: bytes = b""
    time_ms: int = 0


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One record to append. `place` is the key that decides the partition, when it is not `key`.

    `trace` names the originating request for log lines (`core.tracing`); it requires a `judge`.
    """

    key: bytes
    value: bytes
    judge: bytes = b""
    place: bytes | None = None
    trace: bytes = b""


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of an append: its place, or the reason why it may not be in the log."""

    entry: Entry
    partition: int
    offset: int
    error: str | None


class LogError(Exception):
    """Raised when the log cannot be used as asked; the text says why and what to do."""


class LogFull(LogError):
    """Raised when the queue of unsent records is full: nothing was appended."""


class TopicChanged(LogError):
    """Raised when the topic is not the known one: it has another id, or another number of partitions."""


class OffsetGone(LogError):
    """Raised when the log no longer holds, or does not yet hold, the requested offset."""


class LogWriter(Protocol):
    """Appends without blocking; every queue in it is bounded."""

    def append(self, entry: Entry, report: Callable[[Report], None] | None = None) -> None:
        """Queues one entry; raises LogFull. `report`, if given, is called on one of the writer's threads."""

    def close(self, deadline_s: float) -> int:
        """Sends what is queued; returns how many entries were still unsent at the deadline."""


class LogTail(Protocol):
    """Reads all partitions, without a group, on its own thread."""

    def ends(self) -> dict[int, int]:
        """Returns the offset after the last record of each partition."""

    def offsets_at(self, time_ms: int) -> dict[int, int]:
        """Returns each partition's first offset whose record is of that time or later; else its end."""

    def start(
        self,
        offsets: Mapping[int, int],
        deliver: Callable[[Sequence[Record]], None],
        failed: Callable[[LogError], None],
    ) -> None:
        """Calls `deliver` on the tail's thread with batches in the partitions' order; `failed` once, then nothing.

        A `deliver` that raises counts as failed.
        """

    def stop(self) -> None:
        """Stops the tail: `deliver` is not called after this returns."""


class LogGroup(Protocol):
    """A member of a consumer group; all calls from one thread.

    `assigned(partitions)` returns where to read. It is called inside `poll`, and so is `revoked(partitions)`.
    """

    def poll(self, timeout_s: float, limit: int) -> Sequence[Record]:
        """Returns at most `limit` records, waiting for the first only. Raises OffsetGone, LogError."""

    def seek(self, offsets: Mapping[int, int]) -> None:
        """Makes the next `poll` continue at these offsets, in those partitions that are still assigned."""

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Reports the progress to lag tools; Klatsch never reads it."""

    def close(self) -> None: ...
