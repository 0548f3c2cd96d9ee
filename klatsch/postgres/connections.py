"""Connections to PostgreSQL outside Django's pool, for threads that keep their own."""

import math
from typing import Any, Final

import psycopg
from django.db import connection

from klatsch.postgres.base import AnsweredConnection

_DJANGOS: Final = ("cursor_factory", "context", "prepare_threshold")
"""Parameters that only Django's cursors use."""
_KEEPALIVES: Final = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
_SILENT_S: Final = 10.0


def connect(
    role: str,
    *,
    autocommit: bool = False,
    silent_s: float = _SILENT_S,
    connect_s: float | None = None,
    options: str = "",
) -> psycopg.Connection[Any]:
    """Connects to Django's database as `klatsch-<role>`; raises psycopg.OperationalError.

    A server that vanished is noticed after `silent_s` instead of TCP's quarter of an hour. An answer may take twice as
    long, as PostgreSQL's own time-outs come first: a frozen server, backend or proxy keeps TCP content. `connect_s` is
    the longest attempt, in whole seconds for libpq. `options` is added to the server's options.
    """
    parameters = connection.get_connection_params()
    for name in _DJANGOS:
        parameters.pop(name, None)
    parameters |= _KEEPALIVES | {"tcp_user_timeout": math.ceil(silent_s * 1_000), "application_name": f"klatsch-{role}"}
    if connect_s is not None:
        parameters["connect_timeout"] = math.ceil(connect_s)
    if options:
        parameters["options"] = f"{parameters.get('options', '')} {options}"
    made = AnsweredConnection.connect(**parameters, autocommit=autocommit)
    made.answer_s = 2 * silent_s
    return made
