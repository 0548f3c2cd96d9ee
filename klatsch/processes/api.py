"""The api: REST, Swagger UI and admin, as WSGI (design.md: six times less CPU a request than Django's ASGI handler)."""

from django.conf import settings
from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels

_BACKLOG = 2_048
_STOP_S = 8


def run(*, host: str, port: int, workers: int) -> None:
    """Serves until SIGTERM or SIGINT; each worker is a process of its own, with a log writer of its own."""
    Granian(
        "klatsch.wsgi:application",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=settings.ENV["KLATSCH_API_THREADS"],
        backlog=_BACKLOG,
        log_level=LogLevels.warning,
        log_access=False,
        log_dictconfig=settings.LOGGING,
        workers_kill_timeout=_STOP_S,
        respawn_failed_workers=True,
    ).serve()
