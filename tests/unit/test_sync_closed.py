"""A poll that its gateway ends: what its answer has, and from where the next poll continues (D7)."""

import asyncio
from typing import Any

import pytest

from klatsch.gateway.language.protocol import Close
from tests.support.gateway_parts import Parts, signed_in, standing_of
from tests.support.records import ANA, BOB, COFFEE, in_group, message
from tests.support.waiting import until
from tests.unit.sync_request import answered, asked, contents, say

TURNS = 40
"""More turns of the event loop than a poll here has."""


def send_away(parts: Parts) -> None:
    """Closes all connections like a drain, in one turn of the loop."""
    for person, outbox in parts.hub.connections():
        parts.resume_marks.answer_last(person, outbox)
        outbox.close(Close.DRAINING, "draining, resume")


async def load_slowly() -> list[Any]:
    for _ in range(3):
        await asyncio.sleep(0)
    return [standing_of(in_group(ANA))]


@pytest.mark.parametrize("missed", [0, 40])
async def test_a_poll_that_a_drain_ends_brings_a_token_before_which_it_has_told_everything_wherever_the_drain_comes(
    missed: int,
) -> None:
    statuses: set[int] = set()
    for turns in range(TURNS):
        parts = Parts()
        since = parts.tokens.now(ANA.user_id)
        texts = [f"{number} " + "x" * 3_990 for number in range(missed)]
        say(parts, *texts)
        async with asked(parts, f"since={since}", answers=[signed_in(ANA), load_slowly]) as request:
            for _ in range(turns):
                await asyncio.sleep(0)
            send_away(parts)
            say(parts, "read in the same turn of the loop")
            await until(lambda: request.done)
        statuses.add(request.status)
        told: list[str] = []
        if request.status == 200:
            told, since = contents(request.json["pushes"]), request.json["resume"]
        rest = await answered(parts, f"since={since}&wait=0")

        assert told + contents(rest.json["pushes"]) == [*texts, "read in the same turn of the loop"]
    assert statuses == {200, 503}


@pytest.mark.parametrize(
    ("code", "status"),
    [(Close.DRAINING, 503), (Close.LOG_UNAVAILABLE, 503), (Close.SLOW, 503), (Close.NOT_AUTHENTICATED, 401)],
)
async def test_a_poll_whose_replay_is_cut_is_refused_whatever_it_was_told(code: Close, status: int) -> None:
    parts = Parts()
    since = parts.tokens.now(ANA.user_id)
    say(parts, *("x" * 3_990 for _ in range(40)))
    async with asked(parts, f"since={since}&wait=0") as request:
        await in_replay(parts)
        parts.hub.close_all(code, "this is why")
        await until(lambda: request.done)

    assert (request.status, request.json["status"]) == (status, status)


async def in_replay(parts: Parts) -> None:
    """Returns in the turn of the loop in which the first push of a replay was told."""
    sockets: list[Any] = []
    while not any(socket.pushes for socket in sockets):
        await asyncio.sleep(0)
        sockets = [outbox._socket for _, outbox in parts.hub.connections()]


@pytest.mark.parametrize("code", [Close.DRAINING, Close.LOG_UNAVAILABLE])
async def test_what_waits_in_a_polls_outbox_when_it_is_closed_is_brought_by_the_next_poll(code: Close) -> None:
    parts = Parts()
    async with asked(parts, f"since={parts.tokens.now(ANA.user_id)}") as request:
        await until(lambda: parts.hub.audiences)
        say(parts, "told")
        parts.hub.flush = lambda: None  # type: ignore[method-assign]  # as if the feed had failed within a batch
        say(parts, "waits")
        parts.hub.close_all(code, "this is why")
        await until(lambda: request.done)
    del parts.hub.flush
    rest = await answered(parts, f"since={request.json['resume']}&wait=0")

    assert contents(request.json["pushes"]) == ["told"]
    assert contents(rest.json["pushes"]) == ["waits"]


async def test_a_poll_that_ends_with_nothing_has_the_token_of_that_moment() -> None:
    parts = Parts()
    async with asked(parts, f"since={parts.tokens.now(ANA.user_id)}&wait=0") as request:
        while not request.done:  # in each turn of the loop, something comes for others
            parts.log.append(message(in_group(BOB, COFFEE), "not for ana"))
            parts.read_log()
            await asyncio.sleep(0)

    assert request.json == {"resumed": True, "pushes": [], "resume": parts.tokens.now(ANA.user_id)}
