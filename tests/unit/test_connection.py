"""ChatConnection: a frame costs no task and no thread, and is answered in its order, or with an error.

The first tests guard what stands on no documented extension point of Channels (see klatsch/gateway/connection.py).
"""

import asyncio
import hashlib
import inspect
from typing import Any

import pytest
from channels.consumer import AsyncConsumer

from klatsch.messaging.sending import Draft, identify
from tests.support.gateway_parts import END, Parts, earlier, signed_in
from tests.support.rates import StoppedBuckets
from tests.support.records import ANA, in_group
from tests.support.waiting import until
from tests.unit.socket_peer import SocketPeer, connected, hello, send_frame

CHANNELS = {
    "__call__": "e52238720872dbc3",
    "dispatch": "39f34e7d4fb0f655",
    "as_asgi": "5e9e72b49b041af0",
}


@pytest.mark.parametrize("name", CHANNELS)
def test_channels_is_as_chat_connection_was_written_for(name: str) -> None:
    method = inspect.getattr_static(AsyncConsumer, name)
    source = inspect.getsource(getattr(method, "__func__", method))
    assert hashlib.sha256(source.encode()).hexdigest()[:16] == CHANNELS[name], (
        f"Channels has changed AsyncConsumer.{name}, which ChatConnection overrides or is called by. Read it again:\n"
        "1. Does __call__ set up anything that as_asgi or a base class relies on? ChatConnection sets scope and "
        "base_send only.\n"
        "2. Does as_asgi still make one instance a connection and await it with (scope, receive, send)?\n"
        "3. Does dispatch still hop into a thread (aclose_old_connections)? If it does not, and __call__ makes no task "
        "a frame, ChatConnection can be an ordinary consumer.\n"
        f"Then put the new digest here.\n\n{source}"
    )


async def test_requests_beyond_a_persons_rate_are_answered_rate_limited_and_the_connection_lives() -> None:
    parts = Parts()
    parts.requests = StoppedBuckets(1)
    async with connected(parts) as peer:
        await hello(parts, peer)
        for number in (2, 3, 4):
            peer.say({"id": number, "op": "hello", "d": {"resume": None}})
        peer.say(send_frame(5))
        answers = await peer.reads(3)
        assert [answer["err"]["code"] for answer in answers] == ["bad_request", "bad_request", "rate_limited"]
        assert 0 < answers[2]["err"]["retry_after"] <= 1
        await until(lambda: len(parts.log.records[0]) == 1)


@pytest.mark.parametrize("op", ["edit", "delete", "react", "pin"])
async def test_changes_count_as_messages_and_not_as_requests(op: str) -> None:
    parts = Parts()
    parts.requests = StoppedBuckets(1)
    fields = {"message": "x", "position": "x", "client_id": "c", "content": "hi", "emoji": "👍", "on": True}
    async with connected(parts) as peer:
        await hello(parts, peer)
        for number in (2, 3):
            peer.say({"id": number, "op": "hello", "d": {"resume": None}})
        peer.say({"id": 4, "op": op, "d": fields})
        answers = await peer.reads(3)
        assert [answer["err"]["code"] for answer in answers] == ["bad_request"] * 3


class Costs:
    """Counts the tasks and the hops into threads that happen on the running loop."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tasks = self.hops = 0
        loop = asyncio.get_running_loop()
        run_in_executor = loop.run_in_executor

        def make_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **more: Any) -> Any:
            self.tasks += 1
            return asyncio.Task(coroutine, loop=loop, **more)

        def hop(*arguments: Any) -> Any:
            self.hops += 1
            return run_in_executor(*arguments)

        monkeypatch.setattr(loop, "run_in_executor", hop)
        loop.set_task_factory(make_task)


async def test_a_cached_send_costs_no_task_and_no_hop_into_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = Parts()
    async with connected(parts) as peer:
        await hello(parts, peer)
        asked = parts.database.asked
        costs = Costs(monkeypatch)
        for number in range(50):
            peer.say(send_frame(number))
        await until(lambda: len(parts.log.records[0]) == 50)
        parts.read_log()
        answers = await peer.reads(50)

        assert (costs.tasks, costs.hops, parts.database.asked - asked) == (0, 0, 0)
        assert [answer["re"] for answer in answers] == list(range(50))
        asyncio.get_running_loop().set_task_factory(None)


async def test_a_stock_consumer_costs_tasks_and_a_hop_for_each_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """Why there is an override at all: when this fails, Channels has become cheap and ChatConnection may be plain."""
    got: list[Any] = []

    class Stock(AsyncConsumer):
        async def websocket_connect(self, event: Any) -> None:
            got.append(event)

        async def websocket_receive(self, event: Any) -> None:
            got.append(event)

    peer = SocketPeer()
    peer.events.put_nowait({"type": "websocket.connect"})
    application: Any = Stock.as_asgi()
    running = asyncio.ensure_future(application(peer.scope(), peer.receive, peer.send))
    await until(lambda: len(got) == 1)
    costs = Costs(monkeypatch)
    for number in range(10):
        peer.say(send_frame(number))
    await until(lambda: len(got) == 11)
    asyncio.get_running_loop().set_task_factory(None)
    running.cancel()
    await asyncio.wait([running])

    assert costs.tasks >= 10
    assert costs.hops >= 10


async def test_frames_are_answered_in_their_order() -> None:
    parts = Parts()
    async with connected(parts) as peer:
        await hello(parts, peer)
        parts.feed.offsets[0] = 6
        digest = identify(in_group(ANA), Draft("hi", "last-week")).digest
        parts.database.answers = [END, earlier("1:0:5", digest)]
        for frame in (
            *({"id": 2, "op": "dance"}, send_frame(3, client_id="last-week"), "not json"),
            *(send_frame(4, content=""), {"id": 5, "op": "hello"}),
        ):
            peer.say(frame)
        answers = await peer.reads(5)

    assert [answer["re"] for answer in answers] == [2, 3, None, 4, 5]
    assert [answer.get("err", {}).get("code") for answer in answers] == [
        *("unknown_op", None, "bad_request", "invalid_content", "bad_request")
    ]


async def test_a_send_before_hello_is_refused_and_appends_nothing() -> None:
    parts = Parts()
    parts.database.answers = [signed_in(ANA)]
    async with connected(parts) as peer:
        peer.say(send_frame(1))
        [answer] = await peer.reads(1)

    assert answer["err"]["code"] == "bad_request"
    assert parts.log.records[0] == []


async def test_bytes_are_no_frame() -> None:
    parts = Parts()
    async with connected(parts) as peer:
        await hello(parts, peer)
        peer.events.put_nowait({"type": "websocket.receive", "bytes": b'{"id":2,"op":"hello"}'})
        [answer] = await peer.reads(1)

    assert (answer["re"], answer["err"]["code"]) == (None, "bad_request")
