"""`GET sync` as a long poll, and what polls share with streams: refusals, and that nothing is kept afterwards (D7)."""

import asyncio
import contextlib
import gc
import weakref
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from klatsch.core.errors import NotAuthenticated, Unavailable
from klatsch.gateway.http.sinks import POLL_BYTES_MOST, poll_bytes_most
from klatsch.gateway.language import protocol
from klatsch.gateway.language.protocol import Close
from tests.support.gateway_parts import CONNECTIONS_EACH, Parts, signed_in
from tests.support.records import ANA, BOB, TEA
from tests.support.waiting import until
from tests.unit.sync_request import answered, asked, contents, say


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


@pytest.mark.parametrize("token", ["forged", "1." * 7_000])
async def test_a_useless_token_is_answered_with_a_reset_and_a_new_one(token: str) -> None:
    request = await answered(Parts(), f"since={token}")

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


@given(st.lists(st.binary(max_size=70_000), max_size=4))
def test_what_was_wired_is_unwired(payloads: list[bytes]) -> None:
    assert list(protocol.unwire(b"".join(map(protocol.wire, payloads)))) == payloads
