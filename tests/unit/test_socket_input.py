"""ChatSocket's receiving end: what a peer sends is counted before it is decoded, and handed on in turns (D12)."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.frames import Frame, Opcode

from klatsch.gateway.allowance import BEFORE_HELLO, LAST_WORDS, Allowance, Allowances, Most
from klatsch.gateway.language.protocol import Close, wire
from tests.support.waiting import until
from tests.unit.test_socket import Chat

PING = b"\x89\x80\0\0\0\0"
PONG = b"\x8a\x80\0\0\0\0"
BEGIN = b"\x01\x80\0\0\0\0"
FRAGMENT = b"\x00\x80\0\0\0\0"
FLOODS = {"pings": PING, "pongs": PONG, "empty fragments": FRAGMENT}
HANDSHAKE = 1
"""The request counts as a frame."""


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with Chat() as chat:
        yield chat


@pytest.fixture
async def greeted(chat: Chat) -> Chat:
    """A socket whose peer has said hello, at the default rate of messages and a clock that stands."""
    chat.socket.allowances = Allowances(500, clock=lambda: 0.0).of("ana")
    return chat


def text_frame(payload: bytes) -> bytes:
    """A client's text frame: `wire` of a server, masked with zeros."""
    frame = wire(payload)
    head = len(frame) - len(payload)
    return frame[:1] + bytes([frame[1] | 0x80]) + frame[2:head] + bytes(4) + payload


async def settled(chat: Chat) -> None:
    """Returns when the loop has nothing more of this peer's to do."""
    await until(lambda: not chat.socket._waiting and chat.socket._turn is None)


@pytest.mark.parametrize("frame", FLOODS.values(), ids=FLOODS)
async def test_before_hello_a_peer_may_send_128_frames_and_not_one_more(chat: Chat, frame: bytes) -> None:
    before = BEGIN if frame is FRAGMENT else b""
    allowed = BEFORE_HELLO.frames - HANDSHAKE - bool(before)
    chat.socket.data_received(before + frame * allowed)
    assert (BEFORE_HELLO.frames, chat.close_code()) == (128, None)

    chat.socket.data_received(frame)
    assert chat.close_code() == 4429


async def test_before_hello_a_peer_may_send_128_kib_in_all(chat: Chat) -> None:
    chunk = text_frame(b"x" * 60_000)
    for _ in range(2):
        chat.socket.data_received(chunk)
        await settled(chat)
    assert chat.close_code() is None

    chat.socket.data_received(chunk)
    await until(lambda: chat.close_code() == 4429)


@pytest.mark.parametrize("frame", [PING, PONG], ids=["pings", "pongs"])
async def test_after_hello_4_000_frames_may_come_at_once_and_not_one_more(greeted: Chat, frame: bytes) -> None:
    greeted.socket.data_received(frame * 4_000)
    await settled(greeted)
    assert greeted.close_code() is None

    greeted.socket.data_received(frame)
    assert greeted.close_code() == 4429


async def test_all_connections_of_a_person_together_may_send_four_times_that() -> None:
    allowances = Allowances(500, clock=lambda: 0.0)
    chats = [Chat() for _ in range(5)]
    for chat in chats:
        await chat.open()
        chat.socket.allowances = allowances.of("ana")
        chat.socket.data_received(PONG * 4_000)
        await settled(chat)

    assert [chat.close_code() for chat in chats] == [None] * 4 + [4429]
    for chat in chats:
        chat.lose()


async def test_16_384_000_bytes_may_come_at_once_and_not_more(greeted: Chat) -> None:
    chunk = text_frame(b"x" * 65_000)
    for _ in range(16_384_000 // len(chunk)):
        greeted.socket.data_received(chunk)
        await settled(greeted)
    assert greeted.close_code() is None

    greeted.socket.data_received(chunk)
    await until(lambda: greeted.close_code() == 4429)


async def test_what_was_used_comes_back_with_time(chat: Chat) -> None:
    now = [0.0]
    chat.socket.allowances = Allowances(500, clock=lambda: now[0]).of("ana")
    for second in range(10):
        now[0] = float(second)
        chat.socket.data_received(PONG * 1_000)
        await settled(chat)
    assert chat.close_code() is None


async def test_a_message_of_256_fragments_is_one_and_of_257_is_flooding(greeted: Chat) -> None:
    end = b"\x80\x81\0\0\0\0x"
    greeted.socket.data_received(BEGIN + FRAGMENT * 254 + end)
    await until(lambda: greeted.events == [{"type": "websocket.receive", "text": "x"}])
    assert greeted.close_code() is None

    greeted.socket.data_received(BEGIN + FRAGMENT * 256)
    assert greeted.close_code() == 4429


async def test_64_pipelined_sends_of_4_000_characters_escaped_are_all_handed_on(greeted: Chat) -> None:
    payload = b'"' + b"\\ud83e\\uded6" * 4_000 + b'"'
    frames = text_frame(payload) * 64
    for at in range(0, len(frames), 256_000):  # as uvloop reads them
        greeted.socket.data_received(frames[at : at + 256_000])
        await settled(greeted)

    await until(lambda: len(greeted.events) == 64)
    assert greeted.close_code() is None


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


async def test_after_another_close_a_peer_has_128_frames_to_answer_it(greeted: Chat) -> None:
    greeted.socket.end(Close.DRAINING, "draining, resume")
    greeted.socket.data_received(PING * (LAST_WORDS.frames))
    assert greeted.transport.reading
    before = greeted.transport.raw

    greeted.socket.data_received(PING)
    assert not greeted.transport.reading
    assert (greeted.transport.raw, greeted.close_code()) == (before, 4301)


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


def test_a_persons_allowance_is_kept_until_it_is_full_again() -> None:
    now = [0.0]
    allowances = Allowances(500, clock=lambda: now[0])
    own, person = allowances.of("ana")
    assert own.take(4_000, 0)
    assert person.take(16_000, 0)
    for number in range(2_000):
        allowances.of(f"stranger-{number}")
    assert len(allowances) < 1_100
    assert allowances.of("ana")[1] is person
    assert not person.take(1, 0)

    now[0] = 60.0
    for number in range(2_000):
        allowances.of(f"newcomer-{number}")
    assert allowances.of("ana")[1] is not person


@pytest.mark.parametrize(
    ("messages_per_second", "frames_per_s"), [(0, 20_000), (1, 1_000), (500, 1_000), (5_000, 10_000)]
)
def test_frames_are_twice_the_messages_a_person_may_send(messages_per_second: int, frames_per_s: int) -> None:
    assert Allowances(messages_per_second).connection.frames_per_s == frames_per_s
