"""Outages and wrong statements are told apart once, for all that ask PostgreSQL."""

import django.db
import psycopg
import psycopg_pool
import pytest
from psycopg import errors
from structlog.testing import capture_logs

from klatsch.api.errors import problem_of
from klatsch.core.metrics import STATEMENTS_REFUSED
from klatsch.postgres.outages import is_outage, note_failure

OUTAGES = [
    psycopg.OperationalError("connection refused"),
    psycopg.InterfaceError("the connection is closed"),
    psycopg_pool.PoolTimeout("couldn't get a connection"),
    errors.ConnectionFailure(),
    errors.DeadlockDetected(),
    errors.SerializationFailure(),
    errors.DiskFull(),
    errors.TooManyConnections(),
    errors.QueryCanceled(),
    errors.AdminShutdown(),
    errors.CannotConnectNow(),
    errors.IoError(),
    errors.ReadOnlySqlTransaction(),
    errors.TransactionTimeout(),
    errors.LockNotAvailable(),
]
FAULTS = [
    errors.UndefinedColumn(),
    errors.UndefinedTable(),
    errors.SyntaxError(),
    errors.InsufficientPrivilege(),
    errors.ProgramLimitExceeded(),
    errors.InFailedSqlTransaction(),
    errors.NotNullViolation(),
    errors.InvalidTextRepresentation(),
    psycopg.ProgrammingError("the query has 1 placeholder but 0 parameters were passed"),
    django.db.transaction.TransactionManagementError("in an atomic block"),
    ValueError("no error of PostgreSQL's at all"),
    None,
]
IN_DJANGO = {
    kind: getattr(django.db, kind.__name__)
    for kind in (
        psycopg.OperationalError,
        psycopg.InterfaceError,
        psycopg.ProgrammingError,
        psycopg.IntegrityError,
        psycopg.DataError,
        psycopg.InternalError,
    )
}


def wrapped(error: psycopg.Error) -> Exception:
    """Returns the error as Django raises it."""
    kind = next(ours for theirs, ours in IN_DJANGO.items() if isinstance(error, theirs))
    raised: Exception = kind("somebody's row")
    raised.__cause__ = error
    return raised


@pytest.mark.parametrize("error", OUTAGES, ids=lambda error: type(error).__name__)
def test_what_may_succeed_later_is_an_outage_and_answered_503(error: psycopg.Error) -> None:
    assert is_outage(error)
    assert is_outage(wrapped(error))
    problem = problem_of(wrapped(error))
    assert problem is not None
    assert (problem.status, problem.code, problem.retry_after) == (503, "unavailable", 2)


@pytest.mark.parametrize("error", FAULTS, ids=lambda error: type(error).__name__)
def test_what_stays_wrong_is_no_outage_however_its_class_is_called(error: Exception | None) -> None:
    assert not is_outage(error)
    if isinstance(error, psycopg.Error):
        assert not is_outage(wrapped(error))
        problem = problem_of(wrapped(error))
        assert problem is None or problem.status == 400  # none: Django answers 500 and logs the traceback


def test_a_background_process_says_a_wrong_statement_with_its_sqlstate_and_traceback_and_counts_it() -> None:
    counter = STATEMENTS_REFUSED.labels("42703")
    before = counter._value.get()
    with capture_logs() as lines:
        note_failure("archive_unavailable", errors.UndefinedColumn("column seq does not exist"), retry_in_s=0.1)
        note_failure("archive_unavailable", errors.AdminShutdown())
    refused, away = lines
    assert (refused["event"], refused["log_level"]) == ("statement_refused", "error")
    assert (refused["during"], refused["sqlstate"], refused["retry_in_s"]) == ("archive_unavailable", "42703", 0.1)
    assert isinstance(refused["exc_info"], errors.UndefinedColumn)
    assert (away["event"], away["log_level"]) == ("archive_unavailable", "warning")
    assert counter._value.get() == before + 1
