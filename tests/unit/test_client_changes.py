"""Changes, marks and signals on real sockets: tried again under one name, told in their place, seen at once."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

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
    Marker,
    Marking,
    Message,
    Presence,
    Reacted,
    Refused,
    State,
    Status,
    View,
)
from klatsch_client.positions import Position
from tests.unit.client_peer import NOW, QUICK, Peer, serving

pytestmark = pytest.mark.usefixtures("no_proxy")


async def _first(chat: Client) -> Message:
    event = await anext(chat.events())
    assert isinstance(event, Message)
    return event


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
        message = await _first(chat)
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
        message = await _first(chat)
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
            message = await _first(chat)
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
        await _first(chat)
        await _first(chat)
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
