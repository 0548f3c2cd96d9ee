"""The client on real sockets, against a server that does what a test says."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from klatsch_client import (
    Client,
    Closed,
    Draft,
    Message,
    Reset,
    Settings,
    State,
    Status,
    Stopped,
    View,
    connection,
    keeping,
    retries,
)
from tests.unit.client_peer import QUICK, Peer, serving, token_of

pytestmark = pytest.mark.usefixtures("no_proxy")


async def test_closed_with_43xx_it_comes_back_with_the_token_of_the_last_mark_and_tells_nothing_twice() -> None:
    resumed: list[str | None] = []

    async def script(peer: Peer) -> None:
        await peer.welcome(token=peer.number - 1)
        resumed.append(peer.resume)
        await peer.push(peer.number - 1)
        await peer.push(peer.number)
        await peer.mark(peer.number)
        if peer.number == 3:
            await peer.stay()
        await peer.socket.close(4300 + peer.number)

    async with serving(script) as url, Client(url, token="t", settings=QUICK) as chat:
        told = [await anext(chat.events()) for _ in range(4)]
    assert [event.id for event in told if isinstance(event, Message)] == ["m0", "m1", "m2", "m3"]
    assert resumed == [None, token_of(1), token_of(2)]


@pytest.mark.parametrize(
    ("steady_s", "events_most", "failures"),
    [
        (3_600, 1_000, [0, 1, 2]),
        (0, 1_000, [0, 0, 0]),
        (3_600, 1, [0, 0, 0]),  # the application has made the server wait
    ],
)
async def test_a_connection_that_ends_soon_after_its_first_mark_is_a_failure_unless_the_application_was_slow(
    monkeypatch: pytest.MonkeyPatch, steady_s: float, events_most: int, failures: list[int]
) -> None:
    tries: list[int] = []

    def pause(before: int, **_bounds: object) -> float:
        tries.append(before)
        return 0

    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.push(peer.number)
        await peer.socket.close(4302)

    monkeypatch.setattr(retries, "jitter_s", pause)
    monkeypatch.setattr(keeping, "_STEADY_S", steady_s)
    settings = Settings(events_most=events_most, reload=False)
    async with serving(script) as url, Client(url, token="t", settings=settings) as chat:
        async for message in chat.messages():
            if message.id == "m4":
                break
    assert tries[:3] == failures


async def test_on_a_connection_that_has_fallen_silent_it_gives_up_and_opens_another() -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome(heartbeat=-4.95 if peer.number == 1 else 25)  # twice that and 10 s of grace: 0.1 s
        if peer.number == 2:
            await peer.push(1)
        await peer.stay()

    async with serving(script) as url, Client(url, token="t", settings=QUICK) as chat:
        assert isinstance(await anext(chat.events()), Message)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"re": "hello", "err": {"code": "forbidden", "detail": "no", "temporary": False}}, "forbidden"),
        ({"re": "hello", "ok": {}}, "does not speak"),
    ],
)
async def test_a_hello_that_is_refused_or_garbled_stops_it_and_one_that_is_for_later_does_not(
    answer: dict[str, Any], said: str
) -> None:
    async def script(peer: Peer) -> None:
        await peer.read()
        later = {"re": "hello", "err": {"code": "unavailable", "detail": "later", "temporary": True}}
        await peer.write(later if peer.number < 3 else answer)
        await peer.stay()

    async with serving(script) as url, Client(url, token="t", settings=QUICK) as chat:
        with pytest.raises(Stopped, match=said):
            await anext(chat.events())
        with pytest.raises(Stopped, match=said):
            await chat.send("hi", to="bob")


async def test_frames_that_cannot_be_read_are_dropped_with_a_warning_and_the_stream_goes_on_behind_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    resumed: list[str | None] = []

    async def script(peer: Peer) -> None:
        await peer.welcome(token=peer.number)
        resumed.append(peer.resume)
        for poison in poisons:
            await peer.socket.send(poison)
        await peer.socket.send(b'{"t":"message","pos":"1:0:8","d":"\xff"}', text=True)  # a text that is no UTF-8
        await peer.push(peer.number * 10)
        await peer.mark(peer.number * 10 + 1)
        if peer.number == 1:
            await peer.socket.close(4301)
        await peer.stay()

    poisons: list[str | bytes] = [
        "no JSON", b"\xff", "[1]", '{"t":"message","pos":"1:0:5","d":', '{"t":"message","pos":"1:0:5","d":"text"}',
        '{"t":"message","pos":"1:0:6","d":{"id":["m"],"conversation":{}}}', '{"t":"mark","resume":"1.x.0:none"}',
        '{"t":"members","pos":"1:0:7","d":{"conversation":"one","members":7}}', '{"re":5,"ok":"yes"}',
        '{"re":{},"err":7}',
    ]  # fmt: skip
    async with serving(script) as url, Client(url, token="t", settings=QUICK) as chat:
        told = [await anext(chat.events()) for _ in range(2)]
    assert [event.id for event in told if isinstance(event, Message)] == ["m10", "m20"]
    assert resumed == [None, token_of(11)]
    warned = [record for record in caplog.records if "cannot be read was dropped" in record.message]
    assert len(warned) == 2 * (len(poisons) + 1)


async def test_a_server_whose_answer_to_hello_does_not_come_is_given_up_whatever_else_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def script(peer: Peer) -> None:
        if peer.number == 2:
            await peer.welcome()
            await peer.stay()
        while True:
            await peer.socket.send("no JSON")
            await asyncio.sleep(0.01)

    monkeypatch.setattr(connection, "HELLO_S", 0.1)
    async with serving(script) as url, Client(url, token="t", settings=QUICK) as chat:
        await chat.wait_connected()


async def test_a_wait_for_an_event_may_be_cancelled_and_loses_nothing() -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        await go_on.wait()
        await peer.push(1)
        await peer.stay()

    go_on = asyncio.Event()
    async with serving(script) as url, Client(url, token="t", settings=QUICK) as chat:
        events = chat.events()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(events), 0.01)
        go_on.set()
        assert isinstance(await anext(events), Message)


async def test_resume_marks_that_nobody_takes_wait_as_one_so_that_who_only_sends_stays_connected() -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        for token in range(1, 20):
            await peer.mark(token)
        await peer.accept(5)
        await peer.push(30)
        await peer.mark(31)
        await peer.stay()

    settings = Settings(events_most=3, reload=False)
    async with serving(script) as url, Client(url, token="t", settings=settings) as chat:
        await chat.wait_connected()
        assert (await chat.send("hi", to="bob")).id == "m5"
        assert isinstance(await anext(chat.events()), Message)
        assert chat.state.token == token_of(19)


async def test_an_application_that_takes_nothing_makes_the_server_wait_and_gets_all_when_it_does() -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        for offset in range(count):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    await peer.push(offset, "x" * 60_000)
                    continue
            stalled.set()
            await peer.push(offset, "x" * 60_000)
        await peer.stay()

    count, stalled = 400, asyncio.Event()  # 24 MB: more than the kernel takes
    settings = Settings(events_most=10, reload=False)
    async with serving(script) as url, Client(url, token="t", settings=settings) as chat:
        await stalled.wait()
        told = {event.id async for event in _first(chat, count)}
    assert len(told) == count


async def _first(chat: Client, count: int) -> AsyncIterator[Message]:
    async for message in chat.messages():
        yield message
        count -= 1
        if not count:
            return


async def test_closed_it_ends_iterations_and_sends_and_keeps_what_had_no_answer() -> None:
    async with serving(Peer.welcome) as url, Client(url, token="t", settings=QUICK) as chat:
        sending = asyncio.create_task(chat.send("hi", to="bob"))
        taking = asyncio.create_task(_all(chat))
        await chat.wait_connected()
        await chat.close()
        assert await taking == []
        with pytest.raises(Closed):
            await sending
        with pytest.raises(Closed):
            await chat.send("again", to="bob")
    assert [draft.content for draft in chat.state.unfinished if isinstance(draft, Draft)] == ["hi"]


async def test_what_functions_of_the_application_raise_is_logged_and_stops_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.welcome()
        if peer.number == 1:
            await peer.push(1)
            await peer.socket.close(4301)
        await peer.accept(5)
        await peer.stay()
        gone.set()

    def stands(status: Status) -> None:
        raise ZeroDivisionError(status.state)

    def changed(_conversation: str | None) -> None:
        raise ZeroDivisionError("changed")

    view = View(on_change=changed)
    async with serving(script) as url:
        async with Client(url, token="t", settings=QUICK, view=view, on_status=stands) as chat:
            assert isinstance(await anext(chat.events()), Message)
            assert (await chat.send("hi", to="bob")).id == "m5"
            assert not chat.state.unfinished
        await gone.wait()
    said = {str(record.exc_info[1]) for record in caplog.records if record.exc_info is not None}
    assert said == {"open", "lost", "closed", "changed"}


async def test_closed_while_histories_are_loaded_the_iteration_ends_and_the_next_run_loads_them() -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome(token=1)
        body = {"conversations": ["one"], "why": "archive_behind", "at_least": token_of(5)}
        await peer.write({"t": "reset", "d": body})
        await peer.mark(5)
        await peer.stay()

    settings = Settings(api="http://127.0.0.1:1", reconnect_first_s=3_600, reconnect_most_s=3_600)  # nothing listens
    async with serving(script) as url, Client(url, token="t", settings=settings) as chat:
        assert isinstance(await anext(chat.events()), Reset)
        taking = asyncio.create_task(_all(chat))
        await chat.wait_connected()
        await asyncio.sleep(0)  # it has begun
        await chat.close()
        assert await taking == []
        assert State.from_json(chat.state.to_json()).token == token_of(1)


async def _all(chat: Client) -> list[object]:
    return [event async for event in chat.events()]


async def test_without_reloading_a_reset_is_the_applications() -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        body = {"conversations": ["one"], "why": "archive_behind", "at_least": token_of(5)}
        await peer.write({"t": "reset", "d": body})
        await peer.stay()

    async with serving(script) as url, Client(url, token="t", settings=QUICK) as chat:
        assert await anext(chat.events()) == Reset(("one",), "archive_behind", token_of(5), reloading=False)


async def test_two_tasks_may_not_take_events_at_once() -> None:
    async with Client("ws://127.0.0.1:1/ws", token="t", settings=QUICK) as chat:
        first = asyncio.create_task(_all(chat))
        await asyncio.sleep(0)  # it has begun
        with pytest.raises(RuntimeError, match="two tasks"):
            await anext(chat.events())
        await chat.close()
        assert await first == []


@pytest.mark.parametrize("url", ["http://chat.example/ws", "chat.example", "wss:///ws"])
def test_what_is_no_address_of_a_websocket_is_a_value_error(url: str) -> None:
    with pytest.raises(ValueError, match="no address"):
        Client(url, token="t")
