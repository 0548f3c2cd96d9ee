"""Marks: answered at once, appended once a second, and lost by nothing but a crash (D19)."""

import pytest
from msgspec import UNSET

from klatsch.core.errors import BadRequest, Unavailable
from klatsch.eventlog.places import Position
from klatsch.messaging.marks import Marked, Whose, check_mark
from klatsch.records.markers import is_own_only
from tests.support.records import BOB, TEA, marked, records_of
from tests.unit.marking_process import WHOSE, Process, at


def test_the_first_mark_is_appended_at_once_and_further_ones_once_a_second() -> None:
    process = Process()
    process.load()
    assert [process.read_up_to(offset, 10.0 + offset / 10).read for offset in range(1, 6)] == [
        at(n) for n in range(1, 6)
    ]
    process.marking.flush(11.0)
    assert process.reads() == ["1:0:1"]
    process.marking.flush(11.1)
    assert process.reads() == ["1:0:1", "1:0:5"]
    process.marking.flush(20.0)
    assert process.reads() == ["1:0:1", "1:0:5"]


def test_in_a_large_conversation_it_is_once_in_ten_seconds() -> None:
    process = Process()
    process.load(member_count=101)
    process.read_up_to(1, 0.0)
    process.read_up_to(2, 0.5)
    process.marking.flush(9.9)
    assert process.reads() == ["1:0:1"]
    process.marking.flush(10.0)
    assert process.reads() == ["1:0:1", "1:0:2"]


def test_a_lower_mark_is_answered_with_the_higher_one_and_appended_never() -> None:
    process = Process()
    process.load(read=at(7))
    assert process.read_up_to(3, 0.0) == Marked(at(7), at(7))
    process.marking.drain(1.0)
    assert process.reads() == []


def test_what_is_read_has_been_delivered_too() -> None:
    process = Process()
    process.load()
    process.read_up_to(3, 0.0)
    [event] = process.records()
    assert (event.delivered, event.read) == ("1:0:3", "1:0:3")


def test_a_mark_beyond_the_last_message_is_that_of_the_last_message() -> None:
    process = Process()
    process.load()
    assert process.read_up_to(4_000, 0.0).read == at(100)


def test_a_drain_appends_what_is_not_due_yet() -> None:
    process = Process()
    process.load()
    process.read_up_to(1, 0.0)
    process.read_up_to(2, 0.1)
    process.marking.drain(0.2)
    assert process.reads() == ["1:0:1", "1:0:2"]
    process.marking.flush(9.0)
    assert len(process.reads()) == 2


def test_what_the_log_does_not_take_is_appended_again() -> None:
    process = Process()
    process.load()
    process.writer.room = 0
    process.read_up_to(1, 0.0)
    process.writer.room = None
    process.marking.flush(0.9)
    assert process.reads() == []
    process.marking.flush(1.0)
    assert process.reads() == ["1:0:1"]


def test_what_the_log_reports_as_lost_is_appended_again() -> None:
    process = Process()
    process.load()
    process.writer.broken = True
    process.read_up_to(1, 0.0)
    process.writer.broken = False
    process.marking.flush(1.0)
    assert process.reads() == ["1:0:1"]


def test_another_device_moves_what_is_answered() -> None:
    process = Process()
    process.load()
    [record] = records_of(marked(BOB, read="1:0:9"))
    process.marking.learn(record)
    assert process.read_up_to(5, 0.0).read == at(9)


@pytest.mark.parametrize(("count", "is_shown", "own_only"), [(20, True, False), (21, True, True), (2, False, True)])
def test_others_are_told_in_small_conversations_unless_the_person_says_no(
    *, count: int, is_shown: bool, own_only: bool
) -> None:
    process = Process()
    process.load(member_count=count, is_shown=is_shown)
    process.read_up_to(1, 0.0)
    assert is_own_only(process.log.records[0][0].judge) is own_only


def test_a_choice_that_a_record_tells_counts_more_than_the_archives() -> None:
    process = Process()
    process.marking.learn_receipts(BOB.user_id, is_shown=False)
    process.load(is_shown=True)
    process.read_up_to(1, 0.0)
    assert is_own_only(process.log.records[0][0].judge)


def test_a_read_takes_the_flag_away_even_where_it_moves_nothing() -> None:
    process = Process()
    process.load(read=at(7), unread_from=at(5))
    assert process.read_up_to(7, 0.0).unread_from is None
    [event] = process.records()
    assert (event.read, event.unread_from) == (None, None)
    assert is_own_only(process.log.records[0][0].judge)


def test_a_higher_read_takes_the_flag_away_by_itself() -> None:
    process = Process()
    process.load(read=at(7), unread_from=at(5))
    process.read_up_to(8, 0.0)
    assert process.reads() == ["1:0:8"]


@pytest.mark.parametrize("moved", [2, 3])
def test_a_flag_that_was_set_after_a_waiting_read_outlives_it(moved: int) -> None:
    process = Process()
    flag = process.flag_behind_a_read(moved, at(2))
    process.marking.flush(1.0)
    assert [(event.read, event.unread_from) for event in process.records()[2:]] == [
        (f"1:0:{moved}", UNSET),
        (None, "1:0:2"),
    ]
    assert is_own_only(process.log.records[0][-1].judge)
    assert process.marking.find(WHOSE) == Marked(at(moved), at(moved), flag)


def test_a_flag_that_was_set_after_a_waiting_read_is_taken_away_by_the_next_one() -> None:
    process = Process()
    process.flag_behind_a_read(2, at(2))
    process.read_up_to(2, 0.2)
    process.marking.flush(1.0)
    assert [(event.read, event.unread_from) for event in process.records()[2:]] == [("1:0:2", UNSET), (None, None)]


def test_a_marker_is_appended_at_once_before_what_must_come_after_it() -> None:
    process = Process()
    process.load()
    process.read_up_to(1, 0.0)
    process.read_up_to(2, 0.1)
    process.marking.append(WHOSE, 0.2)
    assert process.reads() == ["1:0:1", "1:0:2"]
    process.marking.append(WHOSE, 0.3)
    process.marking.flush(5.0)
    assert process.reads() == ["1:0:1", "1:0:2"]


def test_beyond_the_bound_the_oldest_is_appended_and_forgotten() -> None:
    process = Process(kept_most=1)
    process.load()
    process.read_up_to(1, 0.0)
    process.read_up_to(2, 0.1)
    other = Whose(str(TEA), "ana", "0a000000-0000-4000-8000-00000000000a")
    process.load(other)
    assert process.reads() == ["1:0:1", "1:0:2"]
    assert process.marking.find(WHOSE) is None


def test_at_the_bound_without_a_log_a_further_one_is_refused_and_nothing_is_lost() -> None:
    process = Process(kept_most=1)
    process.load()
    process.writer.room = 0
    process.read_up_to(1, 0.0)
    with pytest.raises(Unavailable):
        process.load(Whose(str(TEA), "ana", "0a000000-0000-4000-8000-00000000000a"))
    process.writer.room = None
    process.marking.drain(5.0)
    assert process.reads() == ["1:0:1"]


@pytest.mark.parametrize("read", ["1:1:5", "2:0:5", "nowhere", "1:0:x", "1:0:99999999999999999999", ""])
def test_a_position_that_the_conversation_cannot_have_is_refused(read: str) -> None:
    with pytest.raises(BadRequest) as refused:
        check_mark(key=WHOSE.key, delivered=None, read=read, epoch=1, partitions=1)
    assert [field.field for field in refused.value.fields] == ["read"]


def test_a_mark_of_nothing_is_refused_and_one_of_an_earlier_epoch_is_not() -> None:
    with pytest.raises(BadRequest):
        check_mark(key=WHOSE.key, delivered=None, read=None, epoch=1, partitions=1)
    assert check_mark(key=WHOSE.key, delivered="1:9:5", read=None, epoch=2, partitions=1).delivered == Position(1, 9, 5)
