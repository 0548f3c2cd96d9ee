"""Channels' demands on `send`, `receive`, `new_channel` and `flush`, on a real Kafka.

The behaviours that other layers' tests demand, and the tests that show them here:

| theirs (channels_redis core, pubsub; channels in memory; channels_rabbitmq) | here |
|---|---|
| core send_receive, memory send_receive | a message to a normal channel is received |
| core process_local_send_receive, pubsub send_receive, rabbitmq process_local_… | a message to a specific channel … |
| rabbitmq process_remote_send_receive | a message to a specific channel of another process … |
| core double_receive, rabbitmq multiple_event_loops, pubsub …_sync | test_loops_and_threads.py |
| core send_capacity, memory send_capacity | a full normal channel … alike in all processes |
| core send_specific_capacity | the capacity is that of the first pattern … |
| core, pubsub, memory multi_send_receive | messages are received in the order … |
| core reject_bad_channel, rabbitmq the same | a name that Channels does not allow … |
| core reject_bad_client_prefix, rabbitmq the same | a specific channel is received from by its own process alone |
| core receive_cancel | a receive that is cancelled at any time loses no message |
| core, pubsub random_reset__channel_name, random_reset__client_prefix | test_names_and_records.py |
| pubsub receive_hang | a receive of an empty channel waits until it is cancelled |
| pubsub receive_on_non_owned_general_channel | a waiting receive of one process gets … another sends |
| pubsub layer_close, multi_event_loop_garbage_collection | test_loops_and_threads.py |
| pubsub proxied_methods_coroutine_check | the calls are coroutine functions |
| core and pubsub groups_…, group_send_…, discard_before_add | test_contract_groups.py |
| core and memory message_expiry_…, expiry_… | test_contract_expiry.py |
| pubsub auto_reconnect | test_outage.py |
| core, pubsub guarantee_at_most_once_delivery | each message has one receiver, however many wait |

Not here, as they are about Redis: keys of groups, serializers, receive buffers, shards, and a loop's own layer.
"""

import asyncio
import inspect
from typing import Any

import pytest
from channels.exceptions import ChannelFull, MessageTooLarge
from conftest import MakeLayer
from waits import is_empty, received, until

from channels_kafka_layer import KafkaChannelLayer, records
from channels_kafka_layer.connection import RECORD_BYTES_MOST

HELLO = {"type": "test.message", "text": "Hello"}
LARGE = {"type": "test.message", "bytes": b"x" * 200_000}


async def test_a_message_to_a_normal_channel_is_received(layer: KafkaChannelLayer) -> None:
    await layer.send("normal", HELLO)
    assert await received(layer, "normal") == HELLO
    assert await is_empty(layer, "normal")


async def test_a_message_to_a_specific_channel_is_received(layer: KafkaChannelLayer) -> None:
    channel = await layer.new_channel()
    await layer.send(channel, HELLO)
    assert await received(layer, channel) == HELLO
    assert await is_empty(layer, channel)


async def test_a_message_to_a_specific_channel_of_another_process_is_received_there(
    layer: KafkaChannelLayer, other: KafkaChannelLayer
) -> None:
    channel = await other.new_channel()
    await layer.send(channel, HELLO)
    assert await received(other, channel) == HELLO


async def test_a_message_to_a_specific_channel_of_nobody_is_dropped(layer: KafkaChannelLayer) -> None:
    await layer.send("nobody!here", HELLO)
    channel = await layer.new_channel()
    assert await is_empty(layer, channel)


async def test_messages_are_received_in_the_order_in_which_they_were_sent(layer: KafkaChannelLayer) -> None:
    for channel in ("normal", await layer.new_channel()):
        for number in range(3):
            await layer.send(channel, {"type": "test.message", "number": number})
        assert [(await received(layer, channel))["number"] for _ in range(3)] == [0, 1, 2]


async def test_a_full_normal_channel_refuses_alike_in_all_processes(
    layer: KafkaChannelLayer, other: KafkaChannelLayer
) -> None:
    for sender in (layer, other, layer):
        await sender.send("normal", HELLO)
    for sender in (layer, other):
        with pytest.raises(ChannelFull):
            await sender.send("normal", HELLO)
    await received(other, "normal")
    await layer.send("normal", HELLO)


async def test_a_full_specific_channel_refuses_its_own_process(layer: KafkaChannelLayer) -> None:
    channel = await layer.new_channel()
    for _ in range(3):
        await layer.send(channel, HELLO)
    with pytest.raises(ChannelFull):
        await layer.send(channel, HELLO)


async def test_the_capacity_is_that_of_the_first_pattern_that_fits(make_layer: MakeLayer) -> None:
    layer = make_layer(capacity=3, channel_capacity={"one": 1, "tw*": 2})
    await layer.send("one", HELLO)
    with pytest.raises(ChannelFull):
        await layer.send("one", HELLO)
    channel = await layer.new_channel("two")
    await layer.send(channel, HELLO)
    await layer.send(channel, HELLO)
    with pytest.raises(ChannelFull):
        await layer.send(channel, HELLO)


@pytest.mark.parametrize("name", ["=+135!", "", "a b", "ä", "a\n", "x" * 100, 5])
async def test_a_name_that_channels_does_not_allow_is_refused(name: Any) -> None:
    layer = KafkaChannelLayer(hosts="127.0.0.1:1")  # refuses before it asks Kafka anything
    calls = [
        layer.send(name, HELLO),
        layer.receive(name),
        layer.group_add(name, "channel"),
        layer.group_add("group", name),
        layer.group_discard(name, "channel"),
        layer.group_send(name, HELLO),
    ]
    for call in calls:
        with pytest.raises(TypeError):
            await call


async def test_a_specific_channel_is_received_from_by_its_own_process_alone(
    layer: KafkaChannelLayer, other: KafkaChannelLayer
) -> None:
    for channel in ("not-a-prefix!local_part", await other.new_channel()):
        with pytest.raises(AssertionError):
            await layer.receive(channel)


async def test_a_receive_that_is_cancelled_at_any_time_loses_no_message(layer: KafkaChannelLayer) -> None:
    specific = await layer.new_channel()
    for channel in (specific, "normal"):
        for delay_ms in (0, 0, 0, 1, 2, 3, 5, 8):
            waiting = asyncio.ensure_future(layer.receive(channel))
            await asyncio.sleep(delay_ms / 1_000)  # any time is right: the message may be there by then, or not
            sending = asyncio.ensure_future(layer.send(channel, HELLO))
            await asyncio.sleep(delay_ms / 1_000)
            waiting.cancel()
            await asyncio.wait([waiting])
            await sending
            assert (await received(layer, channel) if waiting.cancelled() else waiting.result()) == HELLO
        assert await is_empty(layer, channel)


async def test_a_receive_of_an_empty_channel_waits_until_it_is_cancelled(layer: KafkaChannelLayer) -> None:
    for channel in (await layer.new_channel("empty"), "empty"):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(layer.receive(channel), timeout=0.2)


async def test_a_waiting_receive_of_one_process_gets_what_another_sends(
    layer: KafkaChannelLayer, other: KafkaChannelLayer
) -> None:
    waiting = asyncio.ensure_future(received(other, "normal"))
    await layer.send("normal", HELLO)
    assert await waiting == HELLO


async def test_each_message_has_one_receiver_however_many_wait(make_layer: MakeLayer) -> None:
    layers = [make_layer(capacity=100) for _ in range(3)]
    got: list[int] = []

    async def receive(layer: KafkaChannelLayer) -> None:
        while True:
            got.append((await layer.receive("normal"))["number"])

    receivers = [asyncio.ensure_future(receive(layer)) for layer in layers for _ in range(2)]
    for number in range(30):
        await layers[number % 3].send("normal", {"type": "test.message", "number": number})
    await until(lambda: len(got) >= 30)
    for receiver in receivers:
        receiver.cancel()
    await asyncio.gather(*receivers, return_exceptions=True)
    assert await is_empty(layers[0], "normal")
    assert sorted(got) == list(range(30))


async def test_a_message_of_a_megabyte_passes_and_one_larger_than_a_record_is_refused(
    layer: KafkaChannelLayer,
) -> None:
    channel = await layer.new_channel()
    for name in (channel, "normal"):
        large = {"type": "test.message", "bytes": b"x" * 1_048_576}
        await layer.send(name, large)
        assert await received(layer, name) == large
    with pytest.raises(MessageTooLarge):
        await layer.send(channel, {"type": "test.message", "bytes": b"x" * 2_100_000})
    with pytest.raises(MessageTooLarge):
        await layer.group_send("group", {"type": "test.message", "bytes": b"x" * 2_100_000})


async def test_a_message_larger_than_the_sites_own_limit_is_refused_as_too_large(make_layer: MakeLayer) -> None:
    layer = make_layer(kafka={"message.max.bytes": 100_000})
    with pytest.raises(MessageTooLarge):
        await layer.send("normal", LARGE)
    with pytest.raises(MessageTooLarge):
        await layer.group_send("group", LARGE)


async def test_a_record_that_nobody_awaits_and_that_is_too_large_is_logged(
    make_layer: MakeLayer, caplog: pytest.LogCaptureFixture
) -> None:
    """A newcomer to the normal channels waits in vain for what they hold, if that is more than a record takes."""
    sender = make_layer()._node.sender
    sender.send(records.STATE, b"x" * (RECORD_BYTES_MOST + 1))
    await until(lambda: any("too large" in message for message in caplog.messages))


@pytest.mark.parametrize("message", [None, "text", [1]])
async def test_a_message_that_is_no_dict_is_refused(message: Any) -> None:
    layer = KafkaChannelLayer(hosts="127.0.0.1:1")
    with pytest.raises(TypeError):
        await layer.send("normal", message)
    with pytest.raises(TypeError):
        await layer.group_send("group", message)


async def test_each_receiver_may_change_what_it_gets(layer: KafkaChannelLayer) -> None:
    sent: dict[str, Any] = {"type": "test.message", "list": [1]}
    channels = [await layer.new_channel() for _ in range(2)]
    for channel in channels:
        await layer.group_add("group", channel)
    await layer.group_send("group", sent)
    sent["list"].append(2)
    first = await received(layer, channels[0])
    first["list"].append(3)
    assert (await received(layer, channels[1]))["list"] == [1]


async def test_a_flush_empties_channels_and_groups_of_all_processes(
    layer: KafkaChannelLayer, other: KafkaChannelLayer
) -> None:
    channel, others = await layer.new_channel(), await other.new_channel()
    await other.group_add("group", others)
    await layer.group_add("group", "normal")
    await layer.send(channel, HELLO)
    await layer.group_send("group", HELLO)
    await layer.flush()
    await layer.group_send("group", HELLO)
    assert await is_empty(layer, channel)
    assert await is_empty(other, others)
    assert await is_empty(other, "normal")


async def test_a_waiting_receive_outlives_a_flush(layer: KafkaChannelLayer) -> None:
    channel = await layer.new_channel()
    waiting = [asyncio.ensure_future(received(layer, name)) for name in (channel, "normal")]
    await layer.send("another", HELLO)
    await layer.flush()
    await layer.send(channel, HELLO)
    await layer.send("normal", HELLO)
    assert await asyncio.gather(*waiting) == [HELLO, HELLO]


async def test_the_calls_are_coroutine_functions(hosts: str) -> None:
    layer = KafkaChannelLayer()
    for name in ("send", "receive", "new_channel", "group_add", "group_discard", "group_send", "flush", "close"):
        assert inspect.iscoroutinefunction(getattr(layer, name))
    assert layer.extensions == ["groups", "flush"]
    assert layer.group_expiry == 86_400
