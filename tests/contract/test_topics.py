"""Asks a broker of strangers about topics: while it is away, and where topics are created on demand."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from klatsch.embedded.child import free_ports
from klatsch.embedded.kafka import EmbeddedKafka
from klatsch.eventlog.kafka_connection import KafkaConnection
from klatsch.eventlog.log import LogError
from klatsch.eventlog.topics import KafkaTopics, TopicPlan

_PLAN = TopicPlan(partitions=3, replication=1, retention_hours=1)
_ASKED_S = 3.0
_CPU_S = 0.6
"""A fifth of a core for as long as it asks. Without pauses between reconnects, librdkafka takes most of two cores."""


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[EmbeddedKafka]:
    kafka = EmbeddedKafka(tmp_path / "kafka", port=free_ports(1)[0], changed={"auto.create.topics.enable": "true"})
    try:
        kafka.start()
        kafka.wait_ready()
        yield kafka
    finally:
        kafka.kill()


@pytest.fixture
def connection(kafka: EmbeddedKafka) -> KafkaConnection:
    return KafkaConnection(kafka.bootstrap_servers)


def test_asking_a_broker_that_was_there_before_waits_quietly(kafka: EmbeddedKafka, connection: KafkaConnection) -> None:
    topics = KafkaTopics(connection, "known")
    topics.create(_PLAN)
    found = topics.find()
    kafka.kill()
    used_s = time.process_time()
    with pytest.raises(LogError):
        topics.find(_ASKED_S)
    used_s = time.process_time() - used_s

    assert found is not None
    assert found.partitions == _PLAN.partitions
    assert used_s < _CPU_S


def test_asking_for_a_topic_creates_none(connection: KafkaConnection) -> None:
    topics = KafkaTopics(connection, "asked-for")

    assert [topics.find(), topics.find()] == [None, None]
