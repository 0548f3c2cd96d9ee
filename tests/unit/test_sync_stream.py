"""`GET sync` as a stream of events: the same replay and pushes for plain HTTP, until it ends (D7)."""

import asyncio
import contextlib

import pytest
from psycopg.errors import UndefinedColumn

from klatsch.core.errors import Unavailable
from tests.support.gateway_parts import CONNECTIONS_EACH, FEW_RECORDS, Parts, signed_in, standing_of
from tests.support.records import ANA, in_group
from tests.support.waiting import until
from tests.unit.sync_request import answered, asked, contents, say


async def test_streams_count_as_sockets() -> None:
    parts = Parts()
    with contextlib.ExitStack() as taken:
        for _ in range(CONNECTIONS_EACH):
            taken.enter_context(parts.sockets.enter(ANA.user_id))
        refused = await answered(parts, answers=[signed_in(ANA)], accept="text/event-stream")
    assert (refused.status, refused.json["code"]) == (429, "rate_limited")


async def test_a_stream_begins_with_hello_and_a_mark_and_goes_on_with_pushes() -> None:
    parts = Parts()
    async with asked(parts, accept="text/event-stream") as request:
        await until(lambda: len(request.events) == 2)
        say(parts, "one", "two")
        parts.resume_marks.push_all()
        await until(lambda: len(request.events) == 5)
        token = parts.tokens.now(ANA.user_id)

    assert request.headers["content-type"] == "text/event-stream"
    (hello, mark, *pushes, last) = request.events
    assert (hello[0], hello[2]["user"], hello[2]["resumed"]) == ("hello", "ana", False)
    assert mark[1] == mark[2]["resume"]
    assert contents([data for _, _, data in pushes]) == ["one", "two"]
    assert [event_id for _, event_id, _ in pushes] == [None, None]
    assert last[1] == token


async def test_a_stream_is_asked_for_in_upper_or_lower_case() -> None:
    async with asked(Parts(), accept="Text/Event-Stream;charset=utf-8") as request:
        await until(lambda: len(request.events) == 2)

    assert request.headers["content-type"] == "text/event-stream"


async def test_a_stream_resumes_from_the_last_event_id() -> None:
    parts = Parts()
    token = parts.tokens.now(ANA.user_id)
    say(parts, "missed")
    async with asked(parts, accept="text/event-stream", last_event_id=token) as request:
        await until(lambda: len(request.events) == 3)

    assert request.events[0][2]["resumed"] is True
    assert contents([request.events[1][2]]) == ["missed"]


async def test_a_stream_tells_why_it_ends() -> None:
    parts = Parts()
    async with asked(parts, accept="text/event-stream") as request:
        await until(lambda: len(request.events) == 2)
        parts.hub.end(ANA.user_id, "all", "this credential has ended")
        await until(lambda: request.done)

    assert request.events[-1] == ("close", None, {"code": 4401, "reason": "this credential has ended"})


async def test_a_stream_whose_peer_stalls_is_given_up_and_holds_up_nobody() -> None:
    parts = Parts()
    async with asked(parts, accept="text/event-stream") as request:
        await until(lambda: len(request.events) == 2)
        request.stalls = True
        say(parts, *("x" * 4_000 for _ in range(100)))
        await until(lambda: not parts.hub.people)
        request.stalls = False


async def test_a_stream_that_is_closed_while_its_peer_is_slow_tells_why_it_ends() -> None:
    parts = Parts()
    async with asked(parts, accept="text/event-stream") as request:
        await until(lambda: len(request.events) == 2)
        request.stalls = True
        say(parts, "one")
        await until(lambda: request.is_stalled)
        parts.hub.end(ANA.user_id, "all", "this credential has ended")
        request.stalls = False
        await until(lambda: request.done)
    assert request.events[-1] == ("close", None, {"code": 4401, "reason": "this credential has ended"})


async def test_a_long_replay_flows_through_a_stream_as_fast_as_it_is_taken() -> None:
    parts = Parts()
    token = parts.tokens.now(ANA.user_id)
    texts = [f"{number} " + "x" * 3_900 for number in range(90)]
    say(parts, *texts)
    async with asked(parts, accept="text/event-stream", last_event_id=token) as request:
        await until(lambda: len(request.events) == 92)
    assert contents([data for _, _, data in request.events[1:-1]]) == texts


async def test_a_stream_whose_replay_finds_the_archive_away_is_closed() -> None:
    parts, token = forgetful()
    answers = [signed_in(ANA), [standing_of(in_group(ANA))], Unavailable("The archive is away.")]
    request = await answered(parts, answers=answers, accept="text/event-stream", last_event_id=token)

    assert request.events[-1] == ("close", None, {"code": 4304, "reason": "The archive is away."})


async def test_a_stream_whose_replay_fails_is_closed_and_the_server_gets_the_failure_to_log() -> None:
    parts, token = forgetful()
    answers = [signed_in(ANA), [standing_of(in_group(ANA))], UndefinedColumn("a wrong statement")]
    with pytest.raises(UndefinedColumn):
        async with asked(parts, answers=answers, accept="text/event-stream", last_event_id=token) as request:
            await until(lambda: request.done)

    assert [event for event, _, _ in request.events] == ["hello", "close"]
    assert request.events[-1][2]["code"] == 4304
    assert parts.hub.people == {}


async def test_a_request_that_is_cancelled_leaves_nothing_behind() -> None:
    parts = Parts()
    with contextlib.suppress(asyncio.CancelledError):
        async with asked(parts, accept="text/event-stream") as request:
            await until(lambda: request.events)
            assert request.running is not None
            request.running.cancel()
    assert parts.hub.people == {}


def forgetful() -> tuple[Parts, str]:
    """Returns a gateway that has forgotten what came after ana's token, so that a replay asks the archive."""
    parts = Parts(recent_bytes=FEW_RECORDS)
    token = parts.tokens.now(ANA.user_id)
    for _ in range(40):
        say(parts, "x" * 2_000)
    assert parts.feed.recent.missing([0])
    return parts, token
