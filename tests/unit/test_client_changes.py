"""Changes on real sockets: tried again under one name, told in their place, seen at once."""

import asyncio
from typing import Any

import pytest

from klatsch_client import (
    Change,
    Client,
    Conflict,
    Deleted,
    Done,
    Edited,
    Failed,
    Gone,
    Message,
    Reacted,
    Refused,
    State,
    View,
)
from klatsch_client.positions import Position
from tests.unit.client_peer import NOW, QUICK, Peer, serving, take_message

pytestmark = pytest.mark.usefixtures("no_proxy")


async def test_a_change_is_tried_again_under_one_name_and_told_in_its_place() -> None:
    asked: list[dict[str, Any]] = []

    async def script(peer: Peer) -> None:
        await peer.welcome(token=peer.number - 1)
        if peer.number == 1:
            await peer.push(1)
            asked.append(await peer.read())
            await peer.refuse(asked[-1], "unknown", temporary=True)
            asked.append(await peer.read())
            await peer.socket.close(4301)
            return
        asked.append(await peer.read())
        await peer.react(7)
        await peer.accept_frame(asked[-1], 9)
        await peer.push(10)
        await peer.stay()

    async with serving(script) as url, Client(url, token="t", settings=QUICK, view=View()) as chat:
        message = await take_message(chat)
        done = await chat.edit(message, "edited", base=message.changed)
        assert isinstance(done, Done)
        assert (done.position, done.duplicate) == (Position(1, 9, 0), False)
        assert [type(await anext(chat.events())) for _ in range(3)] == [Reacted, Edited, Message]
        assert not chat.state.unfinished
    assert [frame["op"] for frame in asked] == ["edit"] * 3
    assert asked[0]["d"] == asked[1]["d"] == asked[2]["d"]
    assert asked[0]["d"] == {
        "message": "m1", "position": "1:0:1", "client_id": done.draft.client_id, "content": "edited", "base": "1:0:1",
    }  # fmt: skip


async def test_what_is_pending_is_seen_until_its_own_event_is_handed_over_or_it_is_refused() -> None:
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.push(1)
        frame = await peer.read()
        await go_on.wait()
        await peer.accept_frame(frame, 5)
        await peer.refuse(await peer.read(), "conflict", changed="1:0:7")
        await peer.refuse(await peer.read(), "gone")
        await peer.refuse(await peer.read(), "forbidden")
        await peer.stay()

    changes: list[str | None] = []
    view = View(on_change=changes.append)
    async with serving(script) as url, Client(url, token="t", settings=QUICK, view=view) as chat:
        message = await take_message(chat)
        editing = asyncio.create_task(chat.edit(message, "edited"))
        await asyncio.sleep(0)
        assert _shown(view) == ("edited", 1)
        go_on.set()
        await editing
        assert _shown(view) == ("edited", 1), "its event has not been handed over"
        assert await anext(chat.events()) == Edited("m1", "one", Position(1, 5, 0), "edited", (), _now(view), "ana")
        assert _shown(view) == ("edited", 0)
        changes.clear()
        with pytest.raises(Conflict) as conflict:
            await chat.edit(message, "late", base=Position(1, 5, 0))
        assert conflict.value.changed == Position(1, 7, 0)
        with pytest.raises(Gone):
            await chat.react(message, "👍")
        with pytest.raises(Refused) as refused:
            await chat.pin(message)
        assert refused.value.code == "forbidden"
        assert _shown(view) == ("edited", 0)
        assert len(changes) == 6
        assert not chat.state.unfinished


def _shown(view: View) -> tuple[str, int]:
    message = view.message("m1")
    assert message is not None
    return message.content, len(message.pending)


def _now(view: View) -> str:
    message = view.message("m1")
    assert message is not None
    assert message.edited_at is not None
    assert message.edited_at[:16] == NOW[:16], "the server's time"
    return message.edited_at


async def test_a_change_that_was_begun_is_in_the_saved_state_and_its_refusal_is_an_event_then() -> None:
    asked: list[dict[str, Any]] = []

    async def script(peer: Peer) -> None:
        await peer.welcome()
        if peer.number == 1:
            await peer.push(1)
        asked.append(await peer.read())
        if peer.number == 2:
            await peer.refuse(asked[-1], "gone")
        await peer.stay()

    async with serving(script) as url:
        async with Client(url, token="t", settings=QUICK) as chat:
            message = await take_message(chat)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(chat.delete(message), 0.05)
            saved = chat.state.to_json()
        async with Client(url, token="t", settings=QUICK, state=State.from_json(saved)) as chat:
            failed = await anext(chat.events())
    assert isinstance(failed, Failed)
    assert isinstance(failed.draft, Change)
    assert (failed.code, failed.draft.op, failed.draft.message) == ("gone", "delete", "m1")
    assert asked[0]["d"] == asked[1]["d"]


async def test_ones_own_deletion_of_what_one_has_just_sent_is_told_as_others_are() -> None:
    async def script(peer: Peer) -> None:
        await peer.welcome()
        await peer.accept(3)
        await peer.accept_frame(await peer.read(), 4)
        await peer.stay()

    view = View()
    async with serving(script) as url, Client(url, token="t", settings=QUICK, view=view) as chat:
        sent = await chat.send("oops", conversation="one")
        await chat.delete(sent)
        deleted = await anext(chat.events())
        assert isinstance(deleted, Deleted)
        assert (deleted.id, deleted.conversation, deleted.by) == ("m3", "one", "ana")
        message = view.message("m3")
        assert message is not None
        assert (message.deleted, message.content, message.pending) == (True, "", ())
