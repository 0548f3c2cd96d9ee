"""The parts of the process that REST endpoints use beside the database: handed to each request, never global."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import structlog
from django.http import HttpRequest

from klatsch.core.clock import Clock
from klatsch.core.errors import Unavailable
from klatsch.eventlog.log import LogError, LogWriter
from klatsch.messaging.archive_progress import Progress

_PORTS = "klatsch.ports"
_MAKE_PORTS = "klatsch.make_ports"
_WAIT_S = 2.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ports:
    """`check_log` returns when a broker answers within so many seconds, and raises LogError otherwise."""

    log: LogWriter
    progress: Progress
    clock: Clock
    check_log: Callable[[float], None] | None = None


def ports_of(request: HttpRequest) -> Ports:
    """The ports of the process that answers; raises Unavailable while they cannot be made."""
    ports: Ports | None = request.META.get(_PORTS)
    if ports is None:
        make_ports: Callable[[], Ports] | None = request.META.get(_MAKE_PORTS)
        if make_ports is None:
            raise Unavailable("This process has no way to the log.")
        ports = make_ports()
    return ports


class WithPorts:
    """A WSGI application whose requests carry the ports.

    They are made by the first request that needs them: after any fork, as the threads of a writer do not survive one,
    and so that without a log people can still log in and read.
    """

    def __init__(self, application: Callable[..., Iterable[bytes]], make_ports: Callable[[], Ports]) -> None:
        self._application = application
        self._make_ports = make_ports
        self._making = threading.Lock()
        self._ports: Ports | None = None

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ[_PORTS] = self._ports
        environ[_MAKE_PORTS] = self._make_once
        return self._application(environ, start_response)

    def _make_once(self) -> Ports:
        # A log that does not answer takes one thread's time, and not all of them for as long.
        if not self._making.acquire(timeout=_WAIT_S):
            raise Unavailable("The log does not answer. Try again.", retry_after=1)
        try:
            if self._ports is None:
                self._ports = self._make_or_refuse()
            return self._ports
        finally:
            self._making.release()

    def _make_or_refuse(self) -> Ports:
        try:
            return self._make_ports()
        except LogError as error:
            _log.warning("ports_not_made", error=str(error))
            raise Unavailable("The log cannot be reached. Try again.", retry_after=1) from error
