"""Ends of commands: one sentence and exit status 1 without PostgreSQL or the log, and none without a reader."""

import errno
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from django.core.management.base import CommandError

from klatsch.eventlog.log import LogError
from klatsch.postgres.outages import DATABASE_ERRORS, is_outage, sqlstate_of

_OF_PORT: Final = frozenset({errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES})
_CLOSED_PIPE: Final = 128 + signal.SIGPIPE
_FORBIDDEN: Final = psycopg.errors.InsufficientPrivilege.sqlstate
_LACKING: Final = {psycopg.errors.UndefinedTable.sqlstate, psycopg.errors.UndefinedColumn.sqlstate}


@contextmanager
def told_of_port(port: int) -> Iterator[None]:
    """Raises CommandError for errors that say that nothing can listen on the port; other errors propagate."""
    try:
        yield
    except OverflowError as error:
        raise CommandError(f"port {port} cannot be used: ports are 0 to 65535") from error
    except OSError as error:
        if error.errno not in _OF_PORT and not isinstance(error, socket.gaierror):
            raise
        raise CommandError(f"port {port} cannot be used: {error.strerror}") from error


@contextmanager
def told_in_a_sentence(beginning: str = "") -> Iterator[None]:
    """Raises CommandError, with this beginning, for errors that an operator can fix; other errors propagate."""
    try:
        yield
    except LogError as error:
        raise CommandError(f"{beginning}{error}") from error
    except DATABASE_ERRORS as error:
        if is_outage(error):
            raise CommandError(f"{beginning}PostgreSQL does not answer. Check DATABASE_URL") from error
        if sqlstate_of(error) == _FORBIDDEN:
            raise CommandError(f"{beginning}PostgreSQL does not allow this to the role in DATABASE_URL") from error
        if sqlstate_of(error) not in _LACKING:
            raise
        raise CommandError(f"{beginning}PostgreSQL lacks tables of this version. Run manage.py migrate") from error


@contextmanager
def ended_by_reader() -> Iterator[None]:
    """Ends the command when nobody reads its output any more, as `head` does, with the status of a closed pipe."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Python writes what is left at its exit, and would complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_CLOSED_PIPE)
