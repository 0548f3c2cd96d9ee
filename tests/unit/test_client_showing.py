"""A client says again on each connection what it shows, as `open`, `presence` and `typing`: on real sockets."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from klatsch_client import Client, Presence, Refused, State, Status, View
from klatsch_client.positions import Position
from tests.unit.client_peer import QUICK, Peer, serving

pytestmark = pytest.mark.usefixtures("no_proxy")


async def test_what_one_shows_is_said_again_and_who_is_there_is_forgotten_with_the_connection() -> None:
    asked: list[list[dict[str, Any]]] = []

    async def script(peer: Peer) -> None:
        await peer.welcome()
        frames = [await peer.read() for _ in range(2 if peer.number == 2 else 3)]
        asked.append(frames)
        await peer.write({"re": "open", "ok": {}})
        await peer.write({"re": "presence", "ok": {"online": ["bob"], "offline": []}})
        await peer.push(peer.number)
        await peer.write({"t": "typing", "d": {"conversation": "one", "user": "bob", "on": True}})
        if peer.number == 1:
            await peer.socket.close(4301)
        await peer.stay()

    view, lost = View(), asyncio.Event()

    def stands(status: Status) -> None:
        if status.state == "lost":
            lost.set()

    async with serving(script) as url, Client(url, token="t", settings=QUICK, view=view, on_status=stands) as chat:
        chat.typing("one")  # before there is a connection, which is never said
        await chat.wait_connected()
        chat.open(["one"])
        chat.presence(["bob"])
        chat.typing("one")
        events = [await anext(chat.events()) for _ in range(3)]
        assert events[0] == Presence(("bob",), (), whole=True)
        assert (view.typing("one"), view.is_online("bob")) == (["bob"], True)
        await lost.wait()
        assert (view.typing("one"), view.is_online("bob")) == ([], None)
        assert await anext(chat.events()) == Presence(("bob",), (), whole=True)
    assert [frame["op"] for frame in asked[0]] == ["open", "presence", "typing"]
    assert asked[1] == asked[0][:2]


@pytest.mark.parametrize(
    "call",
    [
        lambda chat, name: chat.open([name]),
        lambda chat, name: chat.presence([name]),
        lambda chat, name: chat.typing(name),
        lambda chat, name: chat.mark(name, read=Position(1, 1, 0)),
    ],
)
@pytest.mark.parametrize("name", [UUID(int=1), "\ud800"])
async def test_a_name_that_no_frame_can_carry_is_an_error_of_the_call_and_sends_go_on(
    call: Callable[[Client, Any], None], name: Any
) -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.accept(5)
        await peer.stay()

    async with serving(script) as url, Client(url, token="t", settings=QUICK) as chat:
        await chat.wait_connected()
        with pytest.raises((TypeError, ValueError, Refused)):
            call(chat, name)
        assert (await chat.send("hi", to="bob")).id == "m5"
        assert not State.from_json(chat.state.to_json()).unfinished


async def test_a_conversation_that_one_has_left_is_open_no_more_as_the_server_would_refuse_the_others_with_it() -> None:
    opened: list[list[str]] = []

    async def script(peer: Peer) -> None:
        await peer.welcome()
        frame = await peer.read()
        await peer.refuse(frame, "not_found")
        for offset, user in ((3, "bob"), (4, "ana")):
            left = {"user": user, "active": False, "role": None, "version": 2}
            await peer.write({"t": "members", "pos": f"1:0:{offset}", "d": {"conversation": "one", "members": [left]}})
        opened.extend([frame["d"]["conversations"], (await peer.read())["d"]["conversations"]])
        await peer.push(5)
        await peer.stay()

    async with serving(script) as url, Client(url, token="t", settings=QUICK) as chat:
        chat.open(["one", "two"])
        for _ in range(3):
            await anext(chat.events())
    assert opened == [["one", "two"], ["two"]]
