"""What a command says where PostgreSQL or the log is not as it needs it: one sentence, and status 1."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.core.management.base import CommandError
from django.db import OperationalError, ProgrammingError

from klatsch.eventlog.log import LogError


@contextmanager
def told_in_a_sentence(beginning: str = "") -> Iterator[None]:
    """Raises CommandError, beginning so, for what an operator can mend; what is a fault of ours goes on as it is."""
    try:
        yield
    except LogError as error:
        raise CommandError(f"{beginning}{error}") from error
    except (OperationalError, psycopg.OperationalError) as error:
        raise CommandError(f"{beginning}PostgreSQL does not answer (DATABASE_URL)") from error
    except ProgrammingError as error:
        if not isinstance(error.__cause__, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedColumn):
            raise
        raise CommandError(f"{beginning}PostgreSQL lacks tables of this version: run manage.py migrate") from error
