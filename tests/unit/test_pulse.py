"""Watches from outside of a thread that calls the driver: time is an argument."""

from klatsch.eventlog.pulse import CALL_MOST_S, CallWatch, Pulse, ReadingWatch, WritingWatch


def test_a_partition_that_stands_still_while_the_log_goes_on_is_stalled_after_the_patience() -> None:
    watch = ReadingWatch(patience_s=5)
    seen = [watch.look({0: 10, 1: 7}, {0: 3, 1: 7}, emptied=second, now_s=second) for second in range(10)]

    assert seen == [[]] * 6 + [[0]] * 4


def test_one_that_moves_or_lacks_nothing_is_not_stalled() -> None:
    watch = ReadingWatch(patience_s=5)
    for second in range(100):
        assert watch.look({0: 1_000, 1: 7}, {0: second, 1: 7}, emptied=second, now_s=second) == []


def test_a_partition_waits_for_its_turn_behind_what_has_been_fetched() -> None:
    watch = ReadingWatch(patience_s=5)
    for second in range(100):
        assert watch.look({0: 10}, {0: 3}, emptied=0, now_s=second) == []
    watch.look({0: 10}, {0: 3}, emptied=1, now_s=100)
    assert watch.look({0: 10}, {0: 3}, emptied=1, now_s=200) == []  # since then it has not looked
    assert watch.look({0: 10}, {0: 3}, emptied=2, now_s=201) == [0]


def test_a_partition_whose_leader_does_not_answer_is_nobody_s_fault() -> None:
    watch = ReadingWatch(patience_s=5)
    for second in range(20):
        ends = {} if second % 4 == 3 else {0: 10}
        assert watch.look(ends, {0: 3}, emptied=second, now_s=second) == []


def test_what_a_reader_does_not_hold_is_not_asked_of_it() -> None:
    watch = ReadingWatch(patience_s=5)
    for second in range(20):
        assert watch.look({0: 10}, {}, emptied=second, now_s=second) == []


def test_a_call_that_does_not_return_is_overdue_and_another_one_is_not() -> None:
    pulse, watch = Pulse(), CallWatch()
    for second in range(100):
        pulse.enter()
        assert not watch.is_overdue(pulse, second)
        pulse.leave()
        assert not watch.is_overdue(pulse, second)
    pulse.enter()
    assert not watch.is_overdue(pulse, 100)
    assert not watch.is_overdue(pulse, 100 + CALL_MOST_S - 1)
    assert watch.is_overdue(pulse, 100 + CALL_MOST_S)


def test_who_is_outside_of_the_driver_may_take_as_long_as_it_likes() -> None:
    pulse, watch = Pulse(), CallWatch()
    pulse.enter()
    watch.is_overdue(pulse, 0)
    pulse.leave()
    assert not watch.is_overdue(pulse, 1_000)


def test_a_producer_that_finishes_something_goes_on() -> None:
    watch = WritingWatch(patience_s=10)
    for second in range(100):
        assert not watch.is_stalled(queued=second * 50, waiting=250, now_s=second)


def test_a_producer_that_finishes_nothing_is_stalled_although_more_is_queued() -> None:
    watch = WritingWatch(patience_s=10)
    assert not watch.is_stalled(queued=100, waiting=0, now_s=0)
    seen = [watch.is_stalled(queued=100 + second, waiting=second, now_s=second) for second in range(1, 14)]

    assert seen == [False] * 10 + [True] * 3


def test_a_producer_with_nothing_to_do_is_not_stalled() -> None:
    watch = WritingWatch(patience_s=10)
    for second in range(100):
        assert not watch.is_stalled(queued=7, waiting=0, now_s=second)
