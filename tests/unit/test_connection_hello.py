"""`hello` on a connection: the answer, the allowances, the resume token, and what is pushed from then on."""

import asyncio
from typing import Any

import pytest

from klatsch.gateway.language.protocol import Close
from tests.support.gateway_parts import Parts, signed_in
from tests.support.records import ANA, BOB, TEA, in_group, message
from tests.unit.socket_peer import connected, hello


async def test_hello_is_answered_with_who_one_is_the_limits_and_a_mark() -> None:
    parts = Parts()
    async with connected(parts) as peer:
        welcome, mark = await hello(parts, peer)

    assert peer.sent == [{"type": "websocket.accept", "subprotocol": "klatsch.v1"}]
    assert welcome == {
        "re": 1,
        "ok": {
            "user": "ana",
            "resumed": False,
            "heartbeat": 25,
            "now": "2026-11-23T20:00:00.000Z",
            "limits": {"unanswered": 64, "frame": 65_536, "text": 4_000},
        },
    }
    assert mark == {"t": "mark", "resume": parts.tokens.now(ANA.user_id)}


async def test_a_hello_gives_a_connection_its_own_allowance_and_its_persons() -> None:
    parts = Parts()
    async with connected(parts) as peer:
        await hello(parts, peer)
        own, person = peer.allowances
        async with connected(parts) as again:
            parts.database.answers = [signed_in(ANA)]
            again.say({"id": 1, "op": "hello"})
            await again.reads(2)

            assert again.allowances[1] is person
            assert again.allowances[0] is not own


async def test_a_connection_that_was_closed_during_its_hello_is_allowed_nothing_more() -> None:
    parts = Parts()
    asked, ended = asyncio.Event(), asyncio.Event()

    async def standings() -> list[Any]:
        asked.set()
        await ended.wait()
        return []

    parts.database.answers = [signed_in(ANA), standings]
    async with connected(parts) as peer:
        peer.say({"id": 1, "op": "hello"})
        await asked.wait()
        parts.hub.end(ANA.user_id, "all", "this credential has ended")
        ended.set()

    assert (peer.allowances, [code for code, _ in peer.closed]) == ((), [Close.NOT_AUTHENTICATED])


async def test_a_token_that_is_current_is_resumed_without_a_reset() -> None:
    parts = Parts()
    async with connected(parts) as peer:
        welcome, mark = await hello(parts, peer, resume=parts.tokens.now(ANA.user_id))

    assert (welcome["ok"]["resumed"], mark["t"]) == (True, "mark")


async def test_its_socket_reads_ahead_from_before_the_replay() -> None:
    parts = Parts()
    async with connected(parts) as peer:
        await hello(parts, peer, resume=parts.tokens.now(ANA.user_id))

    assert peer.reads_ahead_from == 0


@pytest.mark.parametrize(
    ("resume", "why"),
    [
        ("1.0123456789abcdef.0:0", "too_far_behind"),
        ("2.0123456789abcdef.0:0", "unknown_epoch"),
        ("forged or absurd", "unknown_epoch"),
        ("1." * 30_000, "unknown_epoch"),
    ],
)
async def test_a_token_that_is_not_current_is_answered_with_a_reset(resume: str, why: str) -> None:
    parts = Parts()
    async with connected(parts) as peer:
        welcome, reset, mark = await hello(parts, peer, resume=resume, count=3)

    assert welcome["ok"]["resumed"] is False
    assert reset == {"t": "reset", "d": {"conversations": [str(TEA)], "why": why, "at_least": mark["resume"]}}


async def test_from_hello_on_what_is_said_is_pushed() -> None:
    parts = Parts()
    async with connected(parts) as peer:
        await hello(parts, peer)
        parts.log.append(message(in_group(BOB), "hi ana"))
        parts.read_log()
        [push] = await peer.reads(1)

    assert push["d"]["content"] == "hi ana"


async def test_a_mark_tells_every_connection_how_far_it_has_come() -> None:
    parts = Parts()
    async with connected(parts) as ana:
        await hello(parts, ana)
        async with connected(parts) as bob:
            await hello(parts, bob, BOB)
            parts.log.append(message(in_group(BOB), "hi"))
            parts.read_log()
            parts.resume_marks.push_all()

            for peer, somebody in ((ana, ANA), (bob, BOB)):
                assert peer.read()[-1] == {"t": "mark", "resume": parts.tokens.now(somebody.user_id)}
    assert parts.tokens.now(ANA.user_id).endswith(".0:1")
