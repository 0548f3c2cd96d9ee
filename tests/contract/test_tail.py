"""The log's tail: all partitions, each in its order, from where one says; and nothing after the stop."""

import threading
from collections.abc import Sequence

import pytest

from klatsch.eventlog.log import LogError, OffsetGone, Record
from tests.support.logs import PARTITIONS, Delivered, LogUnderTest, append_all, clock_ms, key_in, values_in
from tests.support.waiting import wait_until

FROM_THE_BEGINNING = dict.fromkeys(range(PARTITIONS), 0)


def test_the_ends_of_a_new_log_are_0(log: LogUnderTest) -> None:
    assert log.tail().ends() == {0: 0, 1: 0, 2: 0}


def test_the_ends_are_the_offsets_after_the_last_records(log: LogUnderTest) -> None:
    append_all(log.writer(), values_in(0, 3) + values_in(2, 1))
    tail = log.tail()
    assert tail.ends() == {0: 3, 1: 0, 2: 1}

    append_all(log.writer(), values_in(1, 1))
    assert tail.ends() == {0: 3, 1: 1, 2: 1}


def test_offsets_at_a_time_are_those_of_the_first_records_from_then_on_or_the_end(log: LogUnderTest) -> None:
    before_ms = clock_ms()
    append_all(log.writer(), values_in(0, 2) + values_in(1, 1))
    appended_ms = clock_ms()
    wait_until(lambda: clock_ms() > appended_ms + 1)
    between_ms = clock_ms()
    wait_until(lambda: clock_ms() > between_ms)
    append_all(log.writer(), values_in(0, 2) + values_in(2, 1))
    wait_until(lambda: clock_ms() > between_ms + 1)
    tail = log.tail()

    assert tail.offsets_at(0) == {0: 0, 1: 0, 2: 0}
    assert tail.offsets_at(before_ms) == {0: 0, 1: 0, 2: 0}
    assert tail.offsets_at(between_ms) == {0: 2, 1: 1, 2: 0}
    assert tail.offsets_at(clock_ms() + 60_000) == {0: 4, 1: 1, 2: 1}


def test_offsets_at_0_are_the_first_that_the_log_still_holds(log: LogUnderTest) -> None:
    append_all(log.writer(), values_in(0, 3) + values_in(1, 2))
    log.drop_before(0, 2)
    log.drop_before(1, 2)

    assert log.tail().offsets_at(0) == {0: 2, 1: 2, 2: 0}


def test_a_tail_delivers_every_partition_in_its_order(log: LogUnderTest) -> None:
    append_all(log.writer(), values_in(0, 50) + values_in(1, 50))
    read = Delivered()
    log.tail().start(FROM_THE_BEGINNING, read.deliver, read.failures.append)
    writer = log.writer()
    append_all(writer, values_in(0, 50, start=50) + values_in(2, 50))
    wait_until(lambda: len(read.records) >= 200)

    for partition, count in ((0, 100), (1, 50), (2, 50)):
        of_partition = [record for record in read.records if record.partition == partition]
        assert [record.offset for record in of_partition] == list(range(count))
        assert [record.value for record in of_partition] == [f"{partition}/{n}".encode() for n in range(count)]
    assert read.failures == []


def test_a_tail_starts_in_the_middle_and_at_the_end(log: LogUnderTest) -> None:
    append_all(log.writer(), values_in(0, 5) + values_in(1, 5))
    read = Delivered()
    log.tail().start({0: 3, 1: 5, 2: 0}, read.deliver, read.failures.append)
    append_all(log.writer(), values_in(1, 1, start=5) + values_in(2, 1))
    wait_until(lambda: len(read.records) >= 4)

    assert [read.values(partition) for partition in range(PARTITIONS)] == [[b"0/3", b"0/4"], [b"1/5"], [b"2/0"]]


def test_two_tails_read_everything_each(log: LogUnderTest) -> None:
    reads = [Delivered(), Delivered()]
    for read in reads:
        log.tail().start(FROM_THE_BEGINNING, read.deliver, read.failures.append)
    append_all(log.writer(), values_in(0, 5))
    wait_until(lambda: all(len(read.records) == 5 for read in reads))


def test_nothing_is_delivered_after_the_stop(log: LogUnderTest) -> None:
    append_all(log.writer(), values_in(0, 3))
    read, witness = Delivered(), Delivered()
    tail = log.tail()
    tail.start(FROM_THE_BEGINNING, read.deliver, read.failures.append)
    wait_until(lambda: len(read.records) == 3)
    tail.stop()
    append_all(log.writer(), values_in(0, 3, start=3))
    log.tail().start(FROM_THE_BEGINNING, witness.deliver, witness.failures.append)
    wait_until(lambda: len(witness.records) == 6)

    assert len(read.records) == 3


def test_the_stop_waits_for_the_batch_at_hand(log: LogUnderTest) -> None:
    append_all(log.writer(), values_in(0, 1))
    entered, leave, done = threading.Event(), threading.Event(), threading.Event()

    def deliver(records: object) -> None:
        entered.set()
        leave.wait(10)
        done.set()

    tail = log.tail()
    tail.start(FROM_THE_BEGINNING, deliver, Delivered().failures.append)
    assert entered.wait(30)
    stopping = threading.Thread(target=tail.stop)
    stopping.start()
    assert not done.is_set()
    leave.set()
    stopping.join(10)

    assert done.is_set()
    assert not stopping.is_alive()


def test_a_tail_that_was_never_started_is_stopped(log: LogUnderTest) -> None:
    log.tail().stop()


@pytest.mark.parametrize("offset", [1, 6, 1_000])
def test_an_offset_past_retention_or_beyond_the_end_is_gone_and_said_once(log: LogUnderTest, offset: int) -> None:
    append_all(log.writer(), values_in(0, 5))
    log.drop_before(0, 3)
    read = Delivered()
    tail = log.tail()
    tail.start({0: offset, 1: 0, 2: 0}, read.deliver, read.failures.append)
    wait_until(lambda: read.failures)
    tail.stop()

    [failure] = read.failures
    assert isinstance(failure, OffsetGone)
    assert isinstance(failure, LogError)
    assert read.values(0) == []


@pytest.mark.parametrize("error", [LogError("the feed is broken"), ZeroDivisionError("a mistake of ours")])
def test_a_deliver_that_raises_has_failed_and_gets_nothing_more(log: LogUnderTest, error: Exception) -> None:
    read = Delivered()

    def stumble(records: Sequence[Record]) -> None:
        read.deliver(records)
        raise error

    append_all(log.writer(), values_in(0, 1))
    tail = log.tail()
    tail.start(FROM_THE_BEGINNING, stumble, read.failures.append)
    wait_until(lambda: read.failures)
    append_all(log.writer(), values_in(0, 1, start=1))
    tail.stop()

    [failure] = read.failures
    assert str(error.args[0]) in str(failure)
    assert read.values() == [b"0/0"]


def test_the_first_offset_that_is_held_is_read(log: LogUnderTest) -> None:
    append_all(log.writer(), values_in(0, 5))
    log.drop_before(0, 3)
    read = Delivered()
    log.tail().start({0: 3, 1: 0, 2: 0}, read.deliver, read.failures.append)
    wait_until(lambda: len(read.records) == 2)

    assert [record.offset for record in read.records] == [3, 4]


def test_a_tail_goes_on_with_its_partitions_when_one_is_added(log: LogUnderTest) -> None:
    tail, read = log.tail(), Delivered()
    tail.start(FROM_THE_BEGINNING, read.deliver, read.failures.append)
    append_all(log.writer(), values_in(0, 2))
    log.add_partition(b"of another producer")
    append_all(log.writer(), values_in(1, 2) + values_in(2, 1))
    wait_until(lambda: len(read.records) == 5)

    assert tail.ends() == log.tail().ends() == {0: 2, 1: 2, 2: 1}
    assert read.failures == []


def test_a_record_of_a_producer_whose_clock_is_slow_is_found_by_the_time_of_the_log(log: LogUnderTest) -> None:
    before_ms = clock_ms()
    log.append_slowly(key_in(1), slow_ms=150_000)

    assert log.tail().offsets_at(before_ms) == {0: 0, 1: 0, 2: 0}
    wait_until(lambda: clock_ms() > before_ms + 1_000)
    assert log.tail().offsets_at(clock_ms()) == {0: 0, 1: 1, 2: 0}
