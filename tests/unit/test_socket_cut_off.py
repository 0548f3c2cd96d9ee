"""ChatSocket after a close: a peer that does not take the rest is cut off, whoever closed and however (D12)."""

import pytest
from websockets.frames import CloseCode, Frame, Opcode

from klatsch.gateway import socket as socket_module
from klatsch.gateway.language.protocol import Close
from tests.support.waiting import until
from tests.unit.socket_chat import Chat
from tests.unit.socket_chat import chat as chat  # noqa: PLC0414 - the fixture

_LAST_FRAMES = {
    "a close": Frame(Opcode.CLOSE, (1000).to_bytes(2, "big")).serialize(mask=True),
    "text that is not UTF-8": Frame(Opcode.TEXT, b"\xff").serialize(mask=True),
    "a fragment that is not UTF-8": Frame(Opcode.TEXT, b"\xc3", fin=False).serialize(mask=True)
    + Frame(Opcode.CONT, b"").serialize(mask=True),
    "a frame without a mask": Frame(Opcode.TEXT, b"hi").serialize(mask=False),
}


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


async def test_a_peer_in_the_midst_of_a_large_frame_is_told_so_before_it_is_cut_off(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing a socket that has unread bytes resets it, and the reset overtakes the close frame."""
    monkeypatch.setattr(socket_module, "_LAST_WORDS_S", 0.01)
    chat.socket.data_received(b"\x81\xff" + (2**40).to_bytes(8, "big") + bytes(4) + bytes(9_000))
    assert chat.close_code() == CloseCode.MESSAGE_TOO_BIG
    assert chat.transport.reading
    for _ in range(16):
        chat.socket.data_received(bytes(2**20))
    assert not chat.transport.reading
    assert not chat.transport.closing

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


async def test_a_server_can_shut_down_while_a_peer_that_has_closed_does_not_take_the_rest(chat: Chat) -> None:
    chat.transport.unsent = 1
    chat.socket.data_received(_LAST_FRAMES["a close"])
    before = chat.transport.raw
    chat.socket.shutdown()

    assert (chat.transport.raw, chat.close_code()) == (before, 1000)
    assert chat.socket.close_timer is not None


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
