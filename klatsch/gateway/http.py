"""Plain HTTP on the gateway's port: Django's WSGI app in a bounded pool of threads, and what only the gateway knows."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from a2wsgi import WSGIMiddleware

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Asgi = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


class GatewayHttp:
    """Answers `/readyz` with the feed's part added; everything else is the api's, as measured faster through WSGI."""

    def __init__(self, wsgi: Any, threads: int, ready: Callable[[], Awaitable[dict[str, str]]]) -> None:
        self._api = WSGIMiddleware(wsgi, workers=threads)
        self._ready = ready

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["path"] == "/readyz":
            await self._answer_ready(send)
        else:
            await self._api(scope, receive, send)  # type: ignore[arg-type]  # a2wsgi types ASGI as TypedDicts of its own

    async def _answer_ready(self, send: Send) -> None:
        missing = await self._ready()
        body = json.dumps({"ready": not missing, "not_ready": missing}).encode()
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 503 if missing else 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
