"""Layers on the run's Kafka, over one topic. Each test flushes it, and closes what it made."""

import os
import secrets
from collections.abc import AsyncIterator
from typing import Any, Protocol

import pytest

from channels_kafka_layer import KafkaChannelLayer
from channels_kafka_layer.connection import Connection
from channels_kafka_layer.topic import create_topic


class MakeLayer(Protocol):
    """Makes a layer on the test's topic; each is like a process of its own."""

    def __call__(self, **config: Any) -> KafkaChannelLayer: ...


@pytest.fixture(scope="session")
def hosts(kafka: object) -> str:
    return os.environ["KAFKA_BOOTSTRAP_SERVERS"]


@pytest.fixture(scope="session")
def topic(hosts: str) -> str:
    name = f"channels-{secrets.token_hex(4)}"
    create_topic(Connection(hosts, name))
    return name


@pytest.fixture
async def make_layer(hosts: str, topic: str) -> AsyncIterator[MakeLayer]:
    made: list[KafkaChannelLayer] = []

    def make(**config: Any) -> KafkaChannelLayer:
        made.append(KafkaChannelLayer(hosts=hosts, topic=topic, **config))
        return made[-1]

    yield make
    await make().flush()
    for layer in made:
        await layer.close()


@pytest.fixture
def layer(make_layer: MakeLayer) -> KafkaChannelLayer:
    return make_layer(capacity=3)


@pytest.fixture
def other(make_layer: MakeLayer) -> KafkaChannelLayer:
    """Another process's layer, as far as either can tell."""
    return make_layer(capacity=3)
