"""ChatSocket: whole frames straight to the transport, a code at the end, no patience with who takes nothing (D12)."""

import asyncio

import pytest
from websockets.frames import Opcode

from klatsch.gateway.language.protocol import Close, wire
from klatsch.gateway.socket import EXTENSION, ChatSocket
from tests.support.waiting import until
from tests.unit.socket_chat import Chat
from tests.unit.socket_chat import chat as chat  # noqa: PLC0414 - the fixture


async def test_the_connection_finds_this_object_in_its_scopes_extensions(chat: Chat) -> None:
    assert chat.scope["extensions"][EXTENSION] is chat.socket


async def test_frames_made_once_are_what_the_client_reads(chat: Chat) -> None:
    frames = wire(b'{"t":"mark"}') + wire("🫖".encode() * 30_000)
    chat.socket.write(frames)

    assert chat.transport.raw.endswith(frames)
    assert [bytes(frame.data) for frame in chat.frames()] == [b'{"t":"mark"}', "🫖".encode() * 30_000]


async def test_what_the_client_writes_reaches_the_application(chat: Chat) -> None:
    chat.client.send_text(b'{"id":1,"op":"hello"}')
    chat.from_client()

    await until(lambda: chat.events == [{"type": "websocket.receive", "text": '{"id":1,"op":"hello"}'}])


async def test_it_closes_with_that_code_and_the_application_is_told(chat: Chat) -> None:
    chat.socket.end(Close.DRAINING, "draining, resume")

    await until(lambda: chat.events)
    assert chat.close_code() == 4301
    assert chat.events == [{"type": "websocket.disconnect", "code": 4301, "reason": "draining, resume"}]


async def test_what_comes_after_the_close_is_dropped(chat: Chat) -> None:
    chat.socket.end(Close.SLOW, "slow, resume")
    before = chat.transport.raw
    chat.socket.write(wire(b"late"))
    chat.socket.end(Close.DRAINING, "again")

    assert chat.transport.raw == before


async def test_what_comes_after_the_connection_is_lost_is_dropped(chat: Chat) -> None:
    chat.lose()
    before = chat.transport.raw
    chat.socket.write(wire(b"late"))
    chat.socket.end(Close.SLOW, "late")

    assert chat.transport.raw == before


async def test_a_peer_that_takes_nothing_for_so_long_is_slow(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChatSocket, "stall_s", 0.01)
    chat.socket.pause_writing()
    assert chat.socket.paused

    await until(lambda: chat.close_code() == 4302)


async def test_who_reads_again_in_time_is_told_so_and_not_slow(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bool] = []
    chat.socket.resumed = lambda: told.append(chat.socket.paused)
    monkeypatch.setattr(ChatSocket, "stall_s", 0.01)
    chat.socket.pause_writing()
    stalled = chat.socket._stalled
    chat.socket.resume_writing()

    assert told == [False]
    assert stalled is not None
    assert stalled.cancelled()


async def test_a_connection_that_is_lost_while_stalled_leaves_no_timer(chat: Chat) -> None:
    chat.socket.pause_writing()
    stalled = chat.socket._stalled
    chat.lose()

    assert stalled is not None
    assert stalled.cancelled()


async def test_nobody_waits_for_a_connection_that_is_lost_while_stalled(chat: Chat) -> None:
    resumed: list[bool] = []
    chat.socket.resumed = lambda: resumed.append(chat.socket.paused)
    chat.socket.pause_writing()
    chat.lose()
    await asyncio.wait_for(chat.socket.drain(), 5)

    assert not chat.socket.paused
    assert resumed == [False]


async def test_a_ping_of_a_stalled_peer_is_not_answered_after_its_connection_is_lost(chat: Chat) -> None:
    chat.socket.pause_writing()
    chat.client.send_ping(b"ping")
    chat.from_client()
    before = chat.transport.raw
    chat.lose()

    assert chat.transport.raw == before


async def test_a_ping_is_answered(chat: Chat) -> None:
    chat.client.send_ping(b"ping")
    chat.from_client()

    assert [(frame.opcode, bytes(frame.data)) for frame in chat.frames()] == [(Opcode.PONG, b"ping")]


@pytest.mark.parametrize("paused", [False, True])
async def test_a_peer_that_has_closed_first_can_be_ended_any_time(chat: Chat, *, paused: bool) -> None:
    """A peer's outbox may overflow or stall between its close frame and the loss of its connection."""
    if paused:
        chat.socket.pause_writing()
    chat.client.send_close(1001)
    chat.from_client()
    before = chat.transport.raw
    chat.socket.end(Close.SLOW, "slow, resume")

    assert chat.transport.closing
    assert (chat.transport.raw, chat.close_code()) == (before, 1001)


async def test_the_transport_pauses_the_socket_at_64_kib(chat: Chat) -> None:
    assert chat.transport.high == 65_536
