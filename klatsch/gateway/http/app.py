"""Plain HTTP on the gateway's port: Django's WSGI app in a bounded thread pool, and the gateway's own endpoints."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, Generic, TypeVar

from a2wsgi import WSGIMiddleware

from klatsch.accounts.hashing import HashingSlots, hashes_password
from klatsch.accounts.limits import network_of
from klatsch.core.caps import AtOnce
from klatsch.core.errors import Unavailable
from klatsch.core.exposition import CONTENT_TYPE, exposition, may_read
from klatsch.core.http_limits import READS, REQUESTS_A_THREAD, TOO_MANY
from klatsch.core.problems import Problem
from klatsch.gateway.http.answers import JSON, Answer, Receive, Send, is_for_page
from klatsch.gateway.http.sync import PATH, Sync

_READ_ONLY: Final = Problem(405, "method_not_allowed", "This resource is read-only. Use GET.")
_METRICS_PAUSE_S: Final = 0.1
"""The shortest time from one text of metrics to the next: each takes 4 to 8 ms of the event loop."""
Answered = TypeVar("Answered")


class RequestThreads:
    """Django's WSGI app in a number of threads; refuses requests at once when too many wait for them."""

    def __init__(self, wsgi: Any, threads: int) -> None:
        self._api = WSGIMiddleware(wsgi, workers=threads)
        self._most = threads * REQUESTS_A_THREAD
        self.at_work = 0

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if self.at_work >= self._most:
            await Answer(send).refuse(TOO_MANY, page=is_for_page(scope))
            return
        self.at_work += 1
        sending = _Sending(send)
        try:
            await self._api(scope, receive, sending)  # type: ignore[arg-type]  # a2wsgi has TypedDicts of its own
        finally:
            self.at_work -= 1
        if sending.failure is not None:
            raise sending.failure


class _Sending:
    """Sends an answer's parts; drops those after a failure, for which a2wsgi would keep the thread for ever."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.failure: Exception | None = None

    async def __call__(self, part: dict[str, Any]) -> None:
        if self.failure is None:
            try:
                await self._send(part)
            except Exception as error:  # noqa: BLE001 - raised once the thread has ended
                self.failure = error


class GatewayHttp:
    """Routes a gateway's HTTP requests.

    `/readyz` adds the feed's part. `/metrics` runs on the event loop, where its values live. `/livez` does too, as
    busy threads are no reason to end a process. `sync` is the gateway's own. All else is the api's, which measured
    faster through WSGI. Requests that hash passwords have their own threads, and so have read-only ones: neither waits
    for the others.
    """

    def __init__(
        self,
        wsgi: Any,
        threads: int,
        slots: HashingSlots,
        ready: Callable[[], Awaitable[dict[str, str]]],
        fold: Callable[[], None],
        metrics_token: str,
        sync: Sync,
    ) -> None:
        self._sync = sync
        self._reading_threads = RequestThreads(wsgi, threads)
        self._changing_threads = RequestThreads(wsgi, threads)
        self._hashing_threads = RequestThreads(wsgi, slots.room + 1)  # one more, which refuses requests without a slot
        self._of_one_place = AtOnce(
            slots.of_one_place,
            cap="hashing",
            refusal=Unavailable,
            detail="Too many sign-ins at once. Try again in a moment.",
        )
        self._ready = ready
        self._fold = fold
        self._metrics_token = metrics_token
        self._metrics = Together(self._expose)
        self._exposed_s = 0.0

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["path"] == "/livez":
            await Answer(send).whole(200, JSON, b'{"alive": true}')
        elif scope["path"] == "/readyz":
            await self._answer_ready(send)
        elif scope["path"] == "/metrics":
            await self._answer_metrics(scope, send)
        elif scope["path"] == PATH and scope["method"] == "GET":
            await self._sync(scope, receive, send)
        elif scope["path"] == PATH and scope["method"] != "OPTIONS":
            await Answer(send).refuse(_READ_ONLY, (b"allow", b"GET, OPTIONS"))
        elif hashes_password(scope["method"], scope["path"]):
            await self._answer_hashing(scope, receive, send)
        elif scope["method"] in READS:
            await self._reading_threads(scope, receive, send)
        else:
            await self._changing_threads(scope, receive, send)

    async def _answer_hashing(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Refuses a burst from one network here, at a tenth of the cost of a thread."""
        try:
            with self._of_one_place.enter(_place(scope)):
                await self._hashing_threads(scope, receive, send)
        except Unavailable as error:
            await Answer(send).refuse(Problem.of(error))

    async def _answer_ready(self, send: Send) -> None:
        missing = await self._ready()
        body = json.dumps({"ready": not missing, "not_ready": missing}).encode()
        await Answer(send).whole(503 if missing else 200, JSON, body)

    async def _answer_metrics(self, scope: dict[str, Any], send: Send) -> None:
        authorization = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
        if may_read(authorization, self._metrics_token):
            await Answer(send).whole(200, CONTENT_TYPE, await self._metrics.result())
        else:
            needed = b"Send the metrics token.\n"
            await Answer(send).whole(401, "text/plain", needed, (b"www-authenticate", b"Bearer"))

    async def _expose(self) -> bytes:
        """Returns the metrics as they are after the pause: they are never older than the request."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(self._exposed_s + _METRICS_PAUSE_S - loop.time())
        self._fold()
        self._exposed_s = loop.time()
        return exposition()


class Together(Generic[Answered]):
    """Asks once for all concurrent callers: they wait on the event loop, and hold no thread."""

    def __init__(self, ask: Callable[[], Coroutine[Any, Any, Answered]]) -> None:
        self._ask = ask
        self._asking: asyncio.Task[Answered] | None = None

    async def result(self) -> Answered:
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._ask())
        return await asyncio.shield(self._asking)


def _place(scope: dict[str, Any]) -> str:
    """Returns the request's client network, as limits count it."""
    forwarded = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return network_of((scope.get("client") or ("",))[0], ",".join(forwarded))
