"""The port to the log: what Klatsch asks of Kafka, and its twin in `memory` answers alike.

A record's place is its partition and offset. `klatsch.eventlog.kafka_writer` and `kafka_reader` are the real thing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec


class Record(msgspec.Struct, frozen=True, gc=False):
    """One entry of the log as it was read. `judge` and `trace` are headers, empty where there are none.

    `time_ms` is the log's own time of it, by the topic's `message.timestamp.type`.
    """

    partition: int
    offset: int
    key: bytes
    value: bytes
    judge: bytes
    trace: bytes = b""
    time_ms: int = 0


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One entry that is to be appended; `place` is the key whose partition it goes to, where that is not its own.

    `trace` names the request that it comes from, for log lines (`core.tracing`); there is none without a `judge`.
    """

    key: bytes
    value: bytes
    judge: bytes = b""
    place: bytes | None = None
    trace: bytes = b""


@dataclass(frozen=True, slots=True)
class Report:
    """What became of an append: its place, or the reason why nobody can say that it is in the log."""

    entry: Entry
    partition: int
    offset: int
    error: str | None


class LogError(Exception):
    """The log cannot be used as asked; the text says why and what to do."""


class LogFull(LogError):
    """The queue of unsent records is full: nothing was appended."""


class TopicChanged(LogError):
    """The topic is not the one that is known: another id, or another number of partitions."""


class OffsetGone(LogError):
    """The log no longer holds (or does not yet hold) the offset that was asked for."""


class LogWriter(Protocol):
    """Appends without blocking; every queue in it is bounded."""

    def append(self, entry: Entry, report: Callable[[Report], None] | None = None) -> None:
        """Queues one entry; raises LogFull. `report` is called on a thread of the writer's, where it reports."""

    def close(self, deadline_s: float) -> int:
        """Sends what is queued; returns how many entries were still unsent at the deadline."""


class LogTail(Protocol):
    """Reads all partitions, belonging to no group, on a thread of its own."""

    def ends(self) -> dict[int, int]:
        """The offset after the last record of each partition, now."""

    def offsets_at(self, time_ms: int) -> dict[int, int]:
        """The first offset of each partition whose record is of that time or later; else the end."""

    def start(
        self,
        offsets: Mapping[int, int],
        deliver: Callable[[Sequence[Record]], None],
        failed: Callable[[LogError], None],
    ) -> None:
        """Calls `deliver` on the tail's thread with batches in the partitions' order; `failed` once, then nothing.

        A `deliver` that raises has failed too.
        """

    def stop(self) -> None:
        """No `deliver` after this returns."""


class LogGroup(Protocol):
    """A member of a consumer group; all calls from one thread.

    `assigned(partitions)` says from where to read; it is called inside `poll`, as is `revoked(partitions)`.
    """

    def poll(self, timeout_s: float, limit: int) -> Sequence[Record]:
        """At most `limit` records; waits for the first one only. Raises OffsetGone, LogError."""

    def seek(self, offsets: Mapping[int, int]) -> None:
        """The next `poll` goes on from there, in those of the partitions that are still assigned."""

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Tells lag tools how far it is; nothing of ours reads it."""

    def close(self) -> None: ...
