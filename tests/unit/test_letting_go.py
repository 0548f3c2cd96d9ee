"""Partitions are let go of with their broker, and taken again once another client was answered by it."""

import time
from typing import Any

import pytest
from confluent_kafka import KafkaError, TopicPartition

from klatsch.eventlog.kafka_fetching import LettingGo
from klatsch.eventlog.watch import LogWatch

_GONE = "10.0.0.7:9092/{broker}: Connect to ipv4#10.0.0.7:9092 failed: Connection refused (after 0ms in state CONNECT)"


class FakeConsumer:
    """Holds the partitions 0 to 3, and knows which of them are paused."""

    def __init__(self) -> None:
        self.held = {0, 1, 2, 3}
        self.paused: set[int] = set()

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition("topic", partition) for partition in sorted(self.held)]

    def pause(self, places: list[TopicPartition]) -> None:
        self.paused |= {place.partition for place in places}

    def resume(self, places: list[TopicPartition]) -> None:
        self.paused -= {place.partition for place in places}


class FakeWatch(LogWatch):
    """Says that partitions 0 and 1 are led by broker 1, the others by broker 2."""

    def __init__(self) -> None:
        self.told_s: dict[int, float] = {}
        self.asked = 0

    def leader(self, partition: int) -> int | None:
        return 1 + partition // 2

    def has_told_since(self, partition: int, since_s: float) -> bool:
        return self.told_s.get(partition, 0.0) > since_s

    def ask_soon(self) -> None:
        self.asked += 1


@pytest.fixture
def consumer() -> Any:
    return FakeConsumer()


def broken(text: str) -> KafkaError:
    return KafkaError(KafkaError._TRANSPORT, text)


def test_all_are_let_go_of_when_all_brokers_are_gone_and_come_back_one_by_one(consumer: Any) -> None:
    watch = FakeWatch()
    letting_go = LettingGo("topic", watch)
    letting_go.turn(consumer)
    assert consumer.paused == set()
    letting_go.on_error(KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"))
    letting_go.turn(consumer)
    assert consumer.paused == {0, 1, 2, 3}
    watch.told_s = {0: time.monotonic(), 1: time.monotonic() - 60}
    letting_go.turn(consumer)
    assert consumer.paused == {1, 2, 3}
    assert watch.asked == 2
    watch.told_s = dict.fromkeys(range(4), time.monotonic())
    letting_go.turn(consumer)
    letting_go.turn(consumer)

    assert consumer.paused == set()
    assert watch.asked == 2


def test_with_one_of_several_brokers_only_those_that_it_leads_are_let_go_of(consumer: Any) -> None:
    letting_go = LettingGo("topic", FakeWatch())
    letting_go.on_error(broken(_GONE.format(broker=2)))
    letting_go.turn(consumer)

    assert consumer.paused == {2, 3}


@pytest.mark.parametrize(
    "error",
    [
        broken("GroupCoordinator: 10.0.0.7:9092: Connect to ipv4#10.0.0.7:9092 failed: Connection refused"),
        broken("10.0.0.7:9092/bootstrap: Connect to ipv4#10.0.0.7:9092 failed: Connection refused"),
        KafkaError(KafkaError._TIMED_OUT, _GONE.format(broker=1)),
    ],
)
def test_nothing_is_let_go_of_for_any_other_complaint(consumer: Any, error: KafkaError) -> None:
    letting_go = LettingGo("topic", FakeWatch())
    letting_go.on_error(error)
    letting_go.turn(consumer)

    assert consumer.paused == set()


def test_a_partition_that_became_another_member_s_is_waited_for_no_more(consumer: Any) -> None:
    watch = FakeWatch()
    letting_go = LettingGo("topic", watch)
    letting_go.on_error(broken(_GONE.format(broker=1)))
    letting_go.turn(consumer)
    consumer.held = {2, 3}
    letting_go.turn(consumer)
    asked = watch.asked
    letting_go.turn(consumer)

    assert watch.asked == asked
