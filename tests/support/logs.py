"""The two logs that pass one suite: Kafka, and its twin in memory."""

import itertools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import uuid4

from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined]  # not in its __all__

from klatsch.eventlog.kafka_asker import KafkaAsker
from klatsch.eventlog.kafka_connection import KafkaConnection
from klatsch.eventlog.kafka_reader import KafkaGroup, KafkaSource, KafkaTail
from klatsch.eventlog.kafka_writer import KafkaWriter
from klatsch.eventlog.log import Entry, LogError, LogGroup, LogTail, LogWriter, Record, Report
from klatsch.eventlog.memory import MemoryGroup, MemoryLog, MemoryTail, MemoryWriter
from klatsch.eventlog.partitions import partition_of
from klatsch.eventlog.topics import KafkaTopics, TopicPlan
from klatsch.eventlog.watch import LogWatch
from tests.support.waiting import wait_until

PARTITIONS = 3
_CLOSE_S = 10.0
_PATIENCE_S = 1.0


def clock_ms() -> int:
    return time.time_ns() // 1_000_000


def key_in(partition: int, number: int = 0) -> bytes:
    """Returns a key that lives in that partition; another one for each number."""
    keys = (f"key-{n}".encode() for n in itertools.count())
    return next(itertools.islice((key for key in keys if partition_of(key, PARTITIONS) == partition), number, None))


class _Patient(KafkaConnection):
    """A connection whose producers keep an entry for longer than it takes to fill their queue on a busy machine."""

    def producer(self, partitions: int) -> dict[str, str | int | float | bool]:
        return super().producer(partitions) | {"message.timeout.ms": 300_000}


@dataclass
class Appended:
    """Collects reports of appends, as the writer's thread brings them."""

    reports: list[Report] = field(default_factory=list)

    def places(self) -> list[tuple[int, int]]:
        return [(report.partition, report.offset) for report in self.reports]


@dataclass
class Delivered:
    """Collects what a tail brings to its reader."""

    records: list[Record] = field(default_factory=list)
    failures: list[LogError] = field(default_factory=list)

    def deliver(self, records: Sequence[Record]) -> None:
        self.records.extend(records)

    def values(self, partition: int | None = None) -> list[bytes]:
        return [r.value for r in self.records if partition is None or r.partition == partition]


class GroupMember:
    """A reader of a group: it begins where `offsets` says, and remembers what it was told and given."""

    def __init__(self, log: "LogUnderTest", name: str, offsets: Mapping[int, int] | None = None) -> None:
        self._offsets = dict(offsets or {})
        self.held: set[int] = set()
        self.revoked: list[int] = []
        self.records: list[Record] = []
        self.port = log.group(name, assigned=self._on_assigned, revoked=self._on_revoked)

    def _on_assigned(self, partitions: Sequence[int]) -> Mapping[int, int]:
        self.held |= set(partitions)
        return {partition: self._offsets.get(partition, 0) for partition in partitions}

    def _on_revoked(self, partitions: Sequence[int]) -> None:
        self.held -= set(partitions)
        self.revoked += partitions

    def poll(self, limit: int = 100) -> Sequence[Record]:
        records = self.port.poll(0.1, limit)
        self.records += records
        for record in records:
            self._offsets[record.partition] = record.offset + 1
        return records

    def poll_until(self, condition: Callable[[], object]) -> None:
        wait_until(condition, meanwhile=self.poll)

    def values(self) -> list[bytes]:
        return [record.value for record in self.records]


class LogUnderTest(Protocol):
    """A new topic of three partitions, and the ways to it."""

    def writer(self, *, reports: str = "all") -> LogWriter: ...
    def full_writer(self) -> LogWriter:
        """Returns a writer whose queue is full; it need not reach anything."""

    def tail(self) -> LogTail: ...
    def group(
        self,
        name: str,
        *,
        assigned: Callable[[Sequence[int]], Mapping[int, int]],
        revoked: Callable[[Sequence[int]], None],
    ) -> LogGroup: ...
    def drop_before(self, partition: int, offset: int) -> None:
        """Does what retention does."""

    def make_deaf(self, tail: LogTail, partition: int) -> None:
        """Makes the tail's present reader get nothing more of that partition, and tells nobody."""

    def append_slowly(self, key: bytes, slow_ms: int) -> None:
        """Appends a record as a producer whose clock is so slow."""

    def add_partition(self, value: bytes) -> None:
        """Adds a partition as an operator does, and a record to it as no process of ours does."""

    def close(self) -> None: ...


class MemoryUnderTest:
    def __init__(self) -> None:
        self.log = MemoryLog(PARTITIONS, clock=clock_ms)
        self._tails: list[MemoryTail] = []

    def writer(self, *, reports: str = "all") -> MemoryWriter:
        return MemoryWriter(self.log, reports=reports)

    def full_writer(self) -> MemoryWriter:
        writer = self.writer()
        writer.room = 0
        return writer

    def tail(self) -> MemoryTail:
        self._tails.append(MemoryTail(self.log, _PATIENCE_S))
        return self._tails[-1]

    def group(
        self,
        name: str,
        *,
        assigned: Callable[[Sequence[int]], Mapping[int, int]],
        revoked: Callable[[Sequence[int]], None],
    ) -> MemoryGroup:
        return MemoryGroup(self.log, name, assigned=assigned, revoked=revoked)

    def drop_before(self, partition: int, offset: int) -> None:
        self.log.drop_before(partition, offset)

    def make_deaf(self, tail: LogTail, partition: int) -> None:
        assert isinstance(tail, MemoryTail)
        tail.sources[-1].deaf.add(partition)

    def append_slowly(self, key: bytes, slow_ms: int) -> None:
        self.log.append(Entry(key, b"value"))

    def add_partition(self, value: bytes) -> None:
        self.log.add_partition()
        self.log.records[-1].append(Record(PARTITIONS, 0, b"key", value, b""))

    def close(self) -> None:
        for tail in self._tails:
            tail.stop()


def broker() -> KafkaConnection:
    """Returns a connection to the run's own Kafka; to be used after the fixture `kafka`."""
    return KafkaConnection(os.environ["KAFKA_BOOTSTRAP_SERVERS"])


class DeafSource(KafkaSource):
    """Can be made to fetch nothing of a partition any more; from its own thread, as from another it never returns."""

    deaf: int | None = None

    def read(self, limit: int) -> Sequence[Record]:
        if self.deaf is not None:
            self.consumer.pause([TopicPartition(self.topic, self.deaf)])
            self.deaf = None
        return super().read(limit)


class OpenTail(KafkaTail):
    """Remembers the sources that it has opened, the last of which it reads."""

    def __init__(self, connection: KafkaConnection, topic: str) -> None:
        super().__init__(connection, topic, PARTITIONS, _PATIENCE_S)
        self.sources: list[DeafSource] = []

    def open_source(self, offsets: Mapping[int, int]) -> KafkaSource:
        self.sources.append(DeafSource(self.connection, self.topic, offsets, self.watch))
        return self.sources[-1]


class KafkaUnderTest:
    def __init__(self) -> None:
        self.connection, self.topic = broker(), f"contract-{uuid4().hex}"
        KafkaTopics(self.connection, self.topic).create(TopicPlan(PARTITIONS, replication=1, retention_hours=1))
        self._writers: list[KafkaWriter] = []
        self._tails: list[OpenTail] = []
        self._groups: list[KafkaGroup] = []
        self._watch = LogWatch(KafkaAsker(self.connection, self.topic, PARTITIONS))

    def writer(self, *, reports: str = "all") -> KafkaWriter:
        self._writers.append(KafkaWriter(self.connection, self.topic, PARTITIONS, reports=reports))
        return self._writers[-1]

    def full_writer(self) -> KafkaWriter:
        writer = KafkaWriter(_Patient("127.0.0.1:1"), "nowhere", PARTITIONS)
        entry = Entry(b"key", b"value" * 200)
        for _ in range(80_000):
            try:
                writer.append(entry)
            except LogError:
                break
        return writer

    def tail(self) -> OpenTail:
        self._tails.append(OpenTail(self.connection, self.topic))
        return self._tails[-1]

    def group(
        self,
        name: str,
        *,
        assigned: Callable[[Sequence[int]], Mapping[int, int]],
        revoked: Callable[[Sequence[int]], None],
    ) -> KafkaGroup:
        unique = f"{name}-{self.topic}"
        given: dict[str, Any] = {"assigned": assigned, "revoked": revoked, "patience_s": _PATIENCE_S}
        self._groups.append(KafkaGroup(self.connection, self.topic, unique, PARTITIONS, watch=self._watch, **given))
        return self._groups[-1]

    def drop_before(self, partition: int, offset: int) -> None:
        admin = AdminClient({"bootstrap.servers": self.connection.bootstrap_servers})
        for future in admin.delete_records([TopicPartition(self.topic, partition, offset)]).values():
            future.result(_CLOSE_S)

    def make_deaf(self, tail: LogTail, partition: int) -> None:
        assert isinstance(tail, OpenTail)
        tail.sources[-1].deaf = partition

    def append_slowly(self, key: bytes, slow_ms: int) -> None:
        producer = Producer({"bootstrap.servers": self.connection.bootstrap_servers})
        partition = partition_of(key, PARTITIONS)
        producer.produce(self.topic, b"value", key, partition, timestamp=clock_ms() - slow_ms)
        assert producer.flush(_CLOSE_S) == 0

    def add_partition(self, value: bytes) -> None:
        admin = AdminClient({"bootstrap.servers": self.connection.bootstrap_servers})
        admin.create_partitions([NewPartitions(self.topic, PARTITIONS + 1)])[self.topic].result(_CLOSE_S)
        producer = Producer({"bootstrap.servers": self.connection.bootstrap_servers})

        def partitions() -> int:
            return len(producer.list_topics(self.topic, timeout=_CLOSE_S).topics[self.topic].partitions)

        wait_until(lambda: partitions() > PARTITIONS)
        producer.produce(self.topic, value, b"key", partition=PARTITIONS)
        assert producer.flush(_CLOSE_S) == 0

    def close(self) -> None:
        for group in self._groups:
            group.close()
        for tail in self._tails:
            tail.stop()
        for writer in self._writers:
            writer.close(_CLOSE_S)
        self._watch.close()


def append_all(writer: LogWriter, entries: Sequence[Entry]) -> list[tuple[int, int]]:
    """Appends entries, and returns their places once all are there."""
    appended = Appended()
    for entry in entries:
        writer.append(entry, appended.reports.append)
    wait_until(lambda: len(appended.reports) == len(entries))
    assert all(report.error is None for report in appended.reports)
    by_entry = {id(report.entry): (report.partition, report.offset) for report in appended.reports}
    return [by_entry[id(entry)] for entry in entries]


def values_in(partition: int, count: int, *, start: int = 0) -> list[Entry]:
    """Returns entries of one key of that partition, with numbered values."""
    return [Entry(key_in(partition), f"{partition}/{number}".encode()) for number in range(start, start + count)]
