"""Channels that are made and dropped leave nothing behind."""

import asyncio
import gc

import psutil
from conftest import MakeLayer
from waits import until

from channels_kafka_layer import KafkaChannelLayer

ROUNDS = 10
CHANNELS = 10_000
AT_ONCE = 500
GROWTH_MOST = 8 * 1024 * 1024
"""Kept, the channels of one round alone would take more."""


async def use(layer: KafkaChannelLayer) -> None:
    """Does what connections do: each takes a channel, joins a group, waits for messages, and is cut off."""
    for number in range(0, CHANNELS, AT_ONCE):
        channels = [await layer.new_channel() for _ in range(AT_ONCE)]
        for channel in channels:
            await layer.group_add(f"group-{number}" if channel < channels[0] else channel.partition("!")[2], channel)
        waiting = [asyncio.ensure_future(layer.receive(channel)) for channel in channels]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)

    def have_all_ended() -> bool:
        with layer._node.lock:  # a sweep that is going on ends the memberships after the channels
            return len(layer._node.mailboxes) == 0

    await until(have_all_ended)


async def test_100_000_channels_made_and_dropped_take_no_memory(make_layer: MakeLayer) -> None:
    layer, process = make_layer(expiry=0.05), psutil.Process()
    for _ in range(2):
        await use(layer)
    gc.collect()
    before = process.memory_info().rss
    for _ in range(ROUNDS - 2):
        await use(layer)
    gc.collect()
    node = layer._node
    assert process.memory_info().rss - before < GROWTH_MOST
    assert len(node.groups) == 0
    assert len(node._concerns) == len(node._own_keys) + 1
    assert not node.mailboxes._idle_since
    assert not node.sender._pending
