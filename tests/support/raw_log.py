"""The topic as any Kafka tool sees it: for asserting what was appended, and for appending what Klatsch would not."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import (
    Consumer,
    ConsumerGroupState,
    ConsumerGroupTopicPartitions,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # documented there, and not in its __all__
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from klatsch.eventlog.log import Entry
from tests.support.process import wait_until

_ASK_S = 30.0


@dataclass(frozen=True, slots=True)
class RawRecord:
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


class RawLog:
    """Reads and writes one topic through clients of our own."""

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self.topic = topic
        self.bootstrap_servers = bootstrap_servers
        self._admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})

    def ends(self) -> dict[int, int]:
        """Returns the offset after the last record of each partition."""
        partitions = self._admin.list_topics(self.topic, timeout=_ASK_S).topics[self.topic].partitions
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # it has no types
        asked = {TopicPartition(self.topic, partition): latest for partition in partitions}
        answers = self._admin.list_offsets(asked, request_timeout=_ASK_S)
        return {place.partition: answer.result().offset for place, answer in answers.items()}

    def size(self) -> int:
        """Returns the number of records: none is ever deleted during a test."""
        return sum(self.ends().values())

    def records(self, since: Mapping[int, int]) -> list[RawRecord]:
        """Returns the records from these offsets to the present end."""
        left = {p: end - since[p] for p, end in self.ends().items() if end > since[p]}
        consumer = Consumer(
            {"bootstrap.servers": self.bootstrap_servers, "group.id": "e2e-raw", "enable.auto.commit": False}
        )
        try:
            consumer.assign([TopicPartition(self.topic, p, since[p]) for p in left])
            found: list[RawRecord] = []
            while sum(left.values()) > 0:
                message = consumer.poll(_ASK_S)
                assert message is not None, "the log does not answer"
                assert message.error() is None, str(message.error())
                record = _raw(message)
                left[record.partition] -= 1
                found.append(record)
            return found
        finally:
            consumer.close()

    def append(
        self,
        partition: int,
        *,
        key: bytes | None,
        value: bytes | None,
        judge: bytes | None = None,
        slow_s: float = 0,
    ) -> tuple[int, int]:
        """Appends one record by a producer whose clock is `slow_s` slow; returns its partition and offset."""
        reports: list[Message] = []
        producer = Producer(
            {"bootstrap.servers": self.bootstrap_servers, "message.max.bytes": 2_000_000, "acks": "all"}
        )
        headers = [("judge", judge)] if judge is not None else []
        producer.produce(
            self.topic,
            value,
            key,
            partition=partition,
            timestamp=int((time.time() - slow_s) * 1_000),
            headers=headers,  # type: ignore[arg-type]  # tuples of str and bytes are what it takes
            on_delivery=lambda _, message: reports.append(message),
        )
        assert producer.flush(_ASK_S) == 0
        assert reports[0].error() is None, str(reports[0].error())
        return partition, reports[0].offset() or 0

    def append_all(self, partition: int, entries: Iterable[Entry]) -> None:
        """Appends many records of ours, which are in the log on return."""
        producer = Producer({"bootstrap.servers": self.bootstrap_servers, "acks": "all"})
        for entry in entries:
            headers: Any = [("judge", entry.judge)]
            producer.produce(self.topic, entry.value, entry.key, partition=partition, headers=headers)
        assert producer.flush(_ASK_S) == 0

    def hasten_group(self, group: str) -> None:
        """Has members of the group missed after 2 s, not 6: a test that kills one waits for that."""
        settings = {"consumer.session.timeout.ms": "2000", "consumer.heartbeat.interval.ms": "500"}
        entries = [ConfigEntry(n, v, incremental_operation=AlterConfigOpType.SET) for n, v in settings.items()]
        resource = ConfigResource(ResourceType.GROUP, group, incremental_configs=entries)
        for future in self._admin.incremental_alter_configs([resource]).values():
            future.result(_ASK_S)

    def commit_for_group(self, group: str, offsets: Mapping[int, int]) -> None:
        """Sets what Kafka knows of the group's progress, once it has no member any more."""
        places = [TopicPartition(self.topic, partition, offset) for partition, offset in offsets.items()]
        wait_until(lambda: self._is_empty(group), f"{group} has no member")
        asked = [ConsumerGroupTopicPartitions(group, places)]
        for future in self._admin.alter_consumer_group_offsets(asked, request_timeout=_ASK_S).values():
            refused = [place.error for place in future.result(_ASK_S).topic_partitions if place.error]
            assert not refused, str(refused)

    def _is_empty(self, group: str) -> bool:
        found = self._admin.describe_consumer_groups([group], request_timeout=_ASK_S)[group].result(_ASK_S)
        return bool(found.state == ConsumerGroupState.EMPTY)

    def add_partitions(self, count: int) -> int:
        """Adds so many, as an operator does; how many there are now, as all that ask are told."""
        wanted = len(self.ends()) + count
        self._admin.create_partitions([NewPartitions(self.topic, wanted)])[self.topic].result(_ASK_S)
        wait_until(lambda: self._is_led(wanted), f"{wanted} partitions")
        return wanted

    def _is_led(self, partitions: int) -> bool:
        """Returns whether there are so many partitions, each with a leader that knows it."""
        try:
            return len(self.ends()) == partitions
        except KafkaException:
            return False

    def make_anew(self, partitions: int) -> None:
        """Creates the topic again, as a tool does that knows nothing of Klatsch."""
        topic = NewTopic(self.topic, partitions, 1, config={"message.timestamp.type": "LogAppendTime"})
        self._admin.create_topics([topic])[self.topic].result(_ASK_S)

    def delete(self) -> None:
        for future in self._admin.delete_topics([self.topic]).values():
            future.result(_ASK_S)


def _raw(message: Message) -> RawRecord:
    key, value = message.key(), message.value()
    return RawRecord(message.partition() or 0, message.offset() or 0, _bytes(key), _bytes(value))


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
