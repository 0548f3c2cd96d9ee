"""Channels' demands on expiry, on a real Kafka: of messages, of channels and of memberships.

A message's life travels with it. So a sender whose messages live shortly and one whose messages do not show what
expires, however slow the machine is.
"""

import asyncio

from conftest import MakeLayer
from waits import is_empty, passed, received, until

from channels_kafka_layer import KafkaChannelLayer

SHORT_S = 0.1


def text(of: str) -> dict[str, str]:
    return {"type": "test.message", "text": of}


async def test_an_expired_message_is_not_received_and_those_behind_it_are(
    layer: KafkaChannelLayer, make_layer: MakeLayer
) -> None:
    hasty = make_layer(expiry=SHORT_S)
    for channel in (await layer.new_channel(), "normal"):
        await hasty.send(channel, text("First"))
        await passed(2 * SHORT_S)
        await layer.send(channel, text("Second"))
        await layer.send(channel, text("Third"))
        assert [(await received(layer, channel))["text"] for _ in range(2)] == ["Second", "Third"]
        assert await is_empty(layer, channel)


async def test_messages_that_have_not_expired_are_all_received(layer: KafkaChannelLayer) -> None:
    channel = await layer.new_channel()
    for of in ("First", "Second", "Third"):
        await layer.send(channel, text(of))
        await passed(SHORT_S)
    assert [(await received(layer, channel))["text"] for _ in range(3)] == ["First", "Second", "Third"]


async def test_a_groups_message_expires_for_a_member_that_does_not_receive(
    layer: KafkaChannelLayer, make_layer: MakeLayer
) -> None:
    hasty, channel = make_layer(expiry=SHORT_S), await layer.new_channel()
    await layer.group_add("group", channel)
    await layer.group_add("group", "normal")
    await hasty.group_send("group", text("First"))
    await passed(2 * SHORT_S)
    for name in (channel, "normal"):
        await layer.group_send("group", text("Second"))
        assert (await received(layer, name))["text"] == "Second"


async def test_a_message_that_expires_in_one_channel_leaves_the_others_alone(
    layer: KafkaChannelLayer, make_layer: MakeLayer
) -> None:
    hasty = make_layer(expiry=SHORT_S)
    first, second = await layer.new_channel(), await layer.new_channel()
    for channel in (first, second):
        await layer.group_add("group", channel)
    await hasty.send(first, text("Zero"))
    await layer.group_send("group", text("First"))
    await passed(2 * SHORT_S)
    await layer.group_send("group", text("Second"))
    for channel in (first, second):
        assert [(await received(layer, channel))["text"] for _ in range(2)] == ["First", "Second"]
        assert await is_empty(layer, channel)


async def test_a_message_expires_even_where_nobody_ever_receives_again(make_layer: MakeLayer) -> None:
    layer = make_layer(expiry=SHORT_S)
    await layer.send(await layer.new_channel(), text("First"))
    await until(lambda: len(layer._node.mailboxes) == 0)


async def test_a_channel_and_its_memberships_end_without_a_receive(make_layer: MakeLayer) -> None:
    layer = make_layer(expiry=SHORT_S)
    ended, waiting = await layer.new_channel(), await layer.new_channel()
    for channel in (ended, waiting):
        await layer.group_add("group", channel)
        await layer.group_add("its-own-" + channel[-8:], channel)
    receiving = asyncio.ensure_future(received(layer, waiting))
    await until(lambda: len(layer._node.mailboxes) == 1)
    assert list(layer._node.groups.members("group")) == [waiting]
    assert len(layer._node.groups) == 2
    await layer.group_send("group", text("First"))
    assert (await receiving)["text"] == "First"


async def test_a_normal_channels_membership_ends_with_the_process_that_added_it(
    layer: KafkaChannelLayer, make_layer: MakeLayer
) -> None:
    adder = make_layer(expiry=0.5)
    await adder.group_add("group", "normal")
    await layer.group_send("group", text("First"))
    assert (await received(layer, "normal"))["text"] == "First"
    await passed(1)  # longer than it lives without being repeated
    await layer.group_send("group", text("Second"))
    assert (await received(layer, "normal"))["text"] == "Second"
    await adder.close()
    await passed(1)
    await layer.group_send("group", text("Third"))
    assert await is_empty(layer, "normal")
