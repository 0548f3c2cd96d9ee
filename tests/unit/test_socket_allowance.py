"""Allowances count a peer's frames and bytes, before and after hello, by connection and by person (D12)."""

import pytest

from klatsch.gateway.allowance import BEFORE_HELLO, LAST_WORDS, Allowances
from klatsch.gateway.language.protocol import Close
from tests.support.waiting import until
from tests.unit.socket_chat import Chat
from tests.unit.socket_chat import chat as chat  # noqa: PLC0414 - the fixture
from tests.unit.socket_input import BEGIN, FRAGMENT, PING, PONG, settled, text_frame
from tests.unit.socket_input import greeted as greeted  # noqa: PLC0414 - the fixture

FLOODS = {"pings": PING, "pongs": PONG, "empty fragments": FRAGMENT}


HANDSHAKE = 1
"""The request counts as a frame."""


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
    for each in chats:
        await each.open()
        each.socket.allowances = allowances.of("ana")
        each.socket.data_received(PONG * 4_000)
        await settled(each)

    assert [each.close_code() for each in chats] == [None] * 4 + [4429]
    for each in chats:
        each.lose()


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


async def test_after_another_close_a_peer_has_128_frames_to_answer_it(greeted: Chat) -> None:
    greeted.socket.end(Close.DRAINING, "draining, resume")
    greeted.socket.data_received(PING * (LAST_WORDS.frames))
    assert greeted.transport.reading
    before = greeted.transport.raw

    greeted.socket.data_received(PING)
    assert not greeted.transport.reading
    assert (greeted.transport.raw, greeted.close_code()) == (before, 4301)


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
