"""The dependencies of REST endpoints beside the database: passed with each request, never global."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import connections
from django.http import HttpRequest

from klatsch.api.rates import REQUEST_RATES
from klatsch.archive.progress import Progress
from klatsch.core.bucket import Buckets
from klatsch.core.caps import AtOnce
from klatsch.core.clock import Clock
from klatsch.core.errors import Unavailable
from klatsch.eventlog.log import LogError, LogWriter
from klatsch.messaging.lookup import LogEnds
from klatsch.messaging.marking import Marking

_PORTS = "klatsch.ports"
_WAIT_FOR_PORTS = "klatsch.wait_for_ports"
WAIT_S = 2.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of an api process.

    `log` is a writer that reports. `rates` limits how often a person may send through this process, and `changes` how
    often they may change groups. `waits` bounds how many of their requests may wait for the archive at once.
    `fresh_since_ms` is that of the epoch.

    `marking` gathers how far people have read. `finish` appends the rest of that at the end of the process.

    `check_log` returns when a broker answers within the given seconds, and raises LogError otherwise. After `close`
    nothing is appended any more, and no append is reported as done.
    """

    log: LogWriter
    ends: LogEnds
    progress: Progress
    clock: Clock
    rates: Buckets
    changes: Buckets
    waits: AtOnce
    fresh_since_ms: int
    marking: Marking
    check_log: Callable[[float], None] | None = None
    close: Callable[[], None] = lambda: None
    finish: Callable[[], None] = lambda: None


def ports_of(request: HttpRequest) -> Ports:
    """Returns the ports of the answering process; raises Unavailable while they cannot be made."""
    ports: Ports | None = request.META.get(_PORTS)
    if ports is None:
        wait_for_ports: Callable[[], Ports] | None = request.META.get(_WAIT_FOR_PORTS)
        if wait_for_ports is None:
            raise Unavailable("This process cannot reach the log.")
        ports = wait_for_ports()
    return ports


class WithPorts:
    """A WSGI application whose requests carry the ports, and the buckets of the rate limit on requests.

    The ports are made when a request first needs them. That is after any fork, which a writer's threads would not
    survive. Without a log, people can still sign in and read. A request waits at most `WAIT_S` for the ports. When the
    topic is no longer the known one, the ports are closed, and the next request makes new ones.
    """

    def __init__(
        self,
        application: Callable[..., Iterable[bytes]],
        make_ports: Callable[[Callable[[LogError], None]], Ports],
        request_rates: Buckets,
    ) -> None:
        self._application = application
        self._make_ports = make_ports
        self._request_rates = request_rates
        self._maker = ThreadPoolExecutor(1, thread_name_prefix="ports")
        self._lock = threading.Lock()
        self._made: Future[Ports] | None = None

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ[_WAIT_FOR_PORTS] = self._wait_for_ports
        environ[REQUEST_RATES] = self._request_rates
        return self._application(environ, start_response)

    def _wait_for_ports(self) -> Ports:
        with self._lock:
            if self._made is None or (self._made.done() and self._made.exception() is not None):
                self._made = self._maker.submit(self._make)
            made = self._made
        try:
            return made.result(WAIT_S)
        except (LogError, TimeoutError) as error:
            _log.warning("ports_not_made", error=str(error) or "too slow")
            raise Unavailable("The log cannot be reached. Try again later.", retry_after=1) from error

    def finish(self) -> None:
        """Appends what the process has gathered, at its end."""
        made = self._made
        if made is not None and made.done() and made.exception() is None:
            made.result().finish()

    def _lose(self, error: LogError) -> None:
        _log.error("ports_lost", error=str(error))
        with self._lock:
            lost, self._made = self._made, None
        if lost is not None:  # Closed on another thread: closing waits for the thread that reports the loss.
            self._maker.submit(lambda: lost.result().close())

    def _make(self) -> Ports:
        try:
            return self._make_ports(self._lose)
        finally:
            connections.close_all()  # Closes this thread's connections: no request ends here, which would close them.
