"""Connections that end: each refusal closes with a code, and the hub keeps nothing of a connection that is gone."""

import asyncio
import contextlib
from typing import Any

import pytest

from klatsch.core.errors import Forbidden, NotAuthenticated, Unavailable
from klatsch.core.metrics import CONNECTIONS
from klatsch.gateway.language import protocol
from klatsch.gateway.language.protocol import Close
from tests.support.gateway_parts import CONNECTIONS_EACH, Parts, signed_in
from tests.support.records import ANA, BOB
from tests.support.waiting import until
from tests.unit.socket_peer import connected, hello, send_frame


async def test_ten_malformed_frames_in_a_row_close_it_as_malformed_and_nine_do_not() -> None:
    parts = Parts()
    async with connected(parts) as peer:
        await hello(parts, peer)
        for _ in range(9):
            peer.say("malformed")
        peer.say(send_frame(2))
        for _ in range(9):
            peer.say("malformed")
        await peer.reads(18)
        assert peer.closed == []

        peer.say("malformed")
        await until(lambda: peer.closed)
    assert [code for code, _ in peer.closed] == [Close.MALFORMED]
    assert len(parts.log.records[0]) == 1


async def test_a_client_that_knows_more_ops_than_the_server_is_told_so_and_stays() -> None:
    parts = Parts()
    async with connected(parts) as peer:
        await hello(parts, peer)
        for frames in (["malformed"] * 9, [{"id": 2, "op": "dance"}] * 12, ["malformed"] * 9):
            for frame in frames:
                peer.say(frame)
        answers = await peer.reads(30)

    codes = [answer["err"]["code"] for answer in answers]
    assert codes == ["bad_request"] * 9 + ["unknown_op"] * 12 + ["bad_request"] * 9
    assert peer.closed == []


async def test_who_offers_no_sub_protocol_is_accepted_and_closed_as_malformed() -> None:
    parts = Parts()
    async with connected(parts, subprotocols=[]) as peer:
        await until(lambda: peer.closed)

    assert peer.sent == [{"type": "websocket.accept"}]
    assert [code for code, _ in peer.closed] == [Close.MALFORMED]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotAuthenticated("Sign in."), Close.NOT_AUTHENTICATED),
        (Forbidden("This account is closed."), Close.FORBIDDEN),
        (Unavailable("The archive is away."), Close.NOT_READY),
    ],
)
async def test_who_cannot_be_signed_in_is_closed_with_the_reasons_code(error: Exception, code: Close) -> None:
    parts = Parts()
    parts.database.answers = [error]
    async with connected(parts) as peer:
        await until(lambda: peer.closed)

    assert [found for found, _ in peer.closed] == [code]
    assert parts.hub.people == {}


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ([], Close.NOT_AUTHENTICATED),
        ([(b"cookie", b"sessionid=abc")], Close.FORBIDDEN),
        ([(b"cookie", b"sessionid=abc"), (b"origin", b"https://evil.org")], Close.FORBIDDEN),
    ],
)
async def test_without_a_credential_or_from_another_page_nobody_is_even_looked_up(headers: Any, code: Close) -> None:
    parts = Parts()
    async with connected(parts, headers=headers) as peer:
        await until(lambda: peer.closed)

    assert [found for found, _ in peer.closed] == [code]
    assert parts.database.asked == 0


async def test_a_gateway_that_is_not_ready_closes_as_not_ready() -> None:
    parts = Parts()
    parts.opening.shut()
    async with connected(parts) as peer:
        await until(lambda: peer.closed)

    assert [code for code, _ in peer.closed] == [Close.NOT_READY]


async def test_a_hello_that_the_archive_cannot_serve_closes_as_not_ready_and_leaves_nobody_in_the_hub() -> None:
    parts = Parts()
    parts.database.answers = [signed_in(ANA), Unavailable("The archive is away.")]
    async with connected(parts) as peer:
        peer.say({"id": 1, "op": "hello"})
        await until(lambda: peer.closed)

    assert [code for code, _ in peer.closed] == [Close.NOT_READY]
    assert parts.hub.people == {}


async def test_no_hello_in_time_closes_as_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HELLO_DEADLINE_S", 0.01)
    parts = Parts()
    parts.database.answers = [signed_in(ANA)]
    async with connected(parts) as peer:
        await until(lambda: peer.closed)

    assert [code for code, _ in peer.closed] == [Close.NOT_READY]


async def test_a_hello_that_takes_too_long_leaves_nobody_in_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HELLO_DEADLINE_S", 0.01)
    parts = Parts()
    parts.database.answers = [signed_in(ANA), asyncio.Event().wait]
    async with connected(parts) as peer:
        peer.say({"id": 1, "op": "hello"})
        await until(lambda: peer.closed)

    assert [code for code, _ in peer.closed] == [Close.NOT_READY]
    assert (parts.hub.people, parts.hub.audiences) == ({}, {})


async def test_a_connection_that_ends_leaves_nothing_behind() -> None:
    parts = Parts()
    before = CONNECTIONS._value.get()
    async with connected(parts) as peer:
        await hello(parts, peer)
        peer.say(send_frame(2))
        await until(lambda: parts.log.records[0])
        assert CONNECTIONS._value.get() == before + 1
        assert parts.hub.audiences
    assert CONNECTIONS._value.get() == before
    assert (parts.hub.people, parts.hub.audiences) == ({}, {})

    parts.read_log()  # its send is answered to nobody
    assert peer.read() == []


async def test_more_sockets_than_a_person_may_have_are_closed_as_flooding_also_before_their_hello() -> None:
    parts = Parts()
    most = CONNECTIONS_EACH
    async with contextlib.AsyncExitStack() as stack:
        parts.database.answers += [signed_in(ANA)] * (most + 1)
        peers = [await stack.enter_async_context(connected(parts)) for _ in range(most + 1)]
        await until(lambda: any(peer.closed for peer in peers))
        assert [[code for code, _ in peer.closed] for peer in peers] == [[]] * most + [[Close.FLOODING]]
        parts.database.answers += [signed_in(BOB)]
        other = await stack.enter_async_context(connected(parts))
        await until(lambda: not parts.database.answers)
        assert not other.closed

        peers[0].hang_up()
        await until(lambda: parts.sockets._counts[ANA.user_id] == most - 1)
        parts.database.answers += [signed_in(ANA)]
        again = await stack.enter_async_context(connected(parts))
        await until(lambda: parts.sockets._counts[ANA.user_id] == most)
        assert not again.closed
    assert not parts.sockets._counts
