"""ChatConnection: a frame costs no task and no thread, and a socket that misbehaves is answered or closed with a code.

The first tests guard what stands on no documented extension point of Channels (see klatsch/gateway/connection.py).
"""

import asyncio
import contextlib
import hashlib
import inspect
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from channels.consumer import AsyncConsumer

from klatsch.core.bucket import Buckets
from klatsch.core.errors import Forbidden, NotAuthenticated, Unavailable
from klatsch.core.metrics import CONNECTIONS
from klatsch.gateway.allowance import Allowance
from klatsch.gateway.language import protocol
from klatsch.gateway.language.protocol import Close
from klatsch.gateway.socket import EXTENSION
from klatsch.messaging.sending import Draft, identify
from tests.support.gateway_parts import CONNECTIONS_EACH, END, Parts, earlier, signed_in, standing_of
from tests.support.peer import Peer
from tests.support.records import ANA, BOB, TEA, Somebody, fresh_client_id, in_group, message
from tests.support.waiting import until

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


class SocketPeer(Peer):
    """A peer below a connection: closing it ends what the application receives, as ChatSocket does."""

    def __init__(self) -> None:
        super().__init__()
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.resumed: Callable[[], None] = lambda: None
        self.allowances: tuple[Allowance, ...] = ()
        self.sent: list[dict[str, Any]] = []

    def end(self, code: Close, reason: str) -> None:
        super().end(code, reason)
        self.events.put_nowait({"type": "websocket.disconnect", "code": int(code)})

    def scope(self, **more: Any) -> dict[str, Any]:
        return {
            "type": "websocket",
            "subprotocols": ["klatsch.v1"],
            "headers": [(b"authorization", b"Bearer abc")],
            "extensions": {EXTENSION: self},
        } | more

    async def receive(self) -> dict[str, Any]:
        return await self.events.get()

    async def send(self, event: dict[str, Any]) -> None:
        self.sent.append(event)

    def say(self, frame: Any) -> None:
        """The client writes a frame: JSON of a value, or a text as it is."""
        text = frame if isinstance(frame, str) else json.dumps(frame)
        self.events.put_nowait({"type": "websocket.receive", "text": text})

    def hang_up(self) -> None:
        self.events.put_nowait({"type": "websocket.disconnect", "code": 1001})

    async def reads(self, count: int) -> list[dict[str, Any]]:
        """The next frames from the server, once there are as many."""
        frames: list[dict[str, Any]] = []

        def enough() -> bool:
            frames.extend(self.read())
            return len(frames) >= count

        await until(enough)
        return frames


@asynccontextmanager
async def connected(parts: Parts, **scope: Any) -> AsyncIterator[SocketPeer]:
    """A connection that runs until the block ends or the server closes it."""
    peer = SocketPeer()
    peer.events.put_nowait({"type": "websocket.connect"})
    application: Any = parts.connection()
    running = asyncio.ensure_future(application(peer.scope(**scope), peer.receive, peer.send))
    try:
        yield peer
    finally:
        peer.hang_up()
        async with asyncio.timeout(10):
            await running


async def hello(
    parts: Parts, peer: SocketPeer, somebody: Somebody = ANA, *, resume: str | None = None, count: int = 2
) -> list[Any]:
    """Signs in, says hello, and returns what is answered."""
    parts.database.answers += [signed_in(somebody), [standing_of(in_group(somebody))]]
    peer.say({"id": 1, "op": "hello", "d": {"resume": resume}})
    return await peer.reads(count)


def send_frame(re: int, content: str = "hi", **fields: Any) -> dict[str, Any]:
    body = {"conversation": str(TEA), "client_id": fresh_client_id(), "content": content} | fields
    return {"id": re, "op": "send", "d": body}


async def test_requests_beyond_a_persons_rate_are_answered_rate_limited_and_the_connection_lives() -> None:
    parts = Parts()
    parts.requests = Buckets(1)
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
    parts.requests = Buckets(1)
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


async def test_hello_is_answered_with_who_one_is_the_limits_and_a_mark() -> None:
    parts = Parts()
    async with connected(parts) as peer:
        welcome, mark = await hello(parts, peer)

    assert peer.sent == [{"type": "websocket.accept", "subprotocol": "klatsch.v1"}]
    assert welcome == {
        "re": 1,
        "ok": {
            "user": "ana",
            "resumed": False,
            "heartbeat": 25,
            "now": "2026-11-23T20:00:00.000Z",
            "limits": {"unanswered": 64, "frame": 65_536, "text": 4_000},
        },
    }
    assert mark == {"t": "mark", "resume": parts.tokens.now(ANA.user_id)}


async def test_a_hello_gives_a_connection_its_own_allowance_and_its_persons() -> None:
    parts = Parts()
    async with connected(parts) as peer:
        await hello(parts, peer)
        own, person = peer.allowances
        async with connected(parts) as again:
            parts.database.answers = [signed_in(ANA)]
            again.say({"id": 1, "op": "hello"})
            await again.reads(2)

            assert again.allowances[1] is person
            assert again.allowances[0] is not own


async def test_a_connection_that_was_closed_during_its_hello_is_allowed_nothing_more() -> None:
    parts = Parts()
    asked, ended = asyncio.Event(), asyncio.Event()

    async def standings() -> list[Any]:
        asked.set()
        await ended.wait()
        return []

    parts.database.answers = [signed_in(ANA), standings]
    async with connected(parts) as peer:
        peer.say({"id": 1, "op": "hello"})
        await asked.wait()
        parts.hub.end(ANA.user_id, "all", "this credential has ended")
        ended.set()

    assert (peer.allowances, [code for code, _ in peer.closed]) == ((), [Close.NOT_AUTHENTICATED])


async def test_a_token_that_is_current_is_resumed_without_a_reset() -> None:
    parts = Parts()
    async with connected(parts) as peer:
        welcome, mark = await hello(parts, peer, resume=parts.tokens.now(ANA.user_id))

    assert (welcome["ok"]["resumed"], mark["t"]) == (True, "mark")


@pytest.mark.parametrize(
    ("resume", "why"),
    [
        ("1.0123456789abcdef.0:0", "too_far_behind"),
        ("2.0123456789abcdef.0:0", "unknown_epoch"),
        ("forged or absurd", "unknown_epoch"),
    ],
)
async def test_a_token_that_is_not_current_is_answered_with_a_reset(resume: str, why: str) -> None:
    parts = Parts()
    async with connected(parts) as peer:
        welcome, reset, mark = await hello(parts, peer, resume=resume, count=3)

    assert welcome["ok"]["resumed"] is False
    assert reset == {"t": "reset", "d": {"conversations": [str(TEA)], "why": why, "at_least": mark["resume"]}}


async def test_from_hello_on_what_is_said_is_pushed() -> None:
    parts = Parts()
    async with connected(parts) as peer:
        await hello(parts, peer)
        parts.log.append(message(in_group(BOB), "hi ana"))
        parts.read_log()
        [push] = await peer.reads(1)

    assert push["d"]["content"] == "hi ana"


async def test_frames_are_answered_in_their_order() -> None:
    parts = Parts()
    async with connected(parts) as peer:
        await hello(parts, peer)
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


async def test_ten_malformed_frames_in_a_row_close_it_as_malformed_and_nine_do_not() -> None:
    parts = Parts()
    async with connected(parts) as peer:
        await hello(parts, peer)
        for _ in range(9):
            peer.say("malformed")
        peer.say(send_frame(2))
        for _ in range(9):
            peer.say("malformed")
        await peer.reads(18)
        assert peer.closed == []

        peer.say("malformed")
        await until(lambda: peer.closed)
    assert [code for code, _ in peer.closed] == [Close.MALFORMED]
    assert len(parts.log.records[0]) == 1


async def test_bytes_are_no_frame() -> None:
    parts = Parts()
    async with connected(parts) as peer:
        await hello(parts, peer)
        peer.events.put_nowait({"type": "websocket.receive", "bytes": b'{"id":2,"op":"hello"}'})
        [answer] = await peer.reads(1)

    assert (answer["re"], answer["err"]["code"]) == (None, "bad_request")


async def test_who_offers_no_sub_protocol_is_accepted_and_closed_as_malformed() -> None:
    parts = Parts()
    async with connected(parts, subprotocols=[]) as peer:
        await until(lambda: peer.closed)

    assert peer.sent == [{"type": "websocket.accept"}]
    assert [code for code, _ in peer.closed] == [Close.MALFORMED]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotAuthenticated("Sign in."), Close.NOT_AUTHENTICATED),
        (Forbidden("This account is closed."), Close.FORBIDDEN),
        (Unavailable("The archive is away."), Close.NOT_READY),
    ],
)
async def test_who_cannot_be_signed_in_is_closed_with_the_reasons_code(error: Exception, code: Close) -> None:
    parts = Parts()
    parts.database.answers = [error]
    async with connected(parts) as peer:
        await until(lambda: peer.closed)

    assert [found for found, _ in peer.closed] == [code]
    assert parts.hub.people == {}


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ([], Close.NOT_AUTHENTICATED),
        ([(b"cookie", b"sessionid=abc")], Close.FORBIDDEN),
        ([(b"cookie", b"sessionid=abc"), (b"origin", b"https://evil.org")], Close.FORBIDDEN),
    ],
)
async def test_without_a_credential_or_from_another_page_nobody_is_even_looked_up(headers: Any, code: Close) -> None:
    parts = Parts()
    async with connected(parts, headers=headers) as peer:
        await until(lambda: peer.closed)

    assert [found for found, _ in peer.closed] == [code]
    assert parts.database.asked == 0


async def test_a_gateway_that_is_not_ready_closes_as_not_ready() -> None:
    parts = Parts()
    parts.opening.shut()
    async with connected(parts) as peer:
        await until(lambda: peer.closed)

    assert [code for code, _ in peer.closed] == [Close.NOT_READY]


async def test_a_hello_that_the_archive_cannot_serve_closes_as_not_ready_and_leaves_nobody_in_the_hub() -> None:
    parts = Parts()
    parts.database.answers = [signed_in(ANA), Unavailable("The archive is away.")]
    async with connected(parts) as peer:
        peer.say({"id": 1, "op": "hello"})
        await until(lambda: peer.closed)

    assert [code for code, _ in peer.closed] == [Close.NOT_READY]
    assert parts.hub.people == {}


async def test_no_hello_in_time_closes_as_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HELLO_DEADLINE_S", 0.01)
    parts = Parts()
    parts.database.answers = [signed_in(ANA)]
    async with connected(parts) as peer:
        await until(lambda: peer.closed)

    assert [code for code, _ in peer.closed] == [Close.NOT_READY]


async def test_a_hello_that_takes_too_long_leaves_nobody_in_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HELLO_DEADLINE_S", 0.01)
    parts = Parts()
    parts.database.answers = [signed_in(ANA), asyncio.Event().wait]
    async with connected(parts) as peer:
        peer.say({"id": 1, "op": "hello"})
        await until(lambda: peer.closed)

    assert [code for code, _ in peer.closed] == [Close.NOT_READY]
    assert (parts.hub.people, parts.hub.audiences) == ({}, {})


async def test_a_connection_that_ends_leaves_nothing_behind() -> None:
    parts = Parts()
    before = CONNECTIONS._value.get()
    async with connected(parts) as peer:
        await hello(parts, peer)
        peer.say(send_frame(2))
        await until(lambda: parts.log.records[0])
        assert CONNECTIONS._value.get() == before + 1
        assert parts.hub.audiences
    assert CONNECTIONS._value.get() == before
    assert (parts.hub.people, parts.hub.audiences) == ({}, {})

    parts.read_log()  # its send is answered to nobody
    assert peer.read() == []


async def test_more_sockets_than_a_person_may_have_are_closed_as_flooding_also_before_their_hello() -> None:
    parts = Parts()
    most = CONNECTIONS_EACH
    async with contextlib.AsyncExitStack() as stack:
        parts.database.answers += [signed_in(ANA)] * (most + 1)
        peers = [await stack.enter_async_context(connected(parts)) for _ in range(most + 1)]
        await until(lambda: any(peer.closed for peer in peers))
        assert [[code for code, _ in peer.closed] for peer in peers] == [[]] * most + [[Close.FLOODING]]
        parts.database.answers += [signed_in(BOB)]
        other = await stack.enter_async_context(connected(parts))
        await until(lambda: not parts.database.answers)
        assert not other.closed

        peers[0].hang_up()
        await until(lambda: parts.sockets._counts[ANA.user_id] == most - 1)
        parts.database.answers += [signed_in(ANA)]
        again = await stack.enter_async_context(connected(parts))
        await until(lambda: parts.sockets._counts[ANA.user_id] == most)
        assert not again.closed
    assert not parts.sockets._counts


async def test_a_mark_tells_every_connection_how_far_it_has_come() -> None:
    parts = Parts()
    async with connected(parts) as ana:
        await hello(parts, ana)
        async with connected(parts) as bob:
            await hello(parts, bob, BOB)
            parts.log.append(message(in_group(BOB), "hi"))
            parts.read_log()
            parts.resume_marks.push_all()

            for peer, somebody in ((ana, ANA), (bob, BOB)):
                assert peer.read()[-1] == {"t": "mark", "resume": parts.tokens.now(somebody.user_id)}
    assert parts.tokens.now(ANA.user_id).endswith(".0:1")
