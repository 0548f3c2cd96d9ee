"""`GET sync` as a stream of events: the same replay and pushes for plain HTTP, until it ends (D7)."""

import contextlib

from tests.support.gateway_parts import CONNECTIONS_EACH, Parts, signed_in
from tests.support.records import ANA
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


async def test_a_long_replay_flows_through_a_stream_as_fast_as_it_is_taken() -> None:
    parts = Parts()
    token = parts.tokens.now(ANA.user_id)
    texts = [f"{number} " + "x" * 3_900 for number in range(90)]
    say(parts, *texts)
    async with asked(parts, accept="text/event-stream", last_event_id=token) as request:
        await until(lambda: len(request.events) == 92)
    assert contents([data for _, _, data in request.events[1:-1]]) == texts
