"""ChatSocket during a replay: what the client writes meanwhile is read, so that its pings are answered (D12, D14)."""

from collections.abc import AsyncIterator

import pytest
from websockets.frames import Frame, Opcode

from klatsch.gateway.allowance import Allowances
from klatsch.gateway.keepalive import Keepalive
from klatsch.gateway.socket import ChatSocket
from tests.support.waiting import until
from tests.unit.socket_pings import Replaying, ping, pong


def text(payload: bytes) -> bytes:
    return Frame(Opcode.TEXT, payload).serialize(mask=True)


@pytest.fixture
async def replaying(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Replaying]:
    """Opens a chat in a replay, whose client has written a message behind its hello."""
    monkeypatch.setattr(ChatSocket, "keepalive", Keepalive(1))
    async with Replaying() as chat:
        chat.socket.allowances = Allowances(500, clock=lambda: 0.0).of("ana")
        chat.socket.data_received(text(b"hello"))
        await chat.is_replaying.wait()
        chat.socket.data_received(text(b"first"))
        yield chat
        chat.is_replayed.set()


def is_answered(chat: Replaying) -> bool:
    """Pings as the client; returns whether that was answered. A transport that does not read takes nothing."""
    chat.client.send_ping(b"alive")
    if chat.transport.reading:
        chat.from_client()
    return [frame.opcode for frame in chat.frames()] == [Opcode.PONG]


async def test_pings_behind_messages_are_answered_during_a_replay(replaying: Replaying) -> None:
    assert not is_answered(replaying)
    replaying.socket.read_ahead()
    replaying.from_client()
    replaying.frames()
    replaying.socket.data_received(text(b"second"))
    assert is_answered(replaying)

    replaying.is_replayed.set()
    await until(lambda: len(replaying.events) == 3)
    assert [event["text"] for event in replaying.events] == ["hello", "first", "second"]


async def test_messages_that_came_at_once_with_a_ping_are_read_ahead_too(replaying: Replaying) -> None:
    replaying.client.send_ping(b"alive")
    replaying.socket.data_received(text(b"x" * 5_000) + b"".join(replaying.client.data_to_send()))
    assert replaying.frames() == []

    replaying.socket.read_ahead()
    await until(lambda: [frame.opcode for frame in replaying.frames()] == [Opcode.PONG])


@pytest.mark.parametrize(("size", "most"), [(1, 64), (2_000, 33), (5_000, 14), (60_000, 2)])
async def test_at_most_64_messages_and_about_64_kib_are_read_ahead(replaying: Replaying, size: int, most: int) -> None:
    replaying.socket.read_ahead()
    count = 0
    while replaying.transport.reading:
        replaying.socket.data_received(text(b"x" * size))
        count += 1
    assert count == most

    replaying.is_replayed.set()
    await until(lambda: len(replaying.events) == 2 + most)
    assert replaying.transport.reading


async def test_after_a_replay_reading_stops_for_a_busy_application_as_before(replaying: Replaying) -> None:
    replaying.socket.read_ahead()
    replaying.is_replayed.set()
    await until(lambda: len(replaying.events) == 2)
    replaying.socket.data_received(text(b"one") + text(b"another"))

    assert not replaying.transport.reading


async def test_a_client_is_not_closed_for_an_answer_that_comes_late_behind_a_replay(replaying: Replaying) -> None:
    replaying.socket.read_ahead()
    for _ in range(4):
        ping(replaying)
    assert replaying.close_code() is None

    replaying.is_replayed.set()
    await until(lambda: len(replaying.events) == 2)
    replaying.socket.data_received(pong(ping(replaying)))
    ping(replaying)
    assert replaying.close_code() is None
    ping(replaying)
    assert replaying.close_code() == 1011
