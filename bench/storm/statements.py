"""SQL statements of one gateway, counted by PostgreSQL: it logs each of them, and the lines are counted here.

pg_stat_statements would do, but the embedded PostgreSQL does not have it, and it must be loaded when a server starts.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

import psycopg

_LOGGED = re.compile(r"\[\d+\].* LOG:  (?:statement|execute [^:]*): ?(.*)")
_KINDS = (
    # By a name that only that kind of statement has; the first that fits.
    ("sign-in", "accounts_tokenuse"),
    ("re-check", "auth_hash"),
    ("resume", "messaging_logoffset"),
    ("resume", "messaging_message"),
    ("resume", "messaging_membershipinterval"),
    ("membership", "conversations_member"),
)
_SHOWN_CHARACTERS = 100


class StatementLog:
    """PostgreSQL's log. Only connections by `url` have their statements logged."""

    def __init__(self, path: Path) -> None:
        self.url = _logging(os.environ["DATABASE_URL"])
        self._path = path
        self._begin = 0

    def begin(self) -> None:
        """Starts counting statements."""
        self._begin = self._path.stat().st_size

    def count(self) -> Counter[str]:
        """Returns the counts by kind; other statements are named by their first words."""
        with self._path.open("rb") as file:
            file.seek(self._begin)
            return count_statements(file.read().decode(errors="replace").splitlines())


def count_statements(lines: Iterable[str]) -> Counter[str]:
    """Counts the statements of a log with `log_statement = all`, whose further lines begin with a tab."""
    statements: list[str] = []
    continued = False
    for line in lines:
        if line.startswith("\t"):
            if continued:
                statements[-1] += " " + line.strip()
            continue
        logged = _LOGGED.search(line)
        continued = logged is not None
        if logged is not None:
            statements.append(logged[1].strip())
    return Counter(kind_of(statement) for statement in statements)


def kind_of(statement: str) -> str:
    found = next((kind for kind, name in _KINDS if name in statement), None)
    return found or " ".join(statement.split())[:_SHOWN_CHARACTERS]


def open_log(chosen: Path | None) -> StatementLog | str:
    """Returns the log, after a statement that proves that it can be read; else why its lines cannot be counted."""
    proof = f"bench {os.urandom(8).hex()}"
    try:
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            row = connection.execute("SELECT current_setting('log_statement'), current_setting('data_directory')")
            log_statement, folder = row.fetchone() or ("", "")
        path = chosen or Path(folder).parent / "postgres.log"  # where the embedded one writes
        log = StatementLog(path)
        log.begin()
        with psycopg.connect(log.url, autocommit=True) as connection:
            connection.execute(f"SELECT '{proof}'".encode())
        if log_statement != "none" or not any(proof in statement for statement in log.count()):
            return f"log_statement is {log_statement} for everybody, or {path} is not where PostgreSQL logs to"
    except (psycopg.Error, OSError) as error:
        return f"{error}".strip()
    return log


def _logging(url: str) -> str:
    options = quote("-c log_statement=all", safe="")
    return f"{url}{'&' if '?' in url else '?'}options={options}"
