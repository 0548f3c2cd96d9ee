"""Waits and looks that several tests of the layer use."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from channels_kafka_layer import KafkaChannelLayer
from channels_kafka_layer.connection import Connection

DEADLINE_S = 120.0
MARK = {"type": "mark"}


async def until(condition: Callable[[], object]) -> None:
    """Returns when the condition holds."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - it may be any condition, and most have no event
            await asyncio.sleep(0.002)


async def passed(seconds: float) -> None:
    """Returns when that time has passed: the condition of what expires."""
    until_s = time.monotonic() + seconds
    await until(lambda: time.monotonic() > until_s)


async def received(layer: KafkaChannelLayer, channel: str) -> dict[str, Any]:
    """Returns the next message, within the deadline."""
    async with asyncio.timeout(DEADLINE_S):
        return await layer.receive(channel)


async def is_empty(layer: KafkaChannelLayer, channel: str) -> bool:
    """Returns whether a channel has no message: the next one is what is sent now."""
    await layer.send(channel, MARK)
    return await received(layer, channel) == MARK


def end_of(hosts: str, topic: str) -> int:
    """Returns the offset after the topic's last record, as the broker has it."""
    asker = Consumer(Connection(hosts, topic).asker())
    end: int = asker.get_watermark_offsets(TopicPartition(topic, 0), timeout=DEADLINE_S)[1]
    asker.close()
    return end
