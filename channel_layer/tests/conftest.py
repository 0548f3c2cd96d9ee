"""Layers on the run's Kafka, over one topic. Each test flushes it, and closes what it made."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Any, Protocol

import pytest
from asgiref.sync import async_to_sync
from waits import MARK

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


@pytest.fixture(scope="session")
def common_layers(hosts: str, topic: str) -> Iterator[list[KafkaChannelLayer]]:
    """Opens two layers for all tests, which each run in a loop of their own: that, too, is a promise."""
    layers = [KafkaChannelLayer(hosts=hosts, topic=topic, capacity=3) for _ in range(2)]
    yield layers
    for layer in layers:
        async_to_sync(layer.close)()


@pytest.fixture
async def make_layer(hosts: str, topic: str, common_layers: list[KafkaChannelLayer]) -> AsyncIterator[MakeLayer]:
    made: list[KafkaChannelLayer] = []

    def make(**config: Any) -> KafkaChannelLayer:
        made.append(KafkaChannelLayer(hosts=hosts, topic=topic, **config))
        return made[-1]

    await _empty(*common_layers)
    yield make
    await common_layers[0].flush()
    await asyncio.gather(*[layer.close() for layer in made])


@pytest.fixture
async def layer(common_layers: list[KafkaChannelLayer]) -> AsyncIterator[KafkaChannelLayer]:
    await _empty(*common_layers)
    yield common_layers[0]
    await common_layers[0].flush()


@pytest.fixture
def other(layer: KafkaChannelLayer, common_layers: list[KafkaChannelLayer]) -> KafkaChannelLayer:
    """Opens another process's layer, as far as either can tell."""
    return common_layers[1]


async def _empty(layer: KafkaChannelLayer, other: KafkaChannelLayer) -> None:
    """Empties all channels and groups, and returns once both layers have: a flush is sure for its sender only."""
    await layer.flush()
    for each in (other, layer):  # each passes the flush before its own record, and `layer` all that was sent
        await each.group_send("nobody", MARK)
