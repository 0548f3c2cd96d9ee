"""Guards a gateway's HTTP: Django's checks for requests that Django does not answer, and whole bodies."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final, Protocol

from klatsch.core.http_limits import Bodies
from klatsch.gateway.http.answers import Answer, Asgi, Receive, Send, answer_as_made, is_for_page
from klatsch.gateway.http.sync import PATH

WITHOUT_DJANGO: Final = frozenset({PATH, "/livez", "/readyz", "/metrics"})


class Checked(Protocol):
    """A request that passed, with headers for its answer; or else the whole refusal."""

    @property
    def passed(self) -> bool: ...
    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> list[tuple[bytes, bytes]]: ...
    @property
    def body(self) -> bytes: ...


class Door:
    """Admits what `check` passes, and hands on whole bodies with their length.

    WSGI has no chunks, and a slow body must not hold a thread.
    """

    def __init__(self, application: Asgi, check: Callable[[dict[str, Any]], Checked]) -> None:
        self._application = application
        self._check = check
        self._bodies = Bodies()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["path"] in WITHOUT_DJANGO:
            await self._answer_checked(scope, receive, send)
        elif _has_body(scope):
            await self._answer_with_body(scope, receive, send)
        else:
            await self._application(scope, receive, send)

    async def _answer_checked(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        checked = self._check(scope)
        if not checked.passed:
            await answer_as_made(send, checked.status, checked.headers, checked.body)
        elif scope["method"] == "OPTIONS":
            methods = b"GET, OPTIONS" if scope["path"] == PATH else b"GET, HEAD, OPTIONS"
            await answer_as_made(send, 204, [(b"allow", methods), *checked.headers], b"")
        else:
            await self._application(scope, receive, _with_headers(send, checked.headers))

    async def _answer_with_body(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        with self._bodies.hold() as body:
            try:
                problem = await self._bodies.read(body, _parts(receive))
            except _Gone:
                return
            if problem is None:
                await self._application(_with_length(scope, len(body)), _given(bytes(body), receive), send)
            else:
                await Answer(send).refuse(problem, (b"connection", b"close"), page=is_for_page(scope))


class _Gone(Exception):
    """Raised when the peer disconnects before the end of its body."""


async def _parts(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise _Gone
        yield event.get("body", b"")
        more = event.get("more_body", False)


def _has_body(scope: dict[str, Any]) -> bool:
    return any(name in {b"content-length", b"transfer-encoding"} for name, _ in scope["headers"])


def _with_length(scope: dict[str, Any], length: int) -> dict[str, Any]:
    kept = [(n, v) for n, v in scope["headers"] if n not in {b"content-length", b"transfer-encoding"}]
    return {**scope, "headers": [*kept, (b"content-length", str(length).encode())]}


def _given(body: bytes, receive: Receive) -> Receive:
    """Returns a receive that yields the body once, and then further events."""
    events = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_given() -> dict[str, Any]:
        return events.pop() if events else await receive()

    return receive_given


def _with_headers(send: Send, headers: list[tuple[bytes, bytes]]) -> Send:
    async def send_with(part: dict[str, Any]) -> None:
        if part["type"] == "http.response.start":
            said = {name for name, _ in part["headers"]}
            part = {**part, "headers": [*part["headers"], *((n, v) for n, v in headers if n not in said)]}
        await send(part)

    return send_with
