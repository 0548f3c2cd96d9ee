"""`GET /api/v1/sync`: the WebSocket's pushes over plain HTTP, with the same tokens. A wait holds no thread."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec
from structlog.contextvars import bind_contextvars

from klatsch.core.bucket import Buckets, check_requests
from klatsch.core.caps import AtOnce
from klatsch.core.errors import BadRequest, FieldError, Forbidden, KlatschError, NotAuthenticated, Unavailable
from klatsch.core.problems import Problem
from klatsch.core.tracing import accept_id
from klatsch.gateway.arrivals import Arrival, Arrivals
from klatsch.gateway.handshake import Credentials
from klatsch.gateway.http.answers import JSON, Answer, Header, Receive, Send
from klatsch.gateway.http.sinks import EventSocket, PollSocket, poll_bytes_most
from klatsch.gateway.hub import ConnectedPerson
from klatsch.gateway.language.protocol import Close, push_mark
from klatsch.gateway.language.tokens import Tokens
from klatsch.gateway.outbox import Outbox
from klatsch.gateway.resuming import Resuming

PATH: Final = "/api/v1/sync"
WAIT_MOST_S: Final = 60
_WAIT_S: Final = 30
_COMMENT_EVERY_S: Final = 15.0
_EVENTS: Final = "text/event-stream"


class Sync:
    """Answers polls and streams, by the first type in `Accept`.

    `stall_s` is how long a stream's peer may take nothing. Pages of `cors_origins` may read the answers. A stream
    counts among its person's `sockets`.
    """

    def __init__(
        self,
        *,
        arrivals: Arrivals,
        resuming: Resuming,
        tokens: Tokens,
        sockets: AtOnce,
        polls: AtOnce,
        requests: Buckets,
        stall_s: float,
        cors_origins: list[str],
    ) -> None:
        self._arrivals = arrivals
        self._resuming = resuming
        self._tokens = tokens
        self._sockets = sockets
        self._polls = polls
        self._requests = requests
        self._stall_s = stall_s
        self._cors_origins = cors_origins

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        request_id = accept_id(headers.get("x-request-id", ""))
        bind_contextvars(request=request_id)  # in this request's task alone
        answer = Answer(send, [(b"x-request-id", request_id.encode()), *self._cors(headers.get("origin"))])
        answering = asyncio.ensure_future(self._answer(scope, headers, answer))
        gone = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait({answering, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _end(answering, gone)

    async def _answer(self, scope: dict[str, Any], headers: dict[str, str], answer: Answer) -> None:
        try:
            since, wait_s = _read_query(scope["query_string"].decode("latin-1"), headers.get("last-event-id"))
            arrival = await self._arrivals.authenticate(_credentials(headers))
            user_id = str(arrival.user.id)
            check_requests(self._requests, user_id, time.monotonic())
            if headers.get("accept", "").strip().lower().startswith(_EVENTS):  # like browsers' EventSource
                with self._sockets.enter(user_id):
                    await self._stream(arrival, since, answer)
            else:
                with self._polls.enter(user_id) as polls:
                    await self._poll(arrival, since, wait_s, answer, poll_bytes_most(polls))
        except KlatschError as error:
            await answer.refuse(Problem.of(error))

    async def _poll(self, arrival: Arrival, since: str | None, wait_s: float, answer: Answer, bytes_most: int) -> None:
        body = await self._collect(arrival, since, wait_s, bytes_most)  # a slow peer keeps only this body
        await answer.slowly(200, JSON, body, self._stall_s)

    async def _collect(self, arrival: Arrival, since: str | None, wait_s: float, bytes_most: int) -> bytes:
        """Returns the answer to a poll: about `bytes_most` of pushes, and the token of the reached place."""
        user_id = str(arrival.user.id)
        socket = PollSocket(lambda: self._tokens.now(user_id), bytes_most)
        resumed: list[bool] = []
        async with self._joined(arrival, socket) as (person, outbox):
            await self._resuming.resume(person, outbox, since, resumed.append, socket.is_full)
            if since is not None and not socket.pushes:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await socket.news.wait()
                # The mark follows all pushes until now. A closed outbox takes none, as it misses what comes.
                outbox.answer(push_mark(self._tokens.now(user_id)))
            token = _reached(socket)
        pushes = [msgspec.Raw(push) for push in socket.pushes]
        return msgspec.json.encode({"resumed": resumed == [True], "pushes": pushes, "resume": token})

    async def _stream(self, arrival: Arrival, since: str | None, answer: Answer) -> None:
        socket = EventSocket()
        async with self._joined(arrival, socket) as (person, outbox):
            await answer.start(200, _EVENTS, (b"x-accel-buffering", b"no"))
            replaying = asyncio.ensure_future(self._replay(person, outbox, socket, since))
            try:
                await self._send_events(socket, answer)
            finally:
                await _end(replaying)

    async def _replay(self, person: ConnectedPerson, outbox: Outbox, socket: EventSocket, since: str | None) -> None:
        """Replays what was missed. A failure ends the stream, which would otherwise stay open without any pushes."""
        try:
            await self._resuming.resume(
                person, outbox, since, lambda resumed: socket.welcome(self._resuming.welcome(person, resumed=resumed))
            )
        except Unavailable as error:
            outbox.close(Close.NOT_READY, error.detail)
        except Exception:
            outbox.close(Close.NOT_READY, "the replay failed, resume")
            raise

    async def _send_events(self, socket: EventSocket, answer: Answer) -> None:
        while True:
            try:
                async with asyncio.timeout(_COMMENT_EVERY_S):
                    events = await socket.take()
            except TimeoutError:
                events = b": still here\n\n"
            is_last = socket.closed  # as of these events: a close that comes while they are written has its own
            try:
                async with asyncio.timeout(self._stall_s):
                    await answer.more(events, last=is_last)
            except TimeoutError:
                return
            if is_last:
                return

    @contextlib.asynccontextmanager
    async def _joined(
        self, arrival: Arrival, socket: PollSocket | EventSocket
    ) -> AsyncIterator[tuple[ConnectedPerson, Outbox]]:
        with self._arrivals.connected(socket) as outbox:
            async with self._arrivals.joined(arrival, outbox) as person:
                yield person, outbox

    def _cors(self, origin: str | None) -> list[Header]:
        if origin is None or origin not in self._cors_origins:
            return []
        return [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"Origin")]


def _reached(socket: PollSocket) -> str:
    """Returns the token before which the poll was told everything; raises NotAuthenticated or Unavailable.

    A poll whose replay was cut has no token. A closed poll without pushes is refused too, unless by a drain: its token
    is good at other gateways.
    """
    code, reason = socket.closed or (None, "")
    if socket.token is not None and (socket.pushes or code in {None, Close.DRAINING}):
        return socket.token
    if code is Close.NOT_AUTHENTICATED:
        raise NotAuthenticated(f"{reason[:1].upper()}{reason[1:]}.")
    raise Unavailable("This gateway is closing the connection. Try again.", retry_after=1)


def _read_query(query: str, last_event_id: str | None) -> tuple[str | None, float]:
    """Returns `since` (or `Last-Event-ID`, which browsers send) and `wait` in seconds; raises BadRequest."""
    values = parse_qs(query, keep_blank_values=True)
    for name in ("since", "wait"):
        if len(values.get(name, ())) > 1:
            raise BadRequest(
                f"{name} was given more than once.", fields=(FieldError(name, "repeated", "Give it at most once."),)
            )
    since = last_event_id or values.get("since", [""])[0] or None
    wait = values.get("wait", [str(_WAIT_S)])[0]
    if not (wait.isascii() and wait.isdigit() and len(wait) <= 2 and int(wait) <= WAIT_MOST_S):  # noqa: PLR2004 - digits
        raise BadRequest(
            "wait must be a whole number of seconds.",
            fields=(FieldError("wait", "invalid", f"Use 0 to {WAIT_MOST_S}."),),
        )
    return since, int(wait)


def _credentials(headers: dict[str, str]) -> Credentials:
    """Returns a bearer token or the session's cookie. Raises Forbidden when a page of another site uses the cookie.

    A browser names the origin of another site's page always, and of its own page only with unsafe methods. A missing
    origin is therefore this site's. Without CORS, pages of other sites cannot read the answer anyway.
    """
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return Credentials(None, token.strip(), cookies=None, origin=None)
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise Forbidden("This page's origin may not use the session cookie here.")
    origin = headers.get("origin")
    return Credentials(None, None, cookies=headers.get("cookie"), origin=origin, own_page=origin is None)


async def _end(*tasks: asyncio.Future[None]) -> None:
    """Cancels the tasks, and returns when all have ended; raises the failure of one, which uvicorn logs."""
    for task in tasks:
        task.cancel()
    for ended in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
