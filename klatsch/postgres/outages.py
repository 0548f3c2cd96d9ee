"""Tells an outage of PostgreSQL, which passes, from a wrong statement, which fails at every attempt."""

from typing import Final

import psycopg
import structlog
from django.db import Error, InterfaceError, OperationalError

from klatsch.core.metrics import STATEMENTS_REFUSED

_log = structlog.get_logger(__name__)

DATABASE_ERRORS: Final = (Error, psycopg.Error)
"""The errors of Django and psycopg for PostgreSQL: an outage, or a refused statement."""

_CLASSES: Final = frozenset({"08", "40", "53", "57", "58"})
"""SQLSTATE classes: connection lost; transaction rolled back (deadlock, serialization); out of disk, memory or
connections; stopped or cancelled by an operator or a time-out; a fault of the server's system.
"""
_STATES: Final = frozenset({"25006", "25P03", "25P04", "55P03"})
"""SQLSTATEs: read-only while another server takes over; ended by the time-out of an idle session or of a transaction;
a lock that was not free in time.
"""


def is_outage(error: BaseException | None) -> bool:
    """Returns whether the same statement may succeed later. Takes Django's errors and psycopg's.

    An error without an SQLSTATE comes from the client: a failed or cut connection, or no free one in the pool.
    """
    state = sqlstate_of(error)
    if state is not None:
        return state[:2] in _CLASSES or state in _STATES
    return isinstance(error, OperationalError | InterfaceError | psycopg.OperationalError | psycopg.InterfaceError)


def sqlstate_of(error: BaseException | None) -> str | None:
    """Returns PostgreSQL's own code for an error of Django's or psycopg's; None where PostgreSQL gave none."""
    if isinstance(error, Error):
        error = error.__cause__
    return error.sqlstate if isinstance(error, psycopg.Error) else None


def note_failure(event: str, error: BaseException, **fields: object) -> None:
    """Logs the failure of a retried background job: an outage as a warning, other errors as errors, and counted."""
    if is_outage(error):
        _log.warning(event, error=type(error).__name__, **fields)
        return
    state = sqlstate_of(error)
    STATEMENTS_REFUSED.labels(state or "none").inc()
    _log.error("statement_refused", during=event, sqlstate=state, exc_info=error, **fields)
