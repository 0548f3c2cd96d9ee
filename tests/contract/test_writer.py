"""The log's writer: what is appended has a place, and keeps the order of its key."""

import contextlib
import functools
from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaError, Message, Producer
from hypothesis import given, settings
from hypothesis import strategies as st

from klatsch.embedded.kafka import EmbeddedKafka
from klatsch.eventlog.kafka_connection import KafkaConnection
from klatsch.eventlog.kafka_writer import KafkaWriter
from klatsch.eventlog.log import Entry, LogError, LogFull, Record, Report
from klatsch.eventlog.partitions import partition_of
from tests.support.logs import (
    PARTITIONS,
    Appended,
    Delivered,
    KafkaUnderTest,
    LogUnderTest,
    append_all,
    key_in,
    values_in,
)
from tests.support.process import stopped
from tests.support.waiting import wait_until


def read_all(log: LogUnderTest, count: int) -> Delivered:
    """Returns what the log holds from its beginning, once that is so much."""
    read = Delivered()
    tail = log.tail()
    tail.start(dict.fromkeys(range(PARTITIONS), 0), read.deliver, read.failures.append)
    wait_until(lambda: len(read.records) >= count)
    tail.stop()
    return read


def test_an_append_is_reported_with_its_place_and_offsets_count_from_0(log: LogUnderTest) -> None:
    writer = log.writer()
    assert append_all(writer, values_in(0, 3) + values_in(1, 2)) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    assert append_all(writer, values_in(1, 1)) == [(1, 2)]


def test_a_report_names_its_entry(log: LogUnderTest) -> None:
    appended = Appended()
    entry = Entry(key_in(2), b"value", b"judge")
    log.writer().append(entry, appended.reports.append)
    wait_until(lambda: appended.reports)

    assert appended.reports == [Report(entry, 2, 0, None)]


def test_what_was_appended_is_read_as_it_is(log: LogUnderTest) -> None:
    entry = Entry(key_in(1), bytes(range(256)), bytes(range(49)))
    append_all(log.writer(), [entry])

    [record] = read_all(log, 1).records
    assert (record.partition, record.offset) == (1, 0)
    assert (record.key, record.value, record.judge) == (entry.key, entry.value, entry.judge)


def test_without_the_header_judge_it_is_empty(log: LogUnderTest) -> None:
    append_all(log.writer(), [Entry(key_in(0), b"value")])

    assert read_all(log, 1).records[0].judge == b""


def test_the_records_of_a_key_are_in_the_order_appended(log: LogUnderTest) -> None:
    writer = log.writer()
    for number in range(500):
        writer.append(Entry(key_in(number % PARTITIONS), str(number).encode()))

    read = read_all(log, 500)
    for partition in range(PARTITIONS):
        assert read.values(partition) == [str(number).encode() for number in range(partition, 500, PARTITIONS)]


def test_a_place_puts_a_record_into_the_partition_of_another_key(log: LogUnderTest) -> None:
    key, place = key_in(0), key_in(2)
    assert append_all(log.writer(), [Entry(key, b"there", place=place), Entry(key, b"here")]) == [(2, 0), (0, 0)]

    assert {(r.partition, r.key, r.value) for r in read_all(log, 2).records} == {(2, key, b"there"), (0, key, b"here")}


def test_a_writer_of_errors_does_not_report_what_went_well(log: LogUnderTest) -> None:
    appended = Appended()
    writer = log.writer(reports="errors")
    writer.append(values_in(0, 1)[0], appended.reports.append)

    assert writer.close(10.0) == 0
    assert len(read_all(log, 1).records) == 1
    assert appended.reports == []


def test_close_sends_what_is_queued_and_says_that_nothing_is_left(log: LogUnderTest) -> None:
    writer = log.writer()
    appended = Appended()
    for entry in values_in(0, 200):
        writer.append(entry, appended.reports.append)

    assert writer.close(10.0) == 0
    assert appended.places() == [(0, offset) for offset in range(200)]


def test_a_full_queue_raises_log_full_and_the_entry_is_not_appended(log: LogUnderTest) -> None:
    appended = Appended()
    writer = log.full_writer()
    with pytest.raises(LogFull):
        writer.append(Entry(b"key", b"value" * 200), appended.reports.append)

    writer.close(0)
    assert appended.reports == []


class Hasty(KafkaConnection):
    def producer(self, partitions: int) -> dict[str, str | int | float | bool]:
        return super().producer(partitions) | {"message.timeout.ms": 1_000}


def test_once_a_record_has_timed_out_another_producer_takes_over(own_kafka: EmbeddedKafka) -> None:
    assert own_kafka.process is not None
    with contextlib.closing(KafkaUnderTest()) as log:
        writer = KafkaWriter(Hasty(log.connection.bootstrap_servers), log.topic, PARTITIONS)

        def is_heard() -> bool:
            """Returns whether a record is in the log; the first ones may time out while a producer signs in."""
            appended = Appended()
            writer.append(Entry(key_in(0), b"value"), appended.reports.append)
            wait_until(lambda: appended.reports)
            return appended.reports[0].error is None

        wait_until(is_heard)
        wait_until(lambda: not writer._current.timed_out)
        first, lost = writer._current, Appended()
        with stopped(own_kafka.process.pid):
            writer.append(Entry(key_in(0), b"lost"), lost.reports.append)
            wait_until(lambda: writer._current is not first)
        wait_until(is_heard)
        assert [report.error is None for report in lost.reports] == [False]
        assert writer.close(10) == 0


Headers = list[tuple[str, str | bytes | None]]
keys = st.lists(st.binary(min_size=1, max_size=60) | st.uuids().map(lambda u: str(u).encode()), min_size=1, max_size=40)


@pytest.fixture
def own_kafka(kafka: EmbeddedKafka | None) -> EmbeddedKafka:
    if kafka is None:
        pytest.skip("KAFKA_BOOTSTRAP_SERVERS names a broker that is not ours to stop")
    return kafka


@settings(max_examples=15, deadline=None)
@given(keys)
def test_a_key_lives_where_tools_of_java_and_librdkafka_put_it(kafka_topic: KafkaUnderTest, names: list[bytes]) -> None:
    tool = Producer({"bootstrap.servers": kafka_topic.connection.bootstrap_servers, "partitioner": "murmur2_random"})
    placed: dict[bytes, int | None] = {}
    for name in names:
        note = functools.partial(_note_partition, placed, name)
        tool.produce(kafka_topic.topic, b"", name, on_delivery=note)
    assert tool.flush(10) == 0

    assert placed == {name: partition_of(name, PARTITIONS) for name in names}


def _note_partition(placed: dict[bytes, int | None], name: bytes, error: KafkaError | None, message: Message) -> None:
    assert error is None
    placed[name] = message.partition()


@pytest.fixture(scope="module")
def kafka_topic(kafka: EmbeddedKafka | None) -> Iterator[KafkaUnderTest]:
    with contextlib.closing(KafkaUnderTest()) as log:
        yield log


def test_when_a_partition_is_added_every_key_stays_where_it_lives(log: LogUnderTest) -> None:
    writer = log.writer()
    entries = [Entry(b"key-%d" % number, b"") for number in range(100)]
    before = [partition for partition, _ in append_all(writer, entries)]
    log.add_partition(b"of another producer")
    for again in (writer, log.writer()):
        assert [partition for partition, _ in append_all(again, entries)] == before


def test_the_header_judge_is_found_whatever_other_tools_put_before_it(kafka: EmbeddedKafka | None) -> None:
    others: Headers = [("traceparent", b"00-1")]
    told: list[Headers] = [[*others, ("judge", b"!")], others, [("judge", None)], []]
    with contextlib.closing(KafkaUnderTest()) as log:
        producer = Producer({"bootstrap.servers": log.connection.bootstrap_servers})
        for headers in told:
            producer.produce(log.topic, b"value", key_in(0), headers=headers)
        producer.flush(10)

        assert [record.judge for record in read_all(log, 4).records] == [b"!", b"", b"", b""]


def test_a_record_without_key_and_value_has_empty_ones(kafka: EmbeddedKafka | None) -> None:
    with contextlib.closing(KafkaUnderTest()) as log:
        producer = Producer({"bootstrap.servers": log.connection.bootstrap_servers})
        producer.produce(log.topic, None, None, partition=1)
        producer.flush(10)

        [record] = read_all(log, 1).records
        assert record == Record(1, 0, b"", b"", b"", time_ms=record.time_ms)


def test_a_request_is_traced_in_a_second_header_and_the_judge_stays_the_first(log: LogUnderTest) -> None:
    writer = log.writer(reports="errors")
    writer.append(Entry(key_in(0), b"from a request", b"judge", trace=b"r-1"))
    writer.append(Entry(key_in(0), b"from a socket", b"judge"))
    assert writer.close(10) == 0
    read = read_all(log, 2)
    assert [(r.judge, r.trace) for r in read.records] == [(b"judge", b"r-1"), (b"judge", b"")]


def test_a_writer_that_refuses_appends_nothing_and_reports_no_success(own_kafka: EmbeddedKafka) -> None:
    assert own_kafka.process is not None
    with contextlib.closing(KafkaUnderTest()) as log:
        writer, appended = log.writer(), Appended()
        append_all(writer, values_in(0, 1))
        with stopped(own_kafka.process.pid):
            writer.append(values_in(0, 1)[0], appended.reports.append)
            writer.refuse()
            with pytest.raises(LogError):
                writer.append(values_in(0, 1)[0], appended.reports.append)
        wait_until(lambda: appended.reports)

        assert [report.error for report in appended.reports] == ["the topic is no longer the log"]
