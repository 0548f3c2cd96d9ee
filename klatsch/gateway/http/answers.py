"""HTTP answers that the gateway gives itself, as ASGI messages: whole, or in parts as the peer takes them."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from klatsch.core.metrics import REFUSED
from klatsch.core.problem_page import answer_of, wants_page
from klatsch.core.problems import Problem

Header = tuple[bytes, bytes]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Asgi = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

JSON: Final = "application/json"
_PART_BYTES: Final = 65_536


class Answer:
    """The one HTTP answer of a request, which no cache keeps. `headers` are added to any answer."""

    def __init__(self, send: Send, headers: Sequence[Header] = ()) -> None:
        self._send = send
        self._headers = headers

    async def start(self, status: int, content_type: str, *headers: Header) -> None:
        common = [(b"content-type", content_type.encode()), (b"cache-control", b"no-store")]
        all_headers = [*common, *self._headers, *headers]
        await self._send({"type": "http.response.start", "status": status, "headers": all_headers})

    async def more(self, body: bytes, *, last: bool) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": not last})

    async def whole(self, status: int, content_type: str, body: bytes, *headers: Header) -> None:
        await self.start(status, content_type, (b"content-length", b"%d" % len(body)), *headers)
        await self.more(body, last=True)

    async def slowly(self, status: int, content_type: str, body: bytes, stall_s: float) -> None:
        """Sends a body that may be long; breaks off when the peer takes nothing for `stall_s`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(stall_s):
                await self.start(status, content_type, (b"content-length", b"%d" % len(body)))
            for first in range(0, len(body), _PART_BYTES):  # each is cut when it is sent: a slow peer holds one body
                after = first + _PART_BYTES
                async with asyncio.timeout(stall_s):
                    await self.more(body[first:after], last=after >= len(body))

    async def refuse(self, problem: Problem, *headers: Header, page: bool = False) -> None:
        """Answers with the problem, as a page where a person at a browser asks, and counts it."""
        REFUSED.labels(problem.code).inc()
        said, body = answer_of(problem, page=page)
        content_type = said.pop("Content-Type")
        said.pop("Cache-Control")  # `start` says so of each answer
        own = [(name.lower().encode(), value.encode()) for name, value in said.items()]
        await self.whole(problem.status, content_type, body, *own, *headers)


def is_for_page(scope: dict[str, Any]) -> bool:
    """Returns whether a refusal of the request is to be a page."""
    return wants_page(scope["path"], dict(scope["headers"]).get(b"accept", b"").decode("latin-1"))


async def answer_as_made(send: Send, status: int, headers: Sequence[Header], body: bytes) -> None:
    """Sends an answer that Django has made, or one without a body."""
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})
