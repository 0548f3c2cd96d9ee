"""The parts of the process that REST endpoints use beside the database: handed to each request, never global."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import connections
from django.http import HttpRequest

from klatsch.archive.progress import Progress
from klatsch.core.bucket import Buckets
from klatsch.core.caps import AtOnce
from klatsch.core.clock import Clock
from klatsch.core.errors import Unavailable
from klatsch.eventlog.log import LogError, LogWriter
from klatsch.messaging.lookup import LogEnds

_PORTS = "klatsch.ports"
_WAIT_FOR_PORTS = "klatsch.wait_for_ports"
WAIT_S = 2.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ports:
    """`log` is a writer that reports. `rates` says how often a person may send through this process, `changes`
    how often they may change groups, and `waits` how many of their requests may wait for the archive at once.

    `check_log` returns when a broker answers within so many seconds, and raises LogError otherwise. After `close`
    nothing is appended any more, and no append is reported as done.
    """

    log: LogWriter
    ends: LogEnds
    progress: Progress
    clock: Clock
    rates: Buckets
    changes: Buckets
    waits: AtOnce
    check_log: Callable[[float], None] | None = None
    close: Callable[[], None] = lambda: None


def ports_of(request: HttpRequest) -> Ports:
    """The ports of the process that answers; raises Unavailable while they cannot be made."""
    ports: Ports | None = request.META.get(_PORTS)
    if ports is None:
        wait_for_ports: Callable[[], Ports] | None = request.META.get(_WAIT_FOR_PORTS)
        if wait_for_ports is None:
            raise Unavailable("This process has no way to the log.")
        ports = wait_for_ports()
    return ports


class WithPorts:
    """A WSGI application whose requests carry the ports.

    They are made when a request first needs them: after any fork, as the threads of a writer do not survive one, and so
    that without a log people can still log in and read. No request waits for them longer than `WAIT_S`. Ports that are
    lost, as the topic is not the known one any more, are closed, and the next request has others made.
    """

    def __init__(
        self,
        application: Callable[..., Iterable[bytes]],
        make_ports: Callable[[Callable[[LogError], None]], Ports],
    ) -> None:
        self._application = application
        self._make_ports = make_ports
        self._maker = ThreadPoolExecutor(1, thread_name_prefix="ports")
        self._lock = threading.Lock()
        self._made: Future[Ports] | None = None

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ[_WAIT_FOR_PORTS] = self._wait_for_ports
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
            raise Unavailable("The log cannot be reached. Try again.", retry_after=1) from error

    def _lose(self, error: LogError) -> None:
        _log.error("ports_lost", error=str(error))
        with self._lock:
            lost, self._made = self._made, None
        if lost is not None:  # closed on another thread than that which says so, as it waits for that one
            self._maker.submit(lambda: lost.result().close())

    def _make(self) -> Ports:
        try:
            return self._make_ports(self._lose)
        finally:
            connections.close_all()  # this thread's: no request ends here that would
