"""The api process: REST, Swagger UI and admin over WSGI, at a sixth of the ASGI handler's CPU time (decisions/0009)."""

import socket

from django.conf import settings
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from klatsch.core.http_limits import HEAD_BYTES_MOST, HEAD_S

_BACKLOG = 2_048
_STOP_S = 8


def check_port(*, host: str, port: int) -> None:
    """Raises OSError where nothing can listen: Granian would say so with a traceback of Rust."""
    socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()


def run(*, host: str, port: int, workers: int) -> None:
    """Serves until SIGTERM or SIGINT; each worker is a process of its own, with a log writer of its own."""
    Granian(
        "klatsch.processes.api_worker:application",
        address=host,
        port=port,
        interface=Interfaces.RSGI,
        websockets=False,
        http=HTTPModes.http1,  # HTTP/2 has bounds of its own, and proxies do not use it towards servers
        http1_settings=HTTP1Settings(header_read_timeout=int(HEAD_S * 1_000), max_buffer_size=HEAD_BYTES_MOST),
        workers=workers,
        backlog=_BACKLOG,
        log_level=LogLevels.warning,
        log_access=False,
        log_dictconfig=settings.LOGGING,
        workers_kill_timeout=_STOP_S,
        respawn_failed_workers=True,
    ).serve()
