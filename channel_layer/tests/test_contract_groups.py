"""Channels' demands on groups, on a real Kafka. test_contract_channels.py has the table of behaviours."""

import asyncio
import logging

import pytest
from conftest import MakeLayer
from waits import end_of, is_empty, received, until

from channels_kafka_layer import KafkaChannelLayer

ONE, TWO = {"type": "message.1"}, {"type": "message.2"}


async def test_a_group_reaches_its_members_and_nobody_else(layer: KafkaChannelLayer) -> None:
    first, discarded, third = [await layer.new_channel(f"prefix-{number}") for number in range(3)]
    for channel in (first, discarded, third):
        await layer.group_add("group", channel)
    await layer.group_discard("group", discarded)
    await layer.group_send("group", ONE)
    assert await received(layer, first) == ONE
    assert await received(layer, third) == ONE
    assert await is_empty(layer, discarded)


async def test_a_group_reaches_normal_channels_too(layer: KafkaChannelLayer, other: KafkaChannelLayer) -> None:
    for channel in ("normal-1", "normal-2", "normal-3"):
        await layer.group_add("group", channel)
    await layer.group_discard("group", "normal-2")
    await other.group_send("group", ONE)
    assert await received(layer, "normal-1") == ONE
    assert await received(other, "normal-3") == ONE
    assert await is_empty(layer, "normal-2")


async def test_a_group_reaches_members_in_several_processes(layer: KafkaChannelLayer, other: KafkaChannelLayer) -> None:
    mine, theirs = await layer.new_channel(), await other.new_channel()
    await layer.group_add("group", mine)
    await other.group_add("group", theirs)
    await layer.group_send("group", ONE)
    await other.group_send("group", TWO)
    for where, channel in ((layer, mine), (other, theirs)):
        assert [await received(where, channel), await received(where, channel)] == [ONE, TWO]


async def test_another_processes_channel_is_added_and_discarded_by_its_name(
    layer: KafkaChannelLayer, other: KafkaChannelLayer
) -> None:
    channel = await other.new_channel()
    await layer.group_add("group", channel)
    await layer.group_send("group", ONE)
    assert await received(other, channel) == ONE
    await layer.group_discard("group", channel)
    await layer.group_send("group", TWO)
    assert await is_empty(other, channel)


async def test_channels_of_one_prefix_are_members_of_their_own(layer: KafkaChannelLayer) -> None:
    channels = [await layer.new_channel("prefix") for _ in range(3)]
    for channel in channels:
        await layer.group_add("group", channel)
    await layer.group_send("group", ONE)
    for channel in channels:
        assert await received(layer, channel) == ONE


@pytest.mark.parametrize("members", [1, 10, 100])
async def test_a_group_of_any_size_is_one_record(
    layer: KafkaChannelLayer, hosts: str, topic: str, members: int
) -> None:
    channels = [await layer.new_channel() for _ in range(members)]
    for channel in channels:
        await layer.group_add("group", channel)
    before = end_of(hosts, topic)
    await layer.group_send("group", ONE)
    assert end_of(hosts, topic) == before + 1
    assert [await received(layer, channel) for channel in channels] == [ONE] * members


async def test_a_channel_that_was_added_twice_gets_a_message_once(layer: KafkaChannelLayer) -> None:
    channel = await layer.new_channel()
    await layer.group_add("group", channel)
    await layer.group_add("group", channel)
    await layer.group_send("group", ONE)
    assert await received(layer, channel) == ONE
    assert await is_empty(layer, channel)


async def test_discarding_what_was_never_added_does_nothing(layer: KafkaChannelLayer, other: KafkaChannelLayer) -> None:
    for channel in (await layer.new_channel(), await other.new_channel(), "normal"):
        await layer.group_discard("group", channel)


async def test_a_group_without_members_takes_messages(layer: KafkaChannelLayer) -> None:
    await layer.group_send("nobody", ONE)


async def test_sending_to_a_group_never_raises_for_a_full_member(layer: KafkaChannelLayer) -> None:
    await layer.group_add("group", "normal")
    await layer.group_add("group", await layer.new_channel())
    for _ in range(5):
        await layer.group_send("group", ONE)


async def test_a_full_member_misses_the_newest_which_is_counted_and_logged(
    layer: KafkaChannelLayer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "channels_kafka_layer")
    before, full, other = layer.dropped, await layer.new_channel(), await layer.new_channel("other")
    await layer.group_add("group", full)
    await layer.group_add("group", other)
    await layer.send(full, {"type": "message.0"})
    for number in (1, 2, 3):
        await layer.group_send("group", {"type": f"message.{number}"})
    assert [(await received(layer, full))["type"] for _ in range(3)] == ["message.0", "message.1", "message.2"]
    assert [(await received(layer, other))["type"] for _ in range(3)] == ["message.1", "message.2", "message.3"]
    assert await is_empty(layer, full)
    assert layer.dropped == before + 1
    line = "messages were dropped, as channels were full; last: 1 of 2 members of the group group"
    await until(lambda: [record for record in caplog.records if line in record.getMessage()])
    assert {record.levelname for record in caplog.records} == {"INFO"}


async def test_a_slow_member_harms_no_other(make_layer: MakeLayer) -> None:
    layer = make_layer(capacity=10)
    slow, quick = await layer.new_channel(), await layer.new_channel()
    await layer.group_add("group", slow)
    await layer.group_add("group", quick)
    got: list[int] = []

    async def receive() -> None:
        while len(got) < 500:
            got.append((await received(layer, quick))["number"])

    receiving = asyncio.ensure_future(receive())
    for number in range(500):
        await layer.group_send("group", {"type": "test.message", "number": number})
    await receiving
    assert got == list(range(500))
    assert layer.dropped == 490
    assert [(await received(layer, slow))["number"] for _ in range(10)] == list(range(10))
