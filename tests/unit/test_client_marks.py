"""Read marks on real sockets: written as one, and again after a lost connection unless something overtook them."""

import asyncio
from typing import Any

import pytest

from klatsch_client import Client, Failed, Marker, Marking, View
from klatsch_client.positions import Position
from tests.unit.client_peer import QUICK, Peer, serving, take_message

pytestmark = pytest.mark.usefixtures("no_proxy")


async def test_marks_are_written_as_one_and_again_after_a_lost_connection() -> None:
    asked: list[dict[str, Any]] = []

    async def script(peer: Peer) -> None:
        await peer.welcome()
        frame = await peer.read()
        asked.append(frame["d"])
        await peer.write({"re": frame["id"], "ok": {"delivered": None, "read": "1:0:8"}})
        if peer.number == 1:
            await peer.push(1)
            await peer.socket.close(4301)
        await peer.push(2)
        await peer.stay()

    view = View()
    async with serving(script) as url, Client(url, token="t", settings=QUICK, view=view) as chat:
        for offset in (3, 8, 5):
            chat.mark("one", read=Position(1, offset, 0))
        assert view.markers("one")[""].read == Position(1, 8, 0)
        await take_message(chat)
        await take_message(chat)
        assert view.markers("one") == {"ana": Marker("one", "ana", None, Position(1, 8, 0))}
    assert asked == [{"conversation": "one", "read": "1:0:8"}] * 2, "the server may have lost it with the connection"


@pytest.mark.parametrize("is_missed", [False, True], ids=["before the connection was lost", "while there was none"])
async def test_a_mark_is_not_repeated_once_its_conversation_was_flagged_as_unread(is_missed: bool) -> None:  # noqa: FBT001
    body = {"conversation": "one", "user": "ana", "delivered": None, "read": None, "unread_from": "1:0:4"}
    flagged = {"t": "marker", "pos": "1:0:10", "d": body}
    asked: list[dict[str, Any]] = []
    is_asked_again = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.welcome(replay=[flagged] if is_missed and peer.number == 2 else [])
        if peer.number == 2:
            await peer.push(11)
            asked.append(await peer.read())
            is_asked_again.set()
            await peer.stay()
        asked.append(await peer.read())
        await peer.write({"re": asked[-1]["id"], "ok": {"delivered": None, "read": "1:0:8"}})
        await peer.push(9)
        if not is_missed:
            await peer.write(flagged)
        await peer.socket.close(4301)

    async with serving(script) as url, Client(url, token="t", settings=QUICK) as chat:
        chat.mark("one", read=Position(1, 8, 0))
        events = [await anext(chat.events()) for _ in range(3)]
        chat.mark("one", read=Position(1, 3, 0))  # what waits to be marked is written as one, with the highest
        await is_asked_again.wait()
    assert events[1] == Marker(
        "one", "ana", None, None, Position(1, 4, 0), tells_flag=True, position=Position(1, 10, 0)
    )
    assert [frame["d"]["read"] for frame in asked] == ["1:0:8", "1:0:3"]


async def test_a_mark_that_is_refused_is_an_event() -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.refuse(await peer.read(), "not_found")
        await peer.stay()

    async with serving(script) as url, Client(url, token="t", settings=QUICK) as chat:
        chat.mark("one", read=Position(1, 3, 0))
        failed = await anext(chat.events())
    assert failed == Failed(Marking("one", read=Position(1, 3, 0)), "not_found", "why")
