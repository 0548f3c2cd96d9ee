"""Marks whose records the log did not take are told again, in the order in which they count (D19)."""

from collections.abc import Callable
from typing import NamedTuple

from msgspec import UNSET

from klatsch.eventlog.log import Entry, Report
from klatsch.eventlog.memory import MemoryLog, MemoryWriter
from klatsch.messaging.marking import Marking
from klatsch.messaging.marks import Marked
from tests.unit.marking_process import WHOSE, Process, at


class Waiting(NamedTuple):
    """An append that the log has not reported yet."""

    entry: Entry
    report: Callable[[Report], None]

    def fail(self) -> None:
        self.report(Report(self.entry, -1, -1, "no broker has answered"))


class Writer(MemoryWriter):
    """Appends at once. While it is `late`, it appends nothing and reports when the test says so."""

    def __init__(self, log: MemoryLog) -> None:
        super().__init__(log)
        self.late = False
        self.unreported: list[Waiting] = []

    def append(self, entry: Entry, report: Callable[[Report], None] | None = None) -> None:
        if self.late and report is not None:
            self.unreported.append(Waiting(entry, report))
        else:
            super().append(entry, report)


class LateProcess(Process):
    """The markers of a process whose writer may report late."""

    def __init__(self) -> None:
        super().__init__()
        self.writer: Writer = Writer(self.log)
        self.marking = Marking(self.writer, shown_most=20)


def test_a_flag_whose_record_the_log_did_not_take_is_told_again() -> None:
    process = LateProcess()
    process.load(read=at(7), unread_from=at(5))
    process.writer.broken = True
    assert process.read_up_to(7, 0.0).unread_from is None
    process.writer.broken = False
    process.marking.flush(1.0)
    assert [(event.read, event.unread_from) for event in process.records()] == [(None, None)]


def test_a_flag_of_another_device_is_told_again_after_a_move_that_the_log_took_late() -> None:
    process = LateProcess()
    process.load()
    process.read_up_to(1, 0.0)
    process.writer.late = True
    process.read_up_to(3, 2.0)
    process.writer.late = False
    process.flag(at(2))
    process.writer.unreported[0].fail()
    process.marking.flush(4.0)
    assert [(event.read, event.unread_from) for event in process.records()[-2:]] == [
        ("1:0:3", UNSET),
        (None, "1:0:2"),
    ]


def test_a_flag_is_told_again_after_the_move_where_the_log_took_neither() -> None:
    process = LateProcess()
    flag = process.flag_behind_a_read(3, at(2))
    process.writer.broken = True
    process.marking.flush(1.0)
    process.writer.broken = False
    process.marking.flush(2.0)
    assert [(event.read, event.unread_from) for event in process.records()[2:]] == [
        ("1:0:3", UNSET),
        (None, "1:0:2"),
    ]
    assert process.marking.find(WHOSE) == Marked(at(3), at(3), flag)


def test_a_flag_is_told_again_after_its_move_where_the_log_took_the_flag_alone() -> None:
    """The move would clear the flag otherwise."""
    process = LateProcess()
    process.flag_behind_a_read(3, at(2))
    process.writer.late = True
    process.marking.flush(1.0)
    move, flag = process.writer.unreported
    process.writer.late = False
    move.fail()
    process.log.append(flag.entry)
    process.marking.flush(2.0)
    assert [(event.read, event.unread_from) for event in process.records()[2:]] == [
        (None, "1:0:2"),
        ("1:0:3", UNSET),
        (None, "1:0:2"),
    ]


def test_a_move_that_the_log_did_not_take_is_told_again_whatever_is_due_by_then() -> None:
    process = LateProcess()
    process.load()
    process.writer.late = True
    process.read_up_to(3, 0.0)
    process.writer.late = False
    process.load(unread_from=at(2))
    process.read_up_to(3, 0.1)
    [move] = process.writer.unreported
    move.fail()
    process.marking.flush(1.0)
    assert [(event.read, event.unread_from) for event in process.records()] == [("1:0:3", UNSET), (None, None)]


def test_a_flag_that_is_to_be_told_as_taken_away_is_not_brought_back_by_the_archive() -> None:
    process = LateProcess()
    process.load(read=at(7), unread_from=at(5))
    process.writer.broken = True
    process.read_up_to(7, 0.0)
    process.writer.broken = False
    process.load(read=at(7), unread_from=at(5))
    process.marking.flush(1.0)
    assert [(event.read, event.unread_from) for event in process.records()] == [(None, None)]
