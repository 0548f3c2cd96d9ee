"""Tells an outage of PostgreSQL, which passes, from a wrong statement, which stays wrong however often it is sent."""

from typing import Final

import psycopg
import structlog
from django.db import Error, InterfaceError, OperationalError

from klatsch.core.metrics import STATEMENTS_REFUSED

_log = structlog.get_logger(__name__)

DATABASE_ERRORS: Final = (Error, psycopg.Error)
"""All that Django and psycopg raise for PostgreSQL: an outage, or a statement that it refuses."""

_CLASSES: Final = frozenset({"08", "40", "53", "57", "58"})
"""Connection lost; transaction rolled back (deadlock, serialization); out of disk, memory or connections; stopped or
cancelled by an operator or a time-out; a fault of the server's system.
"""
_STATES: Final = frozenset({"25006", "25P03", "25P04", "55P03"})
"""Read-only while another server takes over; ended by the time-out of an idle session or of a transaction; a lock that
was not to be had in time.
"""


def is_outage(error: BaseException | None) -> bool:
    """Whether the same statement may succeed later. Takes Django's errors and psycopg's; any other is no outage.

    Without an SQLSTATE it is the client that failed: no connection, a connection that was cut, none free in the pool.
    """
    state = sqlstate_of(error)
    if state is not None:
        return state[:2] in _CLASSES or state in _STATES
    return isinstance(error, OperationalError | InterfaceError | psycopg.OperationalError | psycopg.InterfaceError)


def sqlstate_of(error: BaseException | None) -> str | None:
    """PostgreSQL's own code for an error of Django's or psycopg's; None where PostgreSQL gave none."""
    if isinstance(error, Error):
        error = error.__cause__
    return error.sqlstate if isinstance(error, psycopg.Error) else None


def note_failure(event: str, error: BaseException, **fields: object) -> None:
    """Logs what a background process is about to try again: an outage as a warning, all else loudly, and counted."""
    if is_outage(error):
        _log.warning(event, error=type(error).__name__, **fields)
        return
    state = sqlstate_of(error)
    STATEMENTS_REFUSED.labels(state or "none").inc()
    _log.error("statement_refused", during=event, sqlstate=state, exc_info=error, **fields)
