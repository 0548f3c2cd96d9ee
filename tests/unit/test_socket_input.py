"""ChatSocket's receiving end: what a peer sends is handed on in turns, and pings and closes are answered (D12)."""

import asyncio
import itertools
from typing import Any

import pytest
from websockets.frames import Frame, Opcode

from klatsch.gateway.allowance import Allowance, Most
from tests.support.waiting import until
from tests.unit.socket_chat import Chat
from tests.unit.socket_chat import chat as chat  # noqa: PLC0414 - the fixture
from tests.unit.socket_input import BEGIN, FRAGMENT, PING, PONG, settled, text_frame
from tests.unit.socket_input import greeted as greeted  # noqa: PLC0414 - the fixture


async def test_others_have_their_turn_while_one_peers_input_is_handed_on(greeted: Chat) -> None:
    turns: list[int] = []

    def turn() -> None:
        turns.append(len(greeted.socket._waiting))
        if greeted.socket._waiting:
            asyncio.get_running_loop().call_soon(turn)

    greeted.socket.data_received(PONG * 4_000)
    assert not greeted.transport.reading
    turn()
    await settled(greeted)

    steps = [before - after for before, after in itertools.pairwise(turns)]
    assert 0 < max(steps) <= 4_096
    await until(lambda: greeted.transport.reading)


async def test_one_turn_hands_on_at_most_64_kib(greeted: Chat) -> None:
    greeted.socket.data_received(text_frame(b"x" * 200_000))

    assert len(greeted.socket._waiting) == 200_000 + 14 - 65_536
    await until(lambda: len(greeted.events) == 1)


async def test_what_follows_a_message_is_parsed_when_that_was_taken() -> None:
    chat = Chat()
    taken = asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await taken.wait()
        while not chat.events or chat.events[-1]["type"] != "websocket.disconnect":
            chat.events.append(await receive())

    chat.socket.app = application
    await chat.open()
    chat.socket.allowances = (Allowance(Most(frames=10_000, size=2**20)),)
    chat.socket.data_received(text_frame(b"hello") * 10_000)
    await asyncio.sleep(0)
    assert len(chat.socket._waiting) > 100_000
    assert chat.socket.queue.qsize() < 400

    taken.set()
    await until(lambda: len(chat.events) == 10_000)
    await until(lambda: chat.transport.reading)
    chat.lose()


async def test_after_flooding_nothing_more_is_read(greeted: Chat) -> None:
    greeted.socket.data_received(PING * 30_000)
    await until(lambda: greeted.close_code() == 4429)
    await settled(greeted)

    assert not greeted.transport.reading
    await until(lambda: greeted.events and greeted.events[-1]["type"] == "websocket.disconnect")
    assert not greeted.transport.reading


async def test_a_peer_that_floods_while_the_handshake_is_answered_is_cut_off() -> None:
    chat = Chat()
    chat.socket.connection_made(chat.transport)
    chat.client.send_request(chat.client.connect())
    request = b"".join(chat.client.data_to_send())
    chat.socket.data_received(request + PING * 500)

    await until(lambda: chat.transport.aborted)
    chat.lose()
    await until(lambda: not chat.socket.tasks)


async def test_pings_that_come_together_are_answered_once_with_the_last_ones_payload(greeted: Chat) -> None:
    for number in range(3):
        greeted.client.send_ping(b"%d" % number)
    greeted.socket.data_received(b"".join(greeted.client.data_to_send()))

    assert [(frame.opcode, bytes(frame.data)) for frame in greeted.frames()] == [(Opcode.PONG, b"2")]


async def test_a_slow_reader_that_pings_is_answered_when_it_reads_again(greeted: Chat) -> None:
    greeted.socket.pause_writing()
    for number in range(300):
        greeted.client.send_ping(b"%d" % number)
        greeted.from_client()
    assert (greeted.frames(), greeted.close_code()) == ([], None)

    greeted.socket.resume_writing()
    assert [(frame.opcode, bytes(frame.data)) for frame in greeted.frames()] == [(Opcode.PONG, b"299")]

    greeted.socket.pause_writing()
    greeted.socket.resume_writing()
    assert greeted.frames() == []


async def test_a_ping_and_a_close_that_come_together_are_both_answered(greeted: Chat) -> None:
    greeted.client.send_ping(b"ping")
    greeted.client.send_close(1000)
    greeted.socket.data_received(b"".join(greeted.client.data_to_send()))

    assert [frame.opcode for frame in greeted.frames()] == [Opcode.PONG, Opcode.CLOSE]
    assert greeted.transport.closing


@pytest.mark.parametrize(
    "message",
    [b"\x01\x81\0\0\0\0\xc3\x80\x80\0\0\0\0", BEGIN + FRAGMENT * 256 + b"\x80\x80\0\0\0\0"],
    ids=["fragments that are no UTF-8", "258 fragments"],
)
async def test_a_close_right_behind_a_bad_message_is_answered(greeted: Chat, message: bytes) -> None:
    greeted.socket.data_received(message + b"\x88\x82\0\0\0\0\x03\xe8")

    assert [frame.opcode for frame in greeted.frames()] == [Opcode.CLOSE]
    assert (greeted.transport.closing, greeted.close_code()) == (True, 1000)
    await until(lambda: greeted.events and greeted.events[-1]["type"] == "websocket.disconnect")


@pytest.mark.parametrize("early", [PING, b"\x88\x80\0\0\0\0", PING * 200], ids=["ping", "close", "flood"])
async def test_frames_before_the_101_wait_for_it(early: bytes, caplog: pytest.LogCaptureFixture) -> None:
    chat = Chat()
    chat.socket.connection_made(chat.transport)
    chat.client.send_request(chat.client.connect())
    chat.from_client()
    chat.socket.data_received(early)
    assert (chat.transport.reading, chat.transport.raw) == (False, b"")

    answers: list[Frame] = []

    def is_answered() -> bool:
        answers.extend(chat.frames())
        return bool(answers)

    await until(is_answered)
    assert [frame.opcode for frame in answers] == [Opcode.PONG if early == PING else Opcode.CLOSE]
    chat.lose()
    await until(lambda: not chat.socket.tasks)
    assert caplog.messages == []
