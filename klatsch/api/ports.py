"""The parts of the process that REST endpoints use beside the database: handed to each request, never global."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import Error as DatabaseError
from django.http import HttpRequest

from klatsch.core.clock import Clock
from klatsch.core.errors import Unavailable
from klatsch.eventlog.log import LogError, LogWriter
from klatsch.messaging.archive_progress import Progress

_KEY = "klatsch.ports"
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
    ports = request.META.get(_KEY)
    if not isinstance(ports, Ports):
        raise Unavailable("The log cannot be reached. Try again.", retry_after=1)
    return ports


class WithPorts:
    """A WSGI application whose requests carry the ports.

    They are made at the first request, so after any fork: the threads of a writer do not survive one. What needs no
    port is answered while they cannot be made.
    """

    def __init__(self, application: Callable[..., Iterable[bytes]], make_ports: Callable[[], Ports]) -> None:
        self._application = application
        self._make_ports = make_ports
        self._making = threading.Lock()
        self._ports: Ports | None = None

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ[_KEY] = self._ports or self._make()
        return self._application(environ, start_response)

    def _make(self) -> Ports | None:
        with self._making:
            if self._ports is None:
                try:
                    self._ports = self._make_ports()
                except (LogError, DatabaseError) as error:
                    _log.error("ports_not_made", error=str(error))
            return self._ports
