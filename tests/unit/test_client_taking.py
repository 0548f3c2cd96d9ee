"""Taking events from the client: slowly, twice, until it is closed; on real sockets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from klatsch_client import (
    Client,
    Closed,
    Draft,
    Message,
    Reset,
    Settings,
    State,
)
from tests.unit.client_peer import QUICK, Peer, serving, token_of

pytestmark = pytest.mark.usefixtures("no_proxy")


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
