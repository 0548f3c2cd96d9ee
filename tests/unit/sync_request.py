"""A request to `GET sync` at a gateway in memory, as a poll or a stream, and what is answered."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.frames import check_received
from tests.support.gateway_parts import Parts, signed_in, standing_of
from tests.support.records import ANA, BOB, in_group, message
from tests.support.waiting import until

BEARER = {"authorization": "Bearer abc"}


@dataclass
class Request:
    """A request of ana's, and what is answered; `stalls` keeps `send` waiting."""

    parts: Parts
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    done: bool = False
    stalls: bool = False
    stalls_after: int | None = None
    is_stalled: bool = False
    running: asyncio.Future[None] | None = None
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, event: dict[str, Any]) -> None:
        while self.stalls or (
            self.stalls_after is not None and len(self.body) >= self.stalls_after
        ):  # as a full transport
            self.is_stalled = True
            await asyncio.sleep(0)
        self.is_stalled = False
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
        """Returns (event, id, data) of each event that has come."""
        found = []
        for block in self.body.decode().split("\n\n")[:-1]:
            lines = dict(line.split(": ", 1) for line in block.split("\n"))
            if "data" in lines:
                found.append((lines.get("event"), lines.get("id"), json.loads(lines["data"])))
        return found


@asynccontextmanager
async def asked(parts: Parts, query: str = "", answers: Any = None, **headers: str) -> AsyncIterator[Request]:
    """Runs a request until the block ends or it is answered."""
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
