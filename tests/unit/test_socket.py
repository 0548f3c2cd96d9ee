"""ChatSocket: whole frames straight to the transport, a code at the end, no patience with who takes nothing (D12)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Self

import pytest
import uvicorn
from uvicorn.server import ServerState
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from klatsch.gateway import socket as socket_module
from klatsch.gateway.language.protocol import Close, wire
from klatsch.gateway.socket import EXTENSION, ChatSocket
from tests.support.waiting import until


class Wire(asyncio.Transport):
    """A transport whose other end is a WebSocket client of the `websockets` library."""

    def __init__(self, client: ClientProtocol) -> None:
        super().__init__()
        self.client = client
        self.raw = b""
        self.closing = False
        self.aborted = False
        self.reading = True
        self.high: int | None = None
        self.unsent = 0
        """The bytes that the peer has not taken."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("192.0.2.1", 1), "sockname": ("192.0.2.2", 8000)}.get(name, default)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = high

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def write(self, data: Any) -> None:
        self.raw += data
        self.client.receive_data(bytes(data))

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True


class Chat:
    """A socket that was opened, its client, and the events that the application got."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.scope: Any = None
        self.client = ClientProtocol(parse_uri("ws://chat.example/ws"))
        self.transport = Wire(self.client)
        config = uvicorn.Config(
            self._application, ws=ChatSocket, interface="asgi3", lifespan="off", log_config=None, ws_ping_interval=None
        )
        config.load()
        self.socket = ChatSocket(config, ServerState(), {})

    async def _application(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = scope
        await receive()
        await send({"type": "websocket.accept"})
        while not self.events or self.events[-1]["type"] != "websocket.disconnect":
            self.events.append(await receive())

    async def open(self) -> None:
        self.socket.connection_made(self.transport)
        self.client.send_request(self.client.connect())
        self.from_client()
        await until(lambda: self.client.state is State.OPEN)
        self.client.events_received()

    def from_client(self) -> None:
        """What the client has to send reaches the server."""
        for data in self.client.data_to_send():
            if data:
                self.socket.data_received(data)

    def frames(self) -> list[Frame]:
        return [event for event in self.client.events_received() if isinstance(event, Frame)]

    def close_code(self) -> int | None:
        """The code that the client was closed with."""
        return self.client.close_rcvd.code if self.client.close_rcvd else None

    def lose(self) -> None:
        self.socket.connection_lost(None)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        if not self.socket.disconnected:
            self.lose()
        await until(lambda: not self.socket.tasks)


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with Chat() as chat:
        yield chat


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


async def test_a_closed_peer_that_takes_nothing_is_cut_off(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_module, "_LAST_WORDS_S", 0.01)
    chat.socket.end(Close.SLOW, "slow, resume")

    await until(lambda: chat.transport.aborted)


async def test_a_peer_that_answers_the_close_is_not_cut_off(chat: Chat) -> None:
    chat.socket.end(Close.DRAINING, "draining, resume")
    chat.from_client()

    assert chat.transport.closing
    assert not chat.transport.aborted
    assert chat.socket.close_timer is None


_LAST_FRAMES = {
    "a close": Frame(Opcode.CLOSE, (1000).to_bytes(2, "big")).serialize(mask=True),
    "text that is not UTF-8": Frame(Opcode.TEXT, b"\xff").serialize(mask=True),
    "a fragment that is not UTF-8": Frame(Opcode.TEXT, b"\xc3", fin=False).serialize(mask=True)
    + Frame(Opcode.CONT, b"").serialize(mask=True),
    "a frame without a mask": Frame(Opcode.TEXT, b"hi").serialize(mask=False),
}


@pytest.mark.parametrize("last", _LAST_FRAMES.values(), ids=_LAST_FRAMES)
@pytest.mark.parametrize("unsent", [1, 70_000])
async def test_a_peer_that_takes_nothing_is_cut_off_also_after_a_frame_that_ended_its_connection(
    chat: Chat, last: bytes, unsent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_module, "_LAST_WORDS_S", 0.01)
    chat.transport.unsent = unsent
    if unsent > 65_536:
        chat.socket.pause_writing()
    chat.socket.data_received(last)
    assert chat.transport.closing

    await until(lambda: chat.transport.aborted)


async def test_a_peer_that_answers_the_close_and_takes_nothing_is_cut_off(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_module, "_LAST_WORDS_S", 0.01)
    chat.transport.unsent = 1
    chat.socket.end(Close.DRAINING, "draining, resume")
    chat.from_client()
    assert chat.transport.closing
    assert not chat.transport.aborted

    await until(lambda: chat.transport.aborted)


async def test_a_peer_that_takes_nothing_is_cut_off_when_its_application_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_module, "_LAST_WORDS_S", 0.01)
    chat = Chat()
    chat.events.append({"type": "websocket.disconnect"})  # its application returns at once
    chat.transport.unsent = 1
    async with chat:
        await until(lambda: chat.transport.aborted)


@pytest.mark.parametrize("closed_before", [False, True])
async def test_a_peer_that_takes_nothing_is_cut_off_when_the_server_shuts_down(
    chat: Chat, monkeypatch: pytest.MonkeyPatch, *, closed_before: bool
) -> None:
    monkeypatch.setattr(socket_module, "_LAST_WORDS_S", 0.01)
    chat.transport.unsent = 1
    if closed_before:
        chat.socket.end(Close.DRAINING, "draining, resume")
    chat.socket.shutdown()
    assert not chat.transport.aborted

    await until(lambda: chat.transport.aborted)


async def test_a_peer_that_takes_the_rest_in_time_is_not_cut_off(chat: Chat) -> None:
    chat.transport.unsent = 1
    chat.socket.data_received(_LAST_FRAMES["a close"])
    timer = chat.socket.close_timer
    chat.lose()

    assert timer is not None
    assert timer.cancelled()
    assert not chat.transport.aborted


async def test_a_peer_that_has_taken_all_is_closed_without_a_timer(chat: Chat) -> None:
    chat.socket.data_received(_LAST_FRAMES["a close"])

    assert chat.transport.closing
    assert chat.socket.close_timer is None


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
    """Its outbox may overflow or stall between its close frame and the loss of its connection."""
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
