"""Whether this process lives, and whether it can do its work: each check has a deadline and names only itself."""

import functools
import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, JsonResponse

from klatsch.api.ports import Ports, ports_of
from klatsch.core.errors import Unavailable
from klatsch.core.readiness import Why
from klatsch.eventlog.log import LogError, TopicChanged
from klatsch.postgres.connections import connect
from klatsch.postgres.outages import DATABASE_ERRORS

DEADLINE_S = 2.0
"""Of each check: below the time-outs of the balancers that ask."""

KEPT_S = 1.0
"""Below the time between two looks of any prober, so that each of one prober's finds what is so now."""

_NEVER_CACHED = {"Cache-Control": "no-store"}


class NotReady(Exception):
    """A part is not ready."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why = why


def livez(request: HttpRequest) -> JsonResponse:  # noqa: ARG001 - Django's signature
    """200 as long as the process can answer at all; asks nobody."""
    return JsonResponse({"alive": True}, headers=_NEVER_CACHED)


def readyz(request: HttpRequest) -> JsonResponse:
    """200 when database and log can be used; else 503 with the reasons by name."""
    checks = {"database": check_database, "migrations": check_migrations, "log": lambda: check_log_of(request)}
    missing = _KEPT.find_not_ready(checks)
    status = 503 if missing else 200
    return JsonResponse({"ready": not missing, "not_ready": missing}, status=status, headers=_NEVER_CACHED)


Checks = Mapping[str, Callable[[], None]]


class Readiness:
    """Keeps what was found missing for KEPT_S: anybody may ask, and each look costs two connections to PostgreSQL.

    One asker looks at a time. Whoever comes meanwhile gets what was found before, and waits only where nothing was yet.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looking = threading.Lock()
        self._found: tuple[float, dict[str, str]] | None = None

    def find_not_ready(self, checks: Checks) -> dict[str, str]:
        """Runs all the checks, or has just done so: the reasons, by name, of those that raise NotReady."""
        found = self._found
        if found is not None and self._clock() - found[0] < KEPT_S:
            return found[1]
        if not self._looking.acquire(blocking=found is None):
            assert found is not None
            return found[1]
        try:
            if self._found is found:  # else somebody else has looked while this one waited
                self._found = (self._clock(), _run(checks))
            return self._found[1] if self._found is not None else {}
        finally:
            self._looking.release()


_KEPT = Readiness()


def _run(checks: Checks) -> dict[str, str]:
    missing: dict[str, str] = {}
    for name, check in checks.items():
        try:
            check()
        except NotReady as reason:
            missing[name] = reason.why
    return missing


def check_database(deadline_s: float = DEADLINE_S) -> None:
    """Raises NotReady unless PostgreSQL answers."""
    _ask("SELECT 1", deadline_s)


def check_migrations(deadline_s: float = DEADLINE_S) -> None:
    """Raises NotReady unless every app's last migration has been applied."""
    applied = set(_ask("SELECT app, name FROM django_migrations", deadline_s))
    if not _last_migrations() <= applied:
        raise NotReady(Why.NOT_MIGRATED)


def check_log(ports: Ports, deadline_s: float = DEADLINE_S) -> None:
    """Raises NotReady unless a broker answers, with the known topic."""
    if ports.check_log is None:
        return
    try:
        ports.check_log(deadline_s)
    except TopicChanged as error:
        raise NotReady(Why.ANOTHER_TOPIC) from error
    except LogError as error:
        raise NotReady(Why.DOES_NOT_ANSWER) from error
    except DATABASE_ERRORS as error:
        raise NotReady(Why.CANNOT_BE_COMPARED) from error


def check_log_of(request: HttpRequest) -> None:
    try:
        ports = ports_of(request)
    except (Unavailable, *DATABASE_ERRORS) as error:
        raise NotReady(Why.CANNOT_BE_REACHED) from error
    check_log(ports)


def _ask(statement: str, deadline_s: float) -> list[tuple[Any, ...]]:
    """Not through the pool: that all its connections are busy is no reason to send requests elsewhere."""
    timeout = f"-c statement_timeout={math.ceil(deadline_s * 1_000)}"
    try:
        with connect("health", autocommit=True, silent_s=deadline_s, connect_s=deadline_s, options=timeout) as fresh:
            return fresh.execute(statement).fetchall()
    except psycopg.errors.UndefinedTable as error:
        raise NotReady(Why.NOT_MIGRATED) from error
    except DATABASE_ERRORS as error:
        raise NotReady(Why.DOES_NOT_ANSWER) from error


@functools.cache
def _last_migrations() -> frozenset[tuple[str, str]]:
    """What the code wants applied: it is on the disk, and does not change while the process runs."""
    return frozenset(MigrationLoader(None).graph.leaf_nodes())
