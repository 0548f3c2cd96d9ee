"""A network that swallows what is fetched and closes nothing: another reader takes over within what is promised."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from klatsch.embedded.child import free_ports
from klatsch.embedded.kafka import EmbeddedKafka
from klatsch.eventlog.kafka_connection import KafkaConnection
from klatsch.eventlog.kafka_reader import KafkaTail
from klatsch.eventlog.kafka_writer import KafkaWriter
from klatsch.eventlog.topics import KafkaTopics, TopicPlan
from tests.contract.swallowing import SwallowingProxy
from tests.support.logs import PARTITIONS, Delivered, append_all, values_in
from tests.support.waiting import wait_until

_TOPIC = "swallowed"
_READ_ON_S = 15.0


@pytest.fixture
def proxy() -> Iterator[SwallowingProxy]:
    with contextlib.closing(SwallowingProxy()) as proxy:
        yield proxy


@pytest.fixture
def connection(tmp_path: Path, proxy: SwallowingProxy) -> Iterator[KafkaConnection]:
    """Returns a connection to a topic of a broker of its own, which clients find behind the proxy."""
    proxy.target_port = free_ports(1)[0]
    advertised = f"PLAINTEXT://127.0.0.1:{proxy.port}"
    kafka = EmbeddedKafka(tmp_path / "kafka", port=proxy.target_port, changed={"advertised.listeners": advertised})
    try:
        kafka.start()
        kafka.wait_ready()
        connection = KafkaConnection(f"127.0.0.1:{proxy.port}")
        KafkaTopics(connection, _TOPIC).create(TopicPlan(PARTITIONS, replication=1, retention_hours=1))
        yield connection
    finally:
        kafka.kill()


def test_a_tail_whose_fetches_are_swallowed_is_replaced_within_15_s(
    connection: KafkaConnection, proxy: SwallowingProxy
) -> None:
    writer, tail, read = (
        KafkaWriter(connection, _TOPIC, PARTITIONS),
        KafkaTail(connection, _TOPIC, PARTITIONS),
        Delivered(),
    )
    tail.start(dict.fromkeys(range(PARTITIONS), 0), read.deliver, read.failures.append)
    with contextlib.closing(contextlib.ExitStack()) as closing:
        closing.callback(tail.stop)
        closing.callback(writer.close, 10.0)
        append_all(writer, values_in(0, 5) + values_in(1, 5))
        wait_until(lambda: len(read.records) == 10)
        proxy.swallow()
        wait_until(lambda: proxy.swallowed)
        lost_s = time.monotonic()
        append_all(writer, values_in(0, 5, start=5))
        wait_until(lambda: len(read.records) == 15)

        assert time.monotonic() - lost_s < _READ_ON_S
        assert tail.replaced == 1
        assert read.values(0) == [f"0/{number}".encode() for number in range(10)]
        assert read.failures == []
