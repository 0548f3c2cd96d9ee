"""Runs a WSGI application behind granian's RSGI, which keeps header names and streams bodies.

granian's own WSGI folds `X_Forwarded_For` into `X-Forwarded-For`, and lets a slow body hold a thread.
"""

import asyncio
import contextvars
import io
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import quote

from klatsch.core.http_limits import (
    BODY_BYTES_MOST,
    BODY_S,
    BODY_TOO_LARGE,
    READS,
    REQUESTS_A_THREAD,
    TOO_MANY,
    TOO_SLOW,
    Bodies,
    declared_length,
    is_a_name,
)
from klatsch.core.metrics import REFUSED
from klatsch.core.problem_page import answer_of, wants_page
from klatsch.core.problems import Problem

CHANGING_EACH: Final = 4
"""The threads that may wait for the log and the archive, for each that only reads: two thirds of a send is such a wait.

16 threads answered 434 to 479 sends a second, 64 of them 607 to 630 (docs/decisions/0009-wsgi-for-rest.md).
"""
_ASCII: Final = "".join(map(chr, range(128)))
_REPLACED: Final = frozenset({"content-length", "transfer-encoding"})
_CUT_OFF: Final = Problem(400, "bad_request", "The body is shorter than its Content-Length.")

Environ = dict[str, Any]
Answer = tuple[int, list[tuple[str, str]], bytes]
Wsgi = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class Rsgi:
    """Reads a request whole, within the bounds of `klatsch.core.http_limits`, before it takes a thread.

    Read-only requests have `threads` of their own, so that requests that wait for the log do not delay them. These have
    `CHANGING_EACH` times as many, and hold no connection to PostgreSQL while they wait. Of each kind,
    `REQUESTS_A_THREAD` times `threads` may be in progress. `finish` is called at the end.
    """

    def __init__(self, wsgi: Wsgi, threads: int, finish: Callable[[], None] = lambda: None) -> None:
        self._finish = finish
        most = threads * REQUESTS_A_THREAD
        self._reading = _Threads(wsgi, threads, most, "api-reads")
        self._changing = _Threads(wsgi, threads * CHANGING_EACH, most, "api")
        self._bodies = Bodies()

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ends the application: granian calls it when a worker stops."""
        self._finish()

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        threads = self._reading if scope.method in READS else self._changing
        with self._bodies.hold() as body:
            problem = await self._read(scope, protocol, body)
            if problem is None and threads.are_full:
                problem = TOO_MANY
            if problem is None:
                protocol.response_bytes(*await threads.answer(environ_of(scope, bytes(body))))
            else:
                REFUSED.labels(problem.code).inc()
                protocol.response_bytes(*_refusal(problem, scope))

    async def _read(self, scope: Any, protocol: Any, body: bytearray) -> Problem | None:
        """Reads the body into `body`; returns a Problem when it is too large, too slow or cut off.

        granian ends the body of a peer that is gone as if it were whole.
        """
        declared = declared_length(value.encode() for value in scope.headers.get_all("content-length"))
        if declared is None and "transfer-encoding" not in scope.headers:
            return None
        if (declared or 0) > BODY_BYTES_MOST:
            return BODY_TOO_LARGE
        try:
            async with asyncio.timeout(BODY_S):
                problem = await self._bodies.read(body, protocol)
        except TimeoutError:
            return TOO_SLOW
        return _CUT_OFF if problem is None and len(body) < (declared or 0) else problem


class _Threads:
    """A WSGI application in a number of threads. At most `most` requests may be in progress."""

    def __init__(self, wsgi: Wsgi, threads: int, most: int, name: str) -> None:
        self._wsgi = wsgi
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._at_work = 0
        self._at_work_most = most

    @property
    def are_full(self) -> bool:
        return self._at_work >= self._at_work_most

    async def answer(self, environ: Environ) -> Answer:
        self._at_work += 1
        try:
            run = contextvars.copy_context().run
            return await asyncio.get_running_loop().run_in_executor(self._threads, run, self._call, environ)
        finally:
            self._at_work -= 1

    def _call(self, environ: Environ) -> Answer:
        started: list[tuple[int, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:  # noqa: ARG001 - PEP 3333
            started[:] = [(int(status.partition(" ")[0]), headers)]

        parts = self._wsgi(environ, start)
        try:
            body = b"".join(parts)
        finally:
            close = getattr(parts, "close", None)
            if close is not None:  # Django ends the request in `close`.
                close()
        status, headers = started[0]
        return status, [(name.lower(), value) for name, value in headers], body


def environ_of(scope: Any, body: bytes) -> Environ:
    """Returns the request's WSGI environ (PEP 3333) with its body's length. Leaves out names with underscores."""
    server, _, port = scope.server.rpartition(":")
    client, _, client_port = scope.client.rpartition(":")
    environ: Environ = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": quote(scope.query_string, safe=_ASCII),  # not Latin-1: links and redirects repeat it
        "SERVER_NAME": server.strip("[]"),
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": client.strip("[]"),
        "REMOTE_PORT": client_port,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope.headers.items():
        if is_a_name(name) and name not in _REPLACED:
            key = "CONTENT_TYPE" if name == "content-type" else f"HTTP_{name.upper().replace('-', '_')}"
            environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ


def _refusal(problem: Problem, scope: Any) -> Answer:
    page = wants_page(scope.path, ", ".join(scope.headers.get_all("accept")))
    headers, body = answer_of(problem, page=page)
    return problem.status, [(name.lower(), value) for name, value in headers.items()], body
