"""Sends of the client on real sockets: names, new tries, outcomes and bounds."""

import asyncio
import time
from typing import cast
from uuid import UUID

import pytest

from klatsch.core.ids import is_fresh
from klatsch_client import Client, Draft, Failed, Sent, Settings, State, TooManyUnmarked
from klatsch_client.positions import Position
from klatsch_client.posting import TOLD_MOST
from tests.unit.client_peer import NOW_MS, QUICK, Peer, serving

pytestmark = pytest.mark.usefixtures("no_proxy")


async def test_what_had_no_answer_is_sent_again_under_the_same_name() -> None:
    names: list[str] = []

    async def script(peer: Peer) -> None:
        await peer.welcome()
        if peer.number == 1:
            names.append((await peer.read())["d"]["client_id"])
            return
        frame = await peer.read()
        names.append(frame["d"]["client_id"])
        unknown = {"code": "unknown", "detail": "", "temporary": True, "retry_after": 0.01}
        await peer.write({"re": frame["id"], "err": unknown})
        names.append((await peer.accept(5))["client_id"])
        await peer.stay()

    async with serving(script) as url, Client(url, token="t", settings=QUICK) as chat:
        sent = await chat.send("hi", to="bob")
        assert (sent.id, sent.position, sent.draft.client_id) == ("m5", Position(1, 5, 0), names[0])
        assert names == [names[0]] * 3
        assert not chat.state.unfinished


async def test_a_client_whose_clock_is_an_hour_ahead_names_what_it_writes_by_the_servers_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names: list[str] = []

    async def script(peer: Peer) -> None:
        await go_on.wait()
        await peer.welcome()
        names.extend([(await peer.accept(offset))["client_id"] for offset in range(1, 5)])
        await peer.stay()

    go_on = asyncio.Event()
    monkeypatch.setattr(time, "time_ns", lambda: (NOW_MS + 3_600_000) * 1_000_000)
    async with serving(script) as url, Client(url, token="t", settings=QUICK) as chat:
        early = [asyncio.create_task(chat.send(f"text {n}", to="bob")) for n in range(2)]
        await asyncio.sleep(0)  # each has begun, and no server has said what time it is
        go_on.set()
        told = [(await one).draft.client_id for one in early]
        monkeypatch.setattr(time, "time_ns", lambda: (NOW_MS - 3_600_000) * 1_000_000)
        told += [(await chat.send("later", to="bob")).draft.client_id for _ in range(2)]
    assert told == names == sorted(names)
    assert all(is_fresh(name, NOW_MS) for name in names)


async def test_the_outcome_of_a_cancelled_send_is_an_event() -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        await go_on.wait()
        await peer.accept(5)
        frame = await peer.read()
        refusal = {"code": "forbidden", "detail": "no", "temporary": False}
        await peer.write({"re": frame["id"], "err": refusal})
        await peer.stay()

    go_on = asyncio.Event()
    async with serving(script) as url, Client(url, token="t", settings=QUICK) as chat:
        for text in ("one", "two"):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(chat.send(text, to="bob"), 0.01)
        assert len(State.from_json(chat.state.to_json()).unfinished) == 2
        go_on.set()
        sent, failed = await anext(chat.events()), await anext(chat.events())
        assert isinstance(sent, Sent)
        assert isinstance(failed, Failed)
        assert [draft.content for draft in (sent.draft, failed.draft) if isinstance(draft, Draft)] == ["one", "two"]
        assert failed.code == "forbidden"
        assert not chat.state.unfinished


async def test_what_fails_while_it_is_written_ends_the_client_with_its_error() -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.stay()

    state = State()
    state.unfinished.add(Draft("c", cast("str", UUID(int=1)), to="bob"), str)
    async with serving(script) as url, Client(url, token="t", settings=QUICK, state=state) as chat:
        with pytest.raises(TypeError, match="UUID"):
            await chat.send("hi", to="bob")
        with pytest.raises(TypeError, match="UUID"):
            await anext(chat.events())
        assert chat.status.state == "closed"


async def test_no_more_than_the_bound_is_sent_without_an_answer_and_the_next_one_waits() -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        for offset in (1, 2, 3):
            await go_on.wait()
            await peer.accept(offset)
        await peer.stay()

    go_on = asyncio.Event()
    settings = Settings(unfinished_most=2, reload=False)
    async with serving(script) as url, Client(url, token="t", settings=settings) as chat:
        sending = [asyncio.create_task(chat.send(f"text {n}", to="bob")) for n in range(3)]
        await chat.wait_connected()
        assert [draft.content for draft in chat.state.unfinished if isinstance(draft, Draft)] == ["text 0", "text 1"]
        go_on.set()
        assert [sent.id for sent in await asyncio.gather(*sending)] == ["m1", "m2", "m3"]


async def test_who_sends_and_never_takes_events_is_told_before_memory_runs_full() -> None:
    chat = Client("ws://127.0.0.1:1/ws", token="t")
    chat.state.known.ids = {str(number): Position(1, number, 0) for number in range(TOLD_MOST)}
    with pytest.raises(TooManyUnmarked):
        await chat.send("hi", to="bob")
    assert not chat.state.unfinished
