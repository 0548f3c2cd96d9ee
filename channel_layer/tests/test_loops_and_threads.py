"""Nothing belongs to an event loop: views, threads and several loops use one layer."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from waits import received, until

from channels_kafka_layer import KafkaChannelLayer


def own_threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("channels-kafka")}


@pytest.fixture
def layer(hosts: str, topic: str) -> Iterator[KafkaChannelLayer]:
    layer = KafkaChannelLayer(hosts=hosts, topic=topic)
    yield layer
    async_to_sync(layer.flush)()
    async_to_sync(layer.close)()


def test_channels_are_received_from_in_other_loops_than_they_were_sent_in(layer: KafkaChannelLayer) -> None:
    first, second = async_to_sync(layer.new_channel)(), async_to_sync(layer.new_channel)()
    async_to_sync(layer.send)(first, {"type": "first"})
    async_to_sync(layer.send)(second, {"type": "second"})
    assert async_to_sync(layer.receive)(second) == {"type": "second"}
    assert async_to_sync(layer.receive)(first) == {"type": "first"}


def test_messages_sent_from_a_view_keep_their_order(layer: KafkaChannelLayer) -> None:
    channel = async_to_sync(layer.new_channel)()
    for number in range(3):
        async_to_sync(layer.send)(channel, {"type": "test.message", "number": number})
    assert [async_to_sync(layer.receive)(channel)["number"] for _ in range(3)] == [0, 1, 2]


def test_threads_send_while_a_loop_receives(layer: KafkaChannelLayer) -> None:
    async def receive() -> list[int]:
        channel = await layer.new_channel()
        await layer.group_add("group", channel)
        with ThreadPoolExecutor(8) as threads:
            sent = [
                threads.submit(async_to_sync(layer.group_send), "group", {"type": "test.message", "number": number})
                for number in range(80)
            ]
            got = [(await received(layer, channel))["number"] for _ in range(80)]
        assert all(future.exception() is None for future in sent)
        return got

    assert sorted(asyncio.run(receive())) == list(range(80))


def test_two_loops_in_two_threads_wait_at_once(layer: KafkaChannelLayer) -> None:
    names: list[str] = []
    both = threading.Barrier(2, timeout=60)

    async def talk(mine: int) -> dict[str, str]:
        names.append(await layer.new_channel())
        await asyncio.to_thread(both.wait)
        mine_name, other_name = sorted(names)[mine], sorted(names)[1 - mine]
        waiting = asyncio.ensure_future(received(layer, mine_name))
        await layer.send(other_name, {"type": "test.message", "to": other_name})
        return await waiting

    with ThreadPoolExecutor(2) as threads:
        first, second = [threads.submit(asyncio.run, talk(mine)) for mine in range(2)]
        assert {first.result(60)["to"], second.result(60)["to"]} == set(names)


def test_a_process_that_only_sends_starts_no_reader(layer: KafkaChannelLayer) -> None:
    before = own_threads()
    async_to_sync(layer.group_send)("group", {"type": "test.message"})
    async_to_sync(layer.send)("somebody!else", {"type": "test.message"})
    assert not layer._node.is_reading
    assert [thread.name for thread in own_threads() - before] == ["channels-kafka-sender"]


def test_a_closed_loop_is_not_kept(layer: KafkaChannelLayer) -> None:
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []

    async def use() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        channel = await layer.new_channel()
        await layer.send(channel, {"type": "test.message"})
        await layer.receive(channel)

    def is_gone() -> bool:
        gc.collect()
        return loops[0]() is None

    asyncio.run(use())
    asyncio.run(until(is_gone))  # the reader may still be about to return from waking it


def test_a_loop_that_ends_while_it_waits_disturbs_nobody(layer: KafkaChannelLayer) -> None:
    async def wait_in_vain() -> str:
        channel = await layer.new_channel()
        await layer.group_add("group", channel)
        waiting = asyncio.ensure_future(layer.receive(channel))
        await asyncio.wait([waiting], timeout=0.01)
        return channel

    channel = asyncio.run(wait_in_vain())
    async_to_sync(layer.group_send)("group", {"type": "test.message"})
    assert async_to_sync(layer.receive)(channel) == {"type": "test.message"}


def test_a_closed_layer_stops_its_threads_and_can_be_used_again(layer: KafkaChannelLayer) -> None:
    before = own_threads()
    old = async_to_sync(layer.new_channel)()
    assert own_threads() != before
    async_to_sync(layer.close)()
    assert own_threads() == before
    new = async_to_sync(layer.new_channel)()
    async_to_sync(layer.send)(new, {"type": "test.message"})
    assert async_to_sync(layer.receive)(new) == {"type": "test.message"}
    with pytest.raises(AssertionError):
        async_to_sync(layer.receive)(old)


def test_a_layer_that_nobody_has_any_more_stops_its_threads(hosts: str, topic: str) -> None:
    layer = KafkaChannelLayer(hosts=hosts, topic=topic)
    before = own_threads()
    async_to_sync(layer.new_channel)()
    assert own_threads() != before
    del layer
    gc.collect()
    asyncio.run(until(lambda: own_threads() == before))


def test_a_layer_that_is_collected_on_its_own_senders_thread_stops_its_threads(hosts: str, topic: str) -> None:
    is_due = threading.Event()

    def collect(_: str) -> None:
        if is_due.is_set() and threading.current_thread().name == "channels-kafka-sender":
            is_due.clear()  # once: a collection takes longer than the interval, so that calls would pile up
            gc.collect()

    in_a_poll: Any = {"stats_cb": collect, "statistics.interval.ms": 10}
    layer = KafkaChannelLayer(hosts=hosts, topic=topic, kafka=in_a_poll)
    before = own_threads()
    async_to_sync(layer.new_channel)()
    cycle: list[object] = [layer]
    cycle.append(cycle)
    gc.disable()
    try:
        del layer, cycle
        is_due.set()
        asyncio.run(until(lambda: own_threads() == before))
    finally:
        gc.enable()
