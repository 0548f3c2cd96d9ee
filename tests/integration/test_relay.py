"""The relay: mops up what a process promised to the log and did not live to append (D9)."""

import threading
from collections.abc import Callable, Iterator

import pytest

from klatsch.eventlog.log import Entry, Report
from klatsch.eventlog.memory import MemoryLog, MemoryWriter
from klatsch.eventlog.outbox import is_waiting, promise_record
from klatsch.persister import relay
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

HERE = b"conversation"


class CountingWriter(MemoryWriter):
    """Counts how often something was tried to be appended."""

    tried = 0

    def append(self, entry: Entry, report: Callable[[Report], None] | None = None) -> None:
        self.tried += 1
        super().append(entry, report)


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog(partitions=1)


@pytest.fixture
def writer(log: MemoryLog, monkeypatch: pytest.MonkeyPatch) -> Iterator[CountingWriter]:
    """Yields what a running relay appends through; the relay ends with the test."""
    monkeypatch.setattr(relay, "_EVERY_S", 0.01)
    writer, stopping = CountingWriter(log), threading.Event()
    thread = threading.Thread(target=relay.run_relay, args=(writer, stopping))
    thread.start()
    yield writer
    stopping.set()
    thread.join(10)
    assert not thread.is_alive()


def test_what_was_promised_and_not_relayed_reaches_the_log(log: MemoryLog, writer: CountingWriter) -> None:
    promise_record(key=b"members", value=b"1", place=HERE)
    promise_record(key=b"members", value=b"2", place=HERE)
    wait_until(lambda: not is_waiting(HERE))

    assert [record.value for record in log.records[0]] == [b"1", b"2"]


def test_a_log_that_is_away_is_tried_again(log: MemoryLog, writer: CountingWriter) -> None:
    writer.broken = True
    promise_record(key=b"members", value=b"1", place=HERE)
    wait_until(lambda: writer.tried >= 2)
    assert is_waiting(HERE)
    assert log.records == [[]]

    writer.broken = False
    wait_until(lambda: not is_waiting(HERE))
    assert len(log.records[0]) == 1
