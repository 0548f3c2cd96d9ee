"""Pings: each socket gets one in an interval, and one that answers none is closed with 1011 (RFC 6455, 5.5.2)."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import CloseCode, Frame, Opcode

from klatsch.gateway.keepalive import PAYLOAD_BYTES, Keepalive, read_pong
from klatsch.gateway.language.protocol import Close
from klatsch.gateway.socket import ChatSocket
from klatsch.gateway.turns import SLICE
from tests.support.waiting import until
from tests.unit.socket_chat import Chat
from tests.unit.socket_pings import Replaying, ping, pong

MASKS = st.binary(min_size=4, max_size=4)


class Socket:
    """A socket that answers each ping at once, or none if `is_gone`."""

    read_paused = reads_ahead = False

    def __init__(self, keepalive: Keepalive, *, is_gone: bool = False) -> None:
        self.pings: list[bytes] = []
        self.codes: list[int] = []
        self._keepalive = keepalive
        self._is_gone = is_gone

    def ping(self, frame: bytes) -> None:
        self.pings.append(frame)
        if not self._is_gone:
            self._keepalive.note_pong(self, frame[-PAYLOAD_BYTES:])

    def end(self, code: CloseCode, reason: str) -> None:
        self.codes.append(code)
        self._keepalive.discard(self)


@pytest.fixture
async def chat(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Chat]:
    """Opens a chat whose socket is pinged each time that its `ping_some` is called."""
    monkeypatch.setattr(ChatSocket, "keepalive", Keepalive(1))
    async with Chat() as chat:
        yield chat


@pytest.fixture
async def replaying(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Replaying]:
    """Opens a chat in a replay that the server does not read, as the client has written meanwhile."""
    monkeypatch.setattr(ChatSocket, "keepalive", Keepalive(1))
    async with Replaying() as chat:
        chat.socket.data_received(Frame(Opcode.TEXT, b"hello").serialize(mask=True))
        await chat.is_replaying.wait()
        chat.socket.data_received(Frame(Opcode.TEXT, b"a message").serialize(mask=True))
        assert not chat.transport.reading
        yield chat
        chat.is_replayed.set()


async def test_each_socket_is_pinged_once_in_each_interval_first_after_one() -> None:
    keepalive = Keepalive(5)
    first, second = Socket(keepalive), Socket(keepalive)
    keepalive.add(first)
    counts = []
    for turn in range(15):
        if turn == 2:
            keepalive.add(second)
        keepalive.ping_some()
        counts.append((len(first.pings), len(second.pings)))

    assert [one for one, _ in counts] == [0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3]
    assert [other for _, other in counts] == [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2]


async def test_a_socket_that_left_is_not_pinged_and_not_kept() -> None:
    keepalive = Keepalive(1)
    socket = Socket(keepalive)
    keepalive.add(socket)
    keepalive.discard(socket)
    keepalive.discard(socket)
    keepalive.ping_some()

    assert not socket.pings
    assert len(keepalive) == 0


async def test_an_open_socket_is_pinged_and_a_lost_one_is_not_kept(chat: Chat) -> None:
    keepalive = chat.socket.keepalive
    assert len(keepalive) == 1
    chat.lose()

    assert len(keepalive) == 0


async def test_a_socket_that_the_server_closed_is_not_kept(chat: Chat) -> None:
    chat.socket.end(Close.SLOW, "slow, resume")

    assert len(chat.socket.keepalive) == 0


async def test_many_that_came_together_are_pinged_in_several_turns_of_the_loop() -> None:
    keepalive = Keepalive(1)
    sockets = [Socket(keepalive) for _ in range(3 * SLICE)]
    for socket in sockets:
        keepalive.add(socket)
    keepalive.ping_some()
    at_once = sum(len(socket.pings) for socket in sockets)
    for _ in range(10):
        await asyncio.sleep(0)

    assert at_once == SLICE
    assert [len(socket.pings) for socket in sockets] == [1] * len(sockets)
    assert len({socket.pings[0] for socket in sockets}) == 1


async def test_one_that_leaves_before_its_turn_of_the_loop_is_not_pinged_and_not_kept() -> None:
    keepalive = Keepalive(1)
    sockets = [Socket(keepalive, is_gone=True) for _ in range(3 * SLICE)]
    for socket in sockets:
        keepalive.add(socket)
    keepalive.ping_some()
    for socket in sockets:
        keepalive.discard(socket)
    for _ in range(10):
        await asyncio.sleep(0)

    assert sum(len(socket.pings) for socket in sockets) == SLICE
    assert not keepalive._unanswered


async def test_only_those_that_do_not_answer_are_ended() -> None:
    keepalive = Keepalive(1)
    sockets = [Socket(keepalive, is_gone=number % 2 == 0) for number in range(4)]
    for socket in sockets:
        keepalive.add(socket)
    for _ in range(3):
        keepalive.ping_some()

    assert [socket.codes for socket in sockets] == [[1011], [], [1011], []]
    assert [len(socket.pings) for socket in sockets] == [1, 3, 1, 3]
    assert len(keepalive) == 2


@given(st.binary(min_size=PAYLOAD_BYTES, max_size=PAYLOAD_BYTES), MASKS)
def test_a_pong_of_a_client_is_read_whatever_its_mask(payload: bytes, mask: bytes) -> None:
    assert read_pong(pong(payload, mask)) == payload


@pytest.mark.parametrize(
    "data", [b"", b"\x8a", pong(b"abc"), pong(b"abcde"), pong(b"abcd") + b"\x8a", b"\x81" + pong(b"abcd")[1:]]
)
def test_other_bytes_are_no_pong(data: bytes) -> None:
    assert read_pong(data) == b""


async def test_a_client_that_answers_is_pinged_again_and_stays(chat: Chat) -> None:
    for _ in range(3):
        payload = ping(chat)
        assert len(payload) == PAYLOAD_BYTES
        chat.socket.data_received(pong(payload))

    assert chat.close_code() is None


async def test_a_client_that_does_not_answer_is_closed_with_1011_at_its_next_ping(chat: Chat) -> None:
    ping(chat)
    assert chat.close_code() is None
    ping(chat)

    assert chat.close_code() == 1011


async def test_an_answer_to_no_ping_or_to_an_earlier_one_does_not_count(chat: Chat) -> None:
    first = ping(chat)
    chat.socket.data_received(pong(b"none"))
    chat.socket.data_received(pong(first))
    ping(chat)
    chat.socket.data_received(pong(first))
    ping(chat)

    assert chat.close_code() == 1011


@pytest.mark.parametrize("cut", range(30))
async def test_an_answer_counts_wherever_it_stands_in_the_stream(chat: Chat, cut: int) -> None:
    await until(lambda: chat.socket._is_awaited)
    chat.socket.take = lambda _: True  # so that reading is never paused
    payload = ping(chat)
    texts = Frame(Opcode.TEXT, b"hi").serialize(mask=True), Frame(Opcode.TEXT, b"ho").serialize(mask=True)
    stream = texts[0] + pong(payload) + texts[1]
    for part in (stream[:cut], stream[cut:]):
        if part:
            chat.socket.data_received(part)
        await asyncio.sleep(0)
    ping(chat)

    assert chat.close_code() is None


async def test_an_answer_counts_between_the_fragments_of_a_message(chat: Chat) -> None:
    payload = ping(chat)
    chat.socket.data_received(Frame(Opcode.TEXT, b"h", fin=False).serialize(mask=True))
    chat.socket.data_received(pong(payload))
    ping(chat)
    assert chat.close_code() is None

    chat.socket.data_received(Frame(Opcode.CONT, b"i").serialize(mask=True))
    await until(lambda: chat.events == [{"type": "websocket.receive", "text": "hi"}])


async def test_what_looks_like_an_answer_within_a_frame_is_part_of_that_frame(chat: Chat) -> None:
    inner = pong(ping(chat))
    head = bytes([0x80 | len(inner)]) + bytes(4)  # a mask of zeros leaves the payload as it is
    chat.socket.data_received(b"\x02" + head)
    chat.socket.data_received(inner)
    chat.socket.data_received(b"\x80" + head)
    chat.socket.data_received(inner)
    await until(lambda: [event.get("bytes") for event in chat.events] == [2 * inner])


async def test_what_looks_like_an_answer_within_a_frame_does_not_count(chat: Chat) -> None:
    inner = pong(ping(chat))
    chat.socket.data_received(b"\x02" + bytes([0x80 | len(inner)]) + bytes(4))
    chat.socket.data_received(inner)
    ping(chat)

    assert chat.close_code() == 1011


async def test_answers_without_end_are_a_flood(chat: Chat) -> None:
    for _ in range(200):
        chat.socket.data_received(pong(b"none"))

    assert chat.close_code() == 4429


async def test_a_socket_that_the_server_itself_does_not_read_is_not_closed_for_a_pong_that_waits_there(
    replaying: Replaying,
) -> None:
    waiting = [ping(replaying) for _ in range(4)]
    assert replaying.close_code() is None
    assert len({*waiting, b""}) == 5  # TCP finds by these bytes that a machine is gone

    replaying.is_replayed.set()
    await until(lambda: replaying.transport.reading)
    waiting.append(ping(replaying))  # the loop has not come to read the answers yet
    for payload in waiting:
        replaying.socket.data_received(pong(payload))
    ping(replaying)
    assert replaying.close_code() is None


async def test_a_peer_that_is_gone_is_found_once_its_socket_is_read_again(replaying: Replaying) -> None:
    ping(replaying)
    replaying.is_replayed.set()
    await until(lambda: replaying.transport.reading)
    ping(replaying)
    assert replaying.close_code() is None
    ping(replaying)

    assert replaying.close_code() == 1011
