"""Records that transactions promise to the outbox, and a writer that reports when it is told to."""

from collections.abc import Callable

from klatsch.eventlog.log import Entry, Report
from klatsch.eventlog.memory import MemoryLog
from klatsch.eventlog.outbox import promise_record
from klatsch.eventlog.partitions import partition_of

HERE, THERE = b"conversation 1", b"conversation 2"


def promise(*values: bytes, place: bytes = HERE) -> None:
    for value in values:
        promise_record(key=b"members:" + place, value=value, place=place)


def values(log: MemoryLog, place: bytes = HERE) -> list[bytes]:
    return [record.value for record in log.records[partition_of(place, log.partitions)]]


class SilentWriter:
    """Takes what is appended, and reports nothing until it is told to."""

    def __init__(self) -> None:
        self.reports: list[tuple[Entry, Callable[[Report], None]]] = []

    def append(self, entry: Entry, report: Callable[[Report], None] | None = None) -> None:
        assert report is not None
        self.reports.append((entry, report))

    def close(self, deadline_s: float) -> int:
        return len(self.reports)

    def speak(self) -> None:
        for offset, (entry, report) in enumerate(self.reports):
            report(Report(entry, 0, offset, None))
