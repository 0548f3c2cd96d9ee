"""A pipelined request, or an upgrade, does not hide the end of the connection from the answer before it (D12)."""

import pytest

from klatsch.gateway.socket import ChatSocket
from tests.support.waiting import until
from tests.unit.http_peer import EVENTS, HELLO, UPGRADE, Peer


@pytest.mark.parametrize(
    "behind",
    [b"", HELLO, HELLO + EVENTS, HELLO * 1_000, UPGRADE, HELLO + UPGRADE, HELLO[:20], b"\0\0\0\r\n\r\n"],
    ids=["nothing", "a request", "a stream", "many requests", "an upgrade", "both", "a part of a head", "no request"],
)
async def test_a_stream_ends_with_its_connection_whatever_came_behind_its_request(behind: bytes) -> None:
    peer = Peer()
    peer.send(EVENTS)
    await until(lambda: peer.answers() == 1)
    peer.send(behind)
    (peer.wire.protocol or peer.protocol).connection_lost(ConnectionResetError())
    peer.wire.closing = True
    await until(lambda: peer.streams_ended == 1)
    assert b"nobody reads this" not in peer.wire.raw
    assert b"/hello" not in {scope["path"] for scope in peer.scopes}


async def test_a_websocket_ends_the_answers_to_the_requests_before_it_and_its_frames_are_read() -> None:
    peer = Peer()
    peer.send(EVENTS)
    await until(lambda: peer.answers() == 1)
    peer.send(HELLO + UPGRADE)
    await until(lambda: peer.streams_ended == 1)
    await until(lambda: len(peer.scopes) == 2)
    assert isinstance(peer.wire.protocol, ChatSocket)
    assert peer.wire.reading
    assert b"nobody reads this" not in peer.wire.raw
    assert peer.protocol.timeout_keep_alive_task is None


async def test_an_upgrade_behind_an_answer_that_its_peer_does_not_take_is_cut_off() -> None:
    peer = Peer()
    peer.send(EVENTS)
    await until(lambda: peer.answers() == 1)
    peer.protocol.pause_writing()  # a socket on this transport would not be paused, and its queue not bounded
    peer.send(UPGRADE)
    assert peer.wire.aborted
    assert peer.wire.protocol is None
