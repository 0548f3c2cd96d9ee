"""`GET sync`: the same replay and pushes for plain HTTP, as a long poll or as a stream of events (D7)."""

import asyncio
import contextlib
import gc
import json
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from klatsch.core.errors import NotAuthenticated, Unavailable
from klatsch.gateway.http.sinks import POLL_BYTES_MOST, poll_bytes_most
from klatsch.gateway.language import protocol
from klatsch.gateway.language.protocol import Close
from tests.support.frames import check_received
from tests.support.gateway_parts import CONNECTIONS_EACH, Parts, signed_in, standing_of
from tests.support.records import ANA, BOB, TEA, in_group, message
from tests.support.waiting import until

BEARER = {"authorization": "Bearer abc"}


@dataclass
class Request:
    """One request of ana's, and what is answered; `stalls` keeps `send` waiting."""

    parts: Parts
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    done: bool = False
    stalls: bool = False
    stalls_after: int | None = None
    running: asyncio.Future[None] | None = None
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, event: dict[str, Any]) -> None:
        while self.stalls or (self.stalls_after is not None and len(self.body) >= self.stalls_after):  # noqa: ASYNC110 - as a transport that is full
            await asyncio.sleep(0)
        if event["type"] == "http.response.start":
            self.status = event["status"]
            self.headers = {name.decode(): value.decode() for name, value in event["headers"]}
        else:
            self.body += event["body"]
            self.done = not event["more_body"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[tuple[str | None, str | None, Any]]:
        """(event, id, data) of each event that has come."""
        found = []
        for block in self.body.decode().split("\n\n")[:-1]:
            lines = dict(line.split(": ", 1) for line in block.split("\n"))
            if "data" in lines:
                found.append((lines.get("event"), lines.get("id"), json.loads(lines["data"])))
        return found


@asynccontextmanager
async def asked(parts: Parts, query: str = "", answers: Any = None, **headers: str) -> AsyncIterator[Request]:
    """A request that runs until the block ends or it is answered."""
    first = not parts.hub.people
    parts.database.answers += (
        [signed_in(ANA), *([[standing_of(in_group(ANA))]] if first else [])] if answers is None else answers
    )
    request = Request(parts)
    sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in (BEARER | headers).items() if value]
    scope = {"method": "GET", "query_string": query.encode(), "headers": sent}
    sync = parts.sync(stall_s=0.2, cors_origins=["https://app.example"])
    running = request.running = asyncio.ensure_future(sync(scope, request.receive, request.send))
    try:
        yield request
    finally:
        request.gone.set()
        async with asyncio.timeout(10):
            await running
        assert parts.hub.people == {} or answers is None


async def answered(parts: Parts, query: str = "", answers: Any = None, **headers: str) -> Request:
    async with asked(parts, query, answers, **headers) as request:
        await until(lambda: request.done)
    return request


def say(parts: Parts, *texts: str) -> None:
    for text in texts:
        parts.log.append(message(in_group(BOB), text))
    parts.read_log()


def contents(pushes: list[Any]) -> list[str]:
    for push in pushes:
        check_received(push)
    return [push["d"]["content"] for push in pushes if push["t"] == "message"]


async def test_a_poll_without_a_token_is_answered_at_once_with_one() -> None:
    parts = Parts()
    say(parts, "before")
    request = await answered(parts)

    assert request.status == 200
    assert request.json == {"resumed": False, "pushes": [], "resume": parts.tokens.now(ANA.user_id)}
    assert request.headers["cache-control"] == "no-store"


async def test_one_poll_more_than_a_person_may_have_is_told_to_come_again() -> None:
    parts = Parts()
    with contextlib.ExitStack() as taken:
        for _ in range(CONNECTIONS_EACH):
            taken.enter_context(parts.polls.enter(ANA.user_id))
        refused = await answered(parts, answers=[signed_in(ANA)])
        assert (refused.status, refused.json["code"], refused.headers["retry-after"]) == (429, "rate_limited", "1")
        assert (await answered(parts, answers=[signed_in(BOB), []])).status == 200
    assert (await answered(parts)).status == 200
    assert not parts.polls._counts


async def test_streams_count_as_sockets() -> None:
    parts = Parts()
    with contextlib.ExitStack() as taken:
        for _ in range(CONNECTIONS_EACH):
            taken.enter_context(parts.sockets.enter(ANA.user_id))
        refused = await answered(parts, answers=[signed_in(ANA)], accept="text/event-stream")
    assert (refused.status, refused.json["code"]) == (429, "rate_limited")


async def test_an_answer_has_the_id_that_the_request_came_with_or_a_new_one() -> None:
    given_one, made = await answered(Parts(), x_request_id="abc-1"), await answered(Parts(), x_request_id="a b\r\nc")
    assert given_one.headers["x-request-id"] == "abc-1"
    assert len(made.headers["x-request-id"]) == 16


async def test_a_poll_with_a_token_brings_what_came_since() -> None:
    parts = Parts()
    first = await answered(parts)
    say(parts, "one", "two")
    second = await answered(parts, f"since={first.json['resume']}")
    third = await answered(parts, f"since={second.json['resume']}&wait=0")

    assert (contents(second.json["pushes"]), second.json["resumed"]) == (["one", "two"], True)
    assert third.json["pushes"] == []


async def test_a_poll_that_would_be_long_ends_early_and_the_next_ones_bring_the_rest() -> None:
    parts = Parts(recent_bytes=2**24)
    token = parts.tokens.now(ANA.user_id)
    for first in range(0, 90, 30):
        say(parts, *(f"{number} " + "€" * 3_990 for number in range(first, first + 30)), "between")
    answers: list[Any] = []
    sizes: list[int] = []
    while not answers or answers[-1]["pushes"]:
        request = await answered(parts, f"since={token}&wait=0")
        answers.append(request.json)
        sizes.append(len(request.body))
        token = request.json["resume"]

    texts = [text.split()[0] for answer in answers for text in contents(answer["pushes"])]
    assert [text for text in texts if text != "between"] == [str(number) for number in range(90)]
    assert texts.count("between") == 3
    assert len(answers) == 3
    assert max(sizes) < POLL_BYTES_MOST + 2 * 65_536


async def test_polls_of_one_person_at_once_share_the_size_of_an_answer_and_each_goes_on_where_it_ended() -> None:
    """Each answer is held until its peer has taken it: 50 of 1 MiB were half of a gateway's memory."""
    parts = Parts(recent_bytes=2**24)
    token = parts.tokens.now(ANA.user_id)
    say(parts, *(f"{number} " + "€" * 3_990 for number in range(90)))
    async with asked(parts, f"since={parts.tokens.now(ANA.user_id)}"):  # the person's first poll, which waits
        await until(lambda: parts.hub.audiences)
        first = await answered(parts, f"since={token}&wait=0")
    rest = await answered(parts, f"since={first.json['resume']}&wait=0")

    told = contents(first.json["pushes"]) + contents(rest.json["pushes"])
    assert [text.split()[0] for text in told] == [str(number) for number in range(90)]
    assert len(first.body) < POLL_BYTES_MOST // 2 + 2 * 65_536


@pytest.mark.parametrize(("polls", "most"), [(1, 1_048_576), (2, 524_288), (16, 65_536), (50, 65_536)])
def test_the_more_polls_a_person_has_the_less_a_further_one_brings(polls: int, most: int) -> None:
    assert poll_bytes_most(polls) == most


async def test_what_comes_live_in_one_go_is_bounded_too_and_the_next_poll_brings_the_rest() -> None:
    parts = Parts(recent_bytes=2**24)
    token = parts.tokens.now(ANA.user_id)
    async with asked(parts, f"since={token}") as request:
        await until(lambda: parts.hub.audiences)
        for number in range(120):  # before the poll's task has its turn
            say(parts, f"{number} " + "€" * 3_990)
        await until(lambda: request.done)
    rest = await answered(parts, f"since={request.json['resume']}&wait=0")

    told = contents(request.json["pushes"]) + contents(rest.json["pushes"])
    assert [text.split()[0] for text in told] == [str(number) for number in range(120)]
    assert len(request.body) < POLL_BYTES_MOST + 65_536


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_when_it_ends_everything_is_let_go_of(accept: str) -> None:
    parts = Parts()
    token = parts.tokens.now(ANA.user_id)
    gc.collect()
    gc.disable()  # what only the collector frees is held for longer than it may be
    try:
        async with asked(parts, f"since={token}", accept=accept) as request:
            await until(lambda: parts.hub.audiences)
            [held] = [weakref.ref(one) for one in sockets_of(parts)]
            say(parts, "one")
            await until(lambda: b"one" in request.body)
        assert held() is None
    finally:
        gc.enable()
    assert len(parts.recheck) == 0


def sockets_of(parts: Parts) -> list[Any]:
    return [outbox._socket for _, outbox in parts.hub.connections()]


@pytest.mark.parametrize("taken", [0, 65_536])
async def test_a_peer_that_takes_nothing_of_a_long_answer_is_given_up(taken: int) -> None:
    parts = Parts()
    token = parts.tokens.now(ANA.user_id)
    say(parts, *("x" * 4_000 for _ in range(100)))
    async with asked(parts, f"since={token}&wait=0") as request:
        request.stalls_after = taken
        assert request.running is not None
        await asyncio.wait_for(request.running, 10)
    assert not request.done
    assert len(request.body) == taken


async def test_a_poll_waits_for_what_comes() -> None:
    parts = Parts()
    token = parts.tokens.now(ANA.user_id)
    async with asked(parts, f"since={token}") as request:
        await until(lambda: parts.hub.audiences)
        parts.resume_marks.push_all()
        assert not request.done
        say(parts, "at last")
        await until(lambda: request.done)

    assert contents(request.json["pushes"]) == ["at last"]
    assert request.json["resume"] == parts.tokens.now(ANA.user_id)


async def test_a_poll_ends_after_its_wait_with_nothing_and_a_token() -> None:
    parts = Parts()
    request = await answered(parts, f"since={parts.tokens.now(ANA.user_id)}&wait=0")
    assert request.json["pushes"] == []


async def test_a_useless_token_is_answered_with_a_reset_and_a_new_one() -> None:
    request = await answered(Parts(), "since=forged")

    assert request.json["resumed"] is False
    [reset] = request.json["pushes"]
    assert reset["d"]["conversations"] == [str(TEA)]


async def test_a_client_that_goes_leaves_nothing_behind() -> None:
    parts = Parts()
    async with asked(parts, f"since={parts.tokens.now(ANA.user_id)}") as request:
        await until(lambda: parts.hub.audiences)
    assert (request.done, parts.hub.people, parts.hub.audiences) == (False, {}, {})


async def test_a_poll_whose_credential_ends_is_401() -> None:
    parts = Parts()
    async with asked(parts, f"since={parts.tokens.now(ANA.user_id)}") as request:
        await until(lambda: parts.hub.audiences)
        parts.hub.end(ANA.user_id, "all", "this credential has ended")
        await until(lambda: request.done)

    assert (request.status, request.json["code"]) == (401, "not_authenticated")
    assert request.headers["www-authenticate"]


async def test_a_poll_on_a_draining_gateway_is_answered_so_that_the_next_goes_elsewhere() -> None:
    parts = Parts()
    async with asked(parts, f"since={parts.tokens.now(ANA.user_id)}") as request:
        await until(lambda: parts.hub.audiences)
        parts.hub.close_all(Close.DRAINING, "draining, resume")
        await until(lambda: request.done)
    assert (request.status, request.json["pushes"]) == (200, [])


@pytest.mark.parametrize(
    ("query", "answers", "headers", "status"),
    [
        ("wait=61", [], {}, 400),
        ("wait=-1", [], {}, 400),
        ("wait=soon", [], {}, 400),
        ("wait=1&wait=2", [], {}, 400),
        ("since=a&since=b", [], {}, 400),
        ("since=" + "1" * 20_000, [], {}, 400),
        ("", [NotAuthenticated("No.")], {}, 401),
        ("", [], {"authorization": ""}, 401),
        ("", [Unavailable("The archive is away.", retry_after=1)], {}, 503),
        ("", [signed_in(ANA), Unavailable("The archive is away.", retry_after=1)], {}, 503),
        ("", [], {"authorization": "", "cookie": "sessionid=abc", "origin": "https://evil.org"}, 403),
        ("", [], {"authorization": "", "cookie": "sessionid=abc", "sec_fetch_site": "cross-site"}, 403),
    ],
)
@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_what_is_refused_is_a_problem(
    query: str, answers: list[Any], headers: dict[str, str], status: int, accept: str
) -> None:
    parts = Parts()
    request = await answered(parts, query, answers, accept=accept, **headers)

    assert (request.status, request.json["status"]) == (status, status)
    assert request.headers["content-type"] == "application/problem+json"
    assert parts.hub.people == {}


@pytest.mark.parametrize("page", [{}, {"origin": "https://chat.example"}, {"sec_fetch_site": "same-origin"}])
async def test_a_page_of_ours_may_use_its_cookie(page: dict[str, str]) -> None:
    request = await answered(Parts(), authorization="", cookie="sessionid=abc", **page)
    assert request.status == 200


async def test_a_page_elsewhere_that_is_named_may_read_the_answer_and_no_other() -> None:
    parts = Parts()
    named = await answered(parts, origin="https://app.example")
    other = await answered(parts, origin="https://evil.org")

    assert named.headers["access-control-allow-origin"] == "https://app.example"
    assert "access-control-allow-origin" not in other.headers


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


@given(st.lists(st.binary(max_size=70_000), max_size=4))
def test_what_was_wired_is_unwired(payloads: list[bytes]) -> None:
    assert list(protocol.unwire(b"".join(map(protocol.wire, payloads)))) == payloads
