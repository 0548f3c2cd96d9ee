"""The line to the topic of signals: it is made again whenever it breaks, and nobody waits for it."""

import threading
from collections.abc import Iterator, Sequence

import pytest
from structlog.testing import capture_logs

from klatsch.eventlog.log import Entry, LogError, LogTail, Record
from klatsch.eventlog.memory import MemoryLog, MemoryTail, MemoryWriter
from klatsch.eventlog.signal_line import SignalLine
from tests.support.waiting import wait_until


class Shaky:
    """A topic of signals that can be away, with the line to it."""

    def __init__(self) -> None:
        self.log = MemoryLog(partitions=3)
        self.is_away = False
        self.tails: list[MemoryTail] = []
        self.writers: list[MemoryWriter] = []
        self.read: list[Record] = []
        self.opened = 0
        self.line = SignalLine(
            open_tail=self.open_tail,
            open_writer=self.open_writer,
            deliver=self.deliver,
            opened=self.note,
            again_s=0.01,
        )

    def open_tail(self) -> LogTail:
        if self.is_away:
            raise LogError("the log does not answer")
        self.tails.append(MemoryTail(self.log))
        return self.tails[-1]

    def open_writer(self, tail: LogTail) -> MemoryWriter:
        assert tail is self.tails[-1]
        self.writers.append(MemoryWriter(self.log))
        return self.writers[-1]

    def deliver(self, records: Sequence[Record]) -> None:
        if any(record.value == b"poison" for record in records):
            raise ValueError("poison")
        self.read += records

    def note(self) -> None:
        self.opened += 1

    def start(self) -> None:
        self.line.start()

    def values(self) -> list[bytes]:
        return [record.value for record in self.read]


@pytest.fixture
def shaky() -> Iterator[Shaky]:
    shaky = Shaky()
    yield shaky
    shaky.line.stop()


def test_what_is_appended_is_read_and_what_stood_there_before_is_not(shaky: Shaky) -> None:
    shaky.log.append(Entry(b"key", b"before"))
    shaky.start()
    wait_until(lambda: shaky.opened)

    assert shaky.line.append(Entry(b"key", b"after"))
    wait_until(lambda: shaky.read)
    assert shaky.values() == [b"after"]


def test_before_the_line_is_open_a_signal_is_dropped(shaky: Shaky) -> None:
    assert not shaky.line.append(Entry(b"key", b"value"))


def test_a_topic_that_is_away_is_logged_once_and_found_again(shaky: Shaky) -> None:
    shaky.is_away = True
    with capture_logs() as logs:
        shaky.start()
        wait_until(lambda: any(line["event"] == "signals_away" for line in logs))
        tries = threading.Event()
        for _ in range(5):
            tries.wait(0.02)
        shaky.is_away = False
        wait_until(lambda: shaky.opened)

    assert [line["event"] for line in logs] == ["signals_away", "signals_back"]
    assert shaky.line.append(Entry(b"key", b"value"))


def test_a_reader_that_fails_is_made_again_at_the_end(shaky: Shaky) -> None:
    shaky.start()
    wait_until(lambda: shaky.opened)
    shaky.line.append(Entry(b"key", b"poison"))
    wait_until(lambda: shaky.opened == 2)
    wait_until(lambda: shaky.line.append(Entry(b"key", b"healthy")))
    wait_until(lambda: shaky.read)

    assert set(shaky.values()) == {b"healthy"}


def test_a_full_writer_drops_and_does_not_raise(shaky: Shaky) -> None:
    shaky.start()
    wait_until(lambda: shaky.opened)
    shaky.writers[-1].room = 0

    assert not shaky.line.append(Entry(b"key", b"value"))


class Hanging(MemoryTail):
    """A driver whose call for the ends of the topic does not return before the test ends."""

    def __init__(self, log: MemoryLog, until: threading.Event) -> None:
        super().__init__(log)
        self._until = until

    def ends(self, deadline_s: float = 10.0) -> dict[int, int]:
        self._until.wait(30)
        raise LogError("the log does not answer")


def test_a_line_that_hangs_stops_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("klatsch.eventlog.signal_line._STOP_S", 0.05)
    until = threading.Event()
    log = MemoryLog(partitions=3)
    line = SignalLine(
        open_tail=lambda: Hanging(log, until),
        open_writer=lambda _: MemoryWriter(log),
        deliver=lambda _: None,
        opened=lambda: None,
    )
    line.start()
    line.stop()
    until.set()
