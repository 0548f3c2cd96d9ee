"""A broker's restart delays and loses nothing, and a client of the driver that stalls is replaced unnoticed."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Protocol

import pytest
from asgiref.sync import async_to_sync
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from conftest import MakeLayer
from waits import end_of, received, until

from channels_kafka_layer import Gap, KafkaChannelLayer, KafkaUnavailable, TopicMissing

SENT = 10_000
SENDERS = 50


class Broker(Protocol):
    @property
    def bootstrap_servers(self) -> str: ...
    def kill(self) -> None: ...
    def restart(self, deadline_s: float) -> None: ...


@pytest.fixture
async def processes(kafka_to_kill: Broker) -> AsyncIterator[list[KafkaChannelLayer]]:
    hosts = kafka_to_kill.bootstrap_servers
    layers = [KafkaChannelLayer(hosts=hosts, create_topic=True, capacity=SENT, send_timeout=120) for _ in range(2)]
    yield layers
    for layer in layers:
        await layer.close()


class Members:
    """A member of the group in each process, and the numbers that each has received."""

    def __init__(self, layers: list[KafkaChannelLayer]) -> None:
        self.layers = layers
        self.got: list[list[int]] = [[] for _ in layers]

    async def join(self) -> None:
        channels = [await layer.new_channel() for layer in self.layers]
        for layer, channel in zip(self.layers, channels, strict=True):
            await layer.group_add("group", channel)
        self._receiving = [
            asyncio.ensure_future(self._receive(layer, channel, got))
            for layer, channel, got in zip(self.layers, channels, self.got, strict=True)
        ]

    async def send(self, layer: KafkaChannelLayer, first: int, step: int, end: int) -> None:
        for number in range(first, end, step):
            await layer.group_send("group", {"type": "test.message", "number": number})

    async def have(self, count: int) -> None:
        await until(lambda: all(len(got) >= count for got in self.got))

    async def leave(self) -> None:
        for receiving in self._receiving:
            receiving.cancel()
        await asyncio.gather(*self._receiving, return_exceptions=True)

    async def _receive(self, layer: KafkaChannelLayer, channel: str, got: list[int]) -> None:
        while True:
            got.append((await layer.receive(channel))["number"])


async def test_a_broker_killed_amid_10_000_messages_loses_none_and_repeats_none(
    kafka_to_kill: Broker, processes: list[KafkaChannelLayer]
) -> None:
    members = Members(processes)
    await members.join()
    sending = [
        asyncio.ensure_future(members.send(processes[first % 2], first, SENDERS, SENT)) for first in range(SENDERS)
    ]
    await members.have(SENT // 2)
    await asyncio.to_thread(kafka_to_kill.kill)
    await asyncio.to_thread(kafka_to_kill.restart, 120)
    await asyncio.gather(*sending)
    await members.have(SENT)
    await members.leave()
    for got in members.got:
        assert sorted(got) == list(range(SENT))
        for first in range(SENDERS):
            of_one = [number for number in got if number % SENDERS == first]
            assert of_one == sorted(of_one), "one sender's messages keep their order"
    assert members.got[0] == members.got[1]


async def test_a_waiting_receive_of_a_normal_channel_outlives_its_broker(
    kafka_to_kill: Broker, processes: list[KafkaChannelLayer]
) -> None:
    sender, worker = processes
    waiting = asyncio.ensure_future(received(worker, "normal"))
    await sender.send("another", {"type": "test.message"})
    await asyncio.to_thread(kafka_to_kill.kill)
    await asyncio.to_thread(kafka_to_kill.restart, 120)
    await sender.send("normal", {"type": "test.message"})
    assert await waiting == {"type": "test.message"}


async def test_a_replaced_producer_writes_twice_and_nobody_receives_twice(
    make_layer: MakeLayer, hosts: str, topic: str
) -> None:
    layers = [make_layer(capacity=SENT) for _ in range(2)]
    members = Members(layers)
    await members.join()
    begin = end_of(hosts, topic)
    sending = [asyncio.ensure_future(members.send(layers[0], first, SENDERS, 2_000)) for first in range(SENDERS)]
    sender = layers[0]._node.sender
    for count in (200, 600, 1_000):
        await members.have(count)
        with sender._lock:
            sender._begin()
    await asyncio.gather(*sending)
    await members.have(2_000)
    await members.leave()
    assert end_of(hosts, topic) > begin + 2_000
    for got in members.got:
        assert sorted(got) == list(range(2_000))


async def test_a_replaced_reader_reads_on_where_the_other_was(make_layer: MakeLayer) -> None:
    layers = [make_layer(capacity=SENT) for _ in range(2)]
    members = Members(layers)
    await members.join()
    sending = [asyncio.ensure_future(members.send(layers[0], first, SENDERS, 2_000)) for first in range(SENDERS)]
    for count in (200, 600, 1_000):
        await members.have(count)
        with layers[1]._node.reader._lock:
            layers[1]._node.reader._begin()
    await asyncio.gather(*sending)
    await members.have(2_000)
    await members.leave()
    assert members.got[0] == members.got[1]
    assert sorted(members.got[1]) == list(range(2_000))


async def test_a_reader_that_must_jump_says_so_and_goes_on(make_layer: MakeLayer, hosts: str, topic: str) -> None:
    gaps: list[Gap] = []
    layer = make_layer(on_gap=gaps.append)
    channel = await layer.new_channel()
    await layer.send("normal", {"type": "test.message"})
    reader = layer._node.reader
    first = reader.position
    await layer.send(channel, {"type": "before"})
    await received(layer, channel)
    end = end_of(hosts, topic)
    await until(lambda: reader.position == end)
    admin = AdminClient({"bootstrap.servers": hosts})
    [deleted] = admin.delete_records([TopicPartition(topic, 0, end)]).values()
    await asyncio.to_thread(deleted.result, 60)
    with reader._lock:
        reader.position = first
        reader._begin()
    await until(lambda: gaps)
    assert gaps == [Gap(first, end)]
    await layer.send(channel, {"type": "after"})
    assert await received(layer, channel) == {"type": "after"}
    await layer.send("normal", {"type": "after"})
    assert await received(layer, "normal") == {"type": "after"}


async def test_on_gap_may_send_through_the_layer(make_layer: MakeLayer) -> None:
    sent: list[Gap] = []

    def tell_all(gap: Gap) -> None:
        async_to_sync(layer.group_send)("everybody", {"type": "reload"})
        sent.append(gap)

    layer = make_layer(on_gap=tell_all, send_timeout=2)
    channel = await layer.new_channel()
    await layer.group_add("everybody", channel)
    await layer.group_send("everybody", {"type": "before"})
    await received(layer, channel)
    reader = layer._node.reader
    with reader._lock:
        reader.position -= 1  # what is read next does not follow what was read last
    await layer.group_send("everybody", {"type": "after"})
    assert {(await received(layer, channel))["type"] for _ in range(2)} == {"reload", "after"}
    await until(lambda: sent)


async def test_a_reader_whose_topic_is_made_anew_says_so_and_goes_on(
    hosts: str, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    gaps: list[Gap] = []
    layer = KafkaChannelLayer(hosts=hosts, topic=f"{topic}-anew", create_topic=True, on_gap=gaps.append)
    channel = await layer.new_channel()
    await layer.group_add("group", channel)
    for _ in range(5):
        await layer.group_send("group", {"type": "before"})
        await received(layer, channel)
    admin = AdminClient({"bootstrap.servers": hosts})
    [deleted] = admin.delete_topics([layer.topic]).values()
    await asyncio.to_thread(deleted.result, 60)
    while not await asyncio.to_thread(layer.create_topic, 1):  # the old one is still there
        pass
    waiting = asyncio.ensure_future(received(layer, channel))
    while not waiting.done():
        with contextlib.suppress(KafkaUnavailable):
            await layer.group_send("group", {"type": "after"})
    assert await waiting == {"type": "after"}
    [gap] = gaps
    assert gap.next < gap.first
    assert f"The topic was made anew: it was read up to {gap.first}, and is read from {gap.next} on." in caplog.messages
    await layer.close()


async def test_a_record_that_is_not_of_this_layer_is_skipped(hosts: str, topic: str) -> None:
    layer = KafkaChannelLayer(hosts=hosts, topic=f"{topic}-spoilt", create_topic=True)
    channel = await layer.new_channel()
    await layer.group_add("group", channel)
    sender = layer._node.sender
    sender.send(b"s" + layer._node.id, b"\xc1 is no msgpack")
    sender.send(b"n\xff", b"")
    await layer.group_send("group", {"type": "after"})
    assert await received(layer, channel) == {"type": "after"}
    await layer.close()


async def test_calls_that_begin_together_give_up_together() -> None:
    layer = KafkaChannelLayer(hosts="127.0.0.1:1", send_timeout=2)
    began_s = time.monotonic()
    ended = await asyncio.gather(
        layer.group_send("group", {"type": "test.message"}), layer.new_channel(), return_exceptions=True
    )
    assert [type(error) for error in ended] == [KafkaUnavailable, KafkaUnavailable]
    assert time.monotonic() - began_s < 3.5  # not one after the other
    await layer.close()


async def test_a_missing_topic_stays_missing_where_brokers_create_topics_on_demand(kafka_to_kill: Broker) -> None:
    layer = KafkaChannelLayer(hosts=kafka_to_kill.bootstrap_servers, topic="missing")
    for _ in range(2):
        with pytest.raises(TopicMissing):
            await layer.new_channel()
    await layer.close()
