"""Liveness and readiness of an api process. Each check has a deadline and names only itself."""

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
"""The deadline of each check: below the time-outs of load balancers."""

KEPT_S = 1.0
"""The lifetime of a result: below any prober's interval, so that each probe sees a fresh result."""

_NEVER_CACHED = {"Cache-Control": "no-store"}


class NotReady(Exception):
    """Raised by a check of a part that is not ready."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why = why


def livez(request: HttpRequest) -> JsonResponse:  # noqa: ARG001 - Django's signature
    """Answers 200 as long as the process can answer at all; checks nothing."""
    return JsonResponse({"alive": True}, headers=_NEVER_CACHED)


def readyz(request: HttpRequest) -> JsonResponse:
    """Answers 200 when database and log can be used; else 503 with the reasons by name."""
    checks = {"database": check_database, "migrations": check_migrations, "log": lambda: check_log_of(request)}
    missing = _KEPT.find_not_ready(checks)
    status = 503 if missing else 200
    return JsonResponse({"ready": not missing, "not_ready": missing}, status=status, headers=_NEVER_CACHED)


Checks = Mapping[str, Callable[[], None]]


class Readiness:
    """Caches the checks' result for KEPT_S: anybody may ask, and each run costs two PostgreSQL connections.

    One caller runs the checks at a time. Other callers get the previous result, and wait only where there is none yet.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looking = threading.Lock()
        self._found: tuple[float, dict[str, str]] | None = None

    def find_not_ready(self, checks: Checks) -> dict[str, str]:
        """Returns the reasons, by name, of the checks that raise NotReady. Runs them unless a result is cached."""
        found = self._found
        if found is not None and self._clock() - found[0] < KEPT_S:
            return found[1]
        if not self._looking.acquire(blocking=found is None):
            assert found is not None
            return found[1]
        try:
            if self._found is found:  # otherwise another caller ran the checks while this one waited
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
    """Raises NotReady unless PostgreSQL answers, and accepts writes: each request notes the use of its credential."""
    if _ask("SHOW transaction_read_only", deadline_s) != [("off",)]:
        raise NotReady(Why.READ_ONLY)


def check_migrations(deadline_s: float = DEADLINE_S) -> None:
    """Raises NotReady unless every app's last migration has been applied."""
    applied = set(_ask("SELECT app, name FROM django_migrations", deadline_s))
    if not _last_migrations() <= applied:
        raise NotReady(Why.NOT_MIGRATED)


def check_log(ports: Ports, deadline_s: float = DEADLINE_S) -> None:
    """Raises NotReady unless a broker answers, and with the known topic."""
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
    """Runs a statement on a connection of its own: a busy pool is no reason to send requests elsewhere."""
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
    """Returns the migrations that the code needs: they are on the disk and do not change while the process runs."""
    return frozenset(MigrationLoader(None).graph.leaf_nodes())
