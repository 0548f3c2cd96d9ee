"""Answers to HTTP/1.0, which uvicorn would send in chunks."""

from collections.abc import Awaitable, Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


class WithoutChunks:
    """An ASGI application for HTTP/1.0, which has no chunks: a body without a length ends with the connection."""

    def __init__(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._cycle = cycle
        self._app = app
        self._has_length = False

    async def __call__(self, scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        async def send_plain(message: Any) -> None:
            if message["type"] == "http.response.start":
                self._has_length = any(name.lower() == b"content-length" for name, _ in message.get("headers", []))
                if not self._has_length:
                    self._cycle.chunked_encoding = False
            elif not self._has_length:  # uvicorn requires that more is sent where more was promised
                more = int(message.get("more_body", False))
                self._cycle.expected_content_length = len(message.get("body", b"")) + more
            await send(message)

        await self._app(scope, receive, send_plain)
