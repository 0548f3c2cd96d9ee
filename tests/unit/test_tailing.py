"""A tail whose reader never comes back from the driver: another one reads on, and the old one delivers nothing more."""

import threading
from collections.abc import Iterator, Mapping, Sequence

import pytest

from klatsch.eventlog.log import LogError, Record
from klatsch.eventlog.memory import MemoryAsker, MemoryLog
from klatsch.eventlog.pulse import CALL_MOST_S
from klatsch.eventlog.tailing import ReplaceableTail
from klatsch.eventlog.watch import LogWatch, Told
from tests.support.waiting import wait_until

_NEVER_S = 3_600.0


def record(offset: int) -> Record:
    return Record(0, offset, b"key", b"value", b"")


class HungSource:
    """Gives the records 0 and 1, then does not return until it is `freed`, and has 2 and 3 then."""

    def __init__(self, offsets: Mapping[int, int]) -> None:
        self.begin = dict(offsets)
        self.freed = threading.Event()
        self.entered = threading.Event()
        self.closed = threading.Event()
        self.error: LogError | None = None
        self._given = False

    def read(self, limit: int) -> Sequence[Record]:
        if not self._given:
            self._given = True
            return [record(0), record(1)]
        self.entered.set()
        self.freed.wait()
        return [record(2), record(3)]

    def close(self) -> None:
        self.closed.set()
        if self.error is not None:
            raise self.error


class LateSource:
    """Gives what comes after its offsets, up to the record 4."""

    def __init__(self, offsets: Mapping[int, int]) -> None:
        self.begin = dict(offsets)
        self._next = self.begin[0]

    def read(self, limit: int) -> Sequence[Record]:
        records = [record(offset) for offset in range(self._next, 5)]
        self._next = 5
        return records

    def close(self) -> None:
        """Does nothing: it holds nothing."""


class HungTail(ReplaceableTail):
    """Looked at by the tests alone: its watch does not come by itself."""

    def __init__(self) -> None:
        super().__init__(LogWatch(MemoryAsker(MemoryLog(1)), _NEVER_S))
        self.hung: list[HungSource] = []
        self.late: list[LateSource] = []

    def open_source(self, offsets: Mapping[int, int]) -> HungSource | LateSource:
        if not self.hung:
            self.hung.append(HungSource(offsets))
            return self.hung[-1]
        self.late.append(LateSource(offsets))
        return self.late[-1]


@pytest.fixture
def tail() -> Iterator[HungTail]:
    tail = HungTail()
    yield tail
    for source in tail.hung:
        source.freed.set()
    tail.stop()


def test_a_call_that_never_returns_is_given_up_and_what_it_brings_later_is_not_delivered(tail: HungTail) -> None:
    delivered: list[int] = []
    failures: list[LogError] = []
    tail.start({0: 0}, lambda records: delivered.extend(r.offset for r in records), failures.append)
    wait_until(lambda: tail.hung)
    [hung] = tail.hung
    assert hung.entered.wait(30)
    tail.look(Told({0: 5}), 0.0)
    tail.look(Told({0: 5}), CALL_MOST_S - 1)
    assert tail.late == []
    tail.look(Told({0: 5}), CALL_MOST_S)
    wait_until(lambda: len(delivered) >= 5)
    hung.freed.set()
    assert hung.closed.wait(30)

    assert tail.late[0].begin == {0: 2}
    assert delivered == [0, 1, 2, 3, 4]
    assert failures == []


def test_a_replaced_reader_that_fails_says_so_to_nobody(tail: HungTail) -> None:
    failures: list[LogError] = []
    tail.start({0: 0}, lambda _: None, failures.append)
    wait_until(lambda: tail.hung)
    [hung] = tail.hung
    assert hung.entered.wait(30)
    tail.look(Told({0: 5}), 0.0)
    tail.look(Told({0: 5}), CALL_MOST_S)
    wait_until(lambda: tail.late)
    hung.error = LogError("the old one")
    hung.freed.set()
    assert hung.closed.wait(30)
    tail.stop()

    assert failures == []


def test_a_reader_whose_batch_is_being_delivered_is_not_replaced(tail: HungTail) -> None:
    entered, leave = threading.Event(), threading.Event()

    def deliver(records: Sequence[Record]) -> None:
        entered.set()
        leave.wait(30)

    tail.start({0: 0}, deliver, lambda _: None)
    assert entered.wait(30)
    for second in range(0, 100, 5):
        tail.look(Told({0: 5}), second)
    leave.set()

    assert tail.late == []


def test_a_stop_does_not_wait_for_a_reader_that_never_returns(tail: HungTail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("klatsch.eventlog.tailing._STOP_S", 0.05)
    delivered: list[int] = []
    tail.start({0: 0}, lambda records: delivered.extend(r.offset for r in records), lambda _: None)
    wait_until(lambda: tail.hung)
    [hung] = tail.hung
    assert hung.entered.wait(30)
    tail.stop()
    hung.freed.set()
    assert hung.closed.wait(30)

    assert delivered == [0, 1]
