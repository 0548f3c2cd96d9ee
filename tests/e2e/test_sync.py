"""One conversation over WebSocket, long polls and server-sent events, with the same token, on real gateways."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import psutil
import pytest

from tests.e2e.talk import Open, Talk
from tests.support.process import GatewayProcess
from tests.support.system import Person

_DEADLINE_S = 20


class Http:
    """Somebody's sync, on a gateway."""

    def __init__(self, gateway: GatewayProcess, person: Person) -> None:
        headers = {"Authorization": f"Bearer {person.token}"}
        self.http = httpx.AsyncClient(
            base_url=gateway.url,
            headers=headers,
            timeout=_DEADLINE_S,
            trust_env=False,
            limits=httpx.Limits(max_connections=200),
        )

    async def poll(self, since: str | None, wait: int = 10) -> dict[str, Any]:
        query: dict[str, str | int] = {"wait": wait} | ({"since": since} if since else {})
        answer = await self.http.get("/api/v1/sync", params=query)
        assert answer.status_code == httpx.codes.OK, answer.text
        found: dict[str, Any] = answer.json()
        return found

    @asynccontextmanager
    async def stream(self, last: str | None) -> AsyncIterator[AsyncIterator[dict[str, str]]]:
        """Yields the events, each as its lines."""
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
        async with self.http.stream("GET", "/api/v1/sync", headers=headers) as answer:
            assert answer.status_code == httpx.codes.OK
            yield self._events(answer)

    @staticmethod
    async def _events(answer: httpx.Response) -> AsyncIterator[dict[str, str]]:
        event: dict[str, str] = {}
        async for line in answer.aiter_lines():
            if line:
                name, _, value = line.partition(": ")
                event[name] = value
            elif event:
                yield event
                event = {}


MakeHttp = Callable[[GatewayProcess, Person], Http]


def _contents(pushes: list[dict[str, Any]]) -> list[str]:
    return [push["d"]["content"] for push in pushes if push["t"] == "message"]


@pytest.fixture
async def http() -> AsyncIterator[MakeHttp]:
    """Makes clients that end with the test."""
    made: list[Http] = []

    def make(gateway: GatewayProcess, person: Person) -> Http:
        made.append(Http(gateway, person))
        return made[-1]

    yield make
    for client in made:
        await client.http.aclose()


async def test_a_client_moves_between_socket_poll_and_stream_and_misses_and_repeats_nothing(
    talk: Talk, gateway_a: GatewayProcess, gateway_b: GatewayProcess, connect: Open, http: MakeHttp
) -> None:
    reader = talk.reader
    await reader.close()
    seen = list(reader.history.contents)
    token = str(reader.token)  # from before the first message
    await talk.say("by poll")
    polled = await http(gateway_a, talk.people[1]).poll(token)
    assert _contents(polled["pushes"]) == ["first", "by poll"]
    await talk.say("by stream")
    async with asyncio.timeout(_DEADLINE_S), http(gateway_b, talk.people[1]).stream(polled["resume"]) as events:
        async for event in events:
            data = json.loads(event["data"])
            if data.get("t") == "message":
                seen.append(data["d"]["content"])
            if "id" in event:
                token = event["id"]
                break
    await talk.say("by socket")
    back = await connect(gateway_a, talk.people[1], resume=token)
    await back.received("by socket")

    assert seen == ["first", "by stream"]
    assert back.history.contents == ["by socket"]
    assert back.history.frames[0]["ok"]["resumed"] is True


async def test_a_poll_is_answered_when_something_comes_and_a_hundred_of_them_hold_no_thread(
    talk: Talk, gateway_b: GatewayProcess, http: MakeHttp
) -> None:
    client = http(gateway_b, talk.people[1])
    token = (await client.poll(None))["resume"]
    warm = [client.poll(token, wait=0) for _ in range(100)]
    await asyncio.gather(*warm)
    process = psutil.Process(gateway_b.pid)
    before = process.num_threads()
    polls = [asyncio.create_task(client.poll(token, wait=60)) for _ in range(100)]
    async with asyncio.timeout(_DEADLINE_S):
        while len(process.net_connections("tcp")) < 100:  # noqa: ASYNC110 - nothing else tells
            await asyncio.sleep(0.05)
    assert process.num_threads() < before + 20  # a few threads ask PostgreSQL, whoever waits
    assert not any(poll.done() for poll in polls)
    await talk.say("for all of them")
    answers = await asyncio.gather(*polls)

    assert all(_contents(answer["pushes"]) == ["for all of them"] for answer in answers)


async def test_a_stream_of_a_revoked_token_is_closed_within_five_seconds(
    talk: Talk, gateway_b: GatewayProcess, http: MakeHttp
) -> None:
    client = http(gateway_b, talk.people[1])
    async with client.stream(None) as events:
        await anext(events)
        async with asyncio.timeout(5):
            answer = await client.http.post("/api/v1/auth/logout")
            assert answer.is_success, answer.text
            last = [event async for event in events][-1]
    assert last["event"] == "close"
    assert json.loads(last["data"])["code"] == 4401


async def test_an_api_description_has_sync_and_a_stranger_gets_a_problem(gateway_a: GatewayProcess) -> None:
    async with httpx.AsyncClient(base_url=gateway_a.url, trust_env=False) as stranger:
        answer = await stranger.get("/api/v1/sync")
        document = (await stranger.get("/api/schema", headers={"Accept": "application/json"})).json()

    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert document["paths"]["/api/v1/sync"]["get"]["operationId"] == "sync"
