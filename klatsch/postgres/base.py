"""Django's PostgreSQL backend, in which no thread waits long for a connection, or for ever for an answer."""

import math
import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar, Final

import psycopg
from django.db import connection
from django.db.backends.postgresql import base
from psycopg_pool import PoolTimeout

WAIT_S: Final = 5.0
"""The time that a thread waits for a connection of the pool, while PostgreSQL is not known to be away."""
LOOK_S: Final = 0.25
"""The pool's own time-out: at this interval, the waiting thread checks whether PostgreSQL is away meanwhile."""
PROBE_EVERY_S: Final = 0.2
"""The interval between attempts to reach a PostgreSQL that is away."""
_PROBE_TIMEOUT_S: Final = 2
"""The minimum of libpq."""
ANSWER_S: Final = 20.0
"""The time that a server process waits for the answer to a statement. Statements take milliseconds."""
CLEAN_UP_ANSWER_S: Final = 300.0
"""The time that a persister waits for the answer to a statement: its clean-ups read whole tables."""
IDLE_S: Final = 10.0
"""The time after which PostgreSQL ends a server process's transaction that runs no statement."""

_PREPARE_THRESHOLD: Final = 2**31
"""The repetitions after which psycopg prepares a statement unasked: only what `prepared_cursor` runs is prepared."""

_BOUND: Final = """
    SELECT set_config(name, most, false)
    FROM (
        SELECT name, most, (SELECT setting::bigint FROM pg_settings WHERE pg_settings.name = bounds.name) AS present
        FROM (VALUES ('statement_timeout', %s), ('idle_in_transaction_session_timeout', %s)) AS bounds (name, most)
    ) AS found
    WHERE present = 0 OR present > most::bigint"""
"""Leaves alone what an operator has set lower, such as for the role."""

Connect = Callable[..., psycopg.Connection[Any]]


class _PreparedCursor(psycopg.Cursor[Any]):
    def execute(self, query: Any, params: Any = None, **_: Any) -> "_PreparedCursor":
        return super().execute(query, params, prepare=True)


class AnsweredConnection(psycopg.Connection[Any]):
    """A connection that is given up once a statement has no answer for `answer_s`; None waits for ever.

    A frozen server or proxy, or one behind a broken network, closes no connection.
    """

    answer_s: float | None = None

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """Runs psycopg's own steps of a statement; raises OperationalError, and closes, after `answer_s`."""
        if timeout is not None or self.answer_s is None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.answer_s)
        except psycopg.errors._WaitTimeout as error:  # noqa: SLF001 - psycopg has no public name for it
            self.pgconn.finish()
            raise psycopg.OperationalError(f"PostgreSQL did not answer within {self.answer_s:g} s") from error


class BoundedConnection(AnsweredConnection):
    """A connection of Django's pool. A process sets `answer_s` for all of them; a command leaves it None.

    PostgreSQL is told the same bounds: it does not notice that the client of a waiting statement is gone, nor that the
    client of an open transaction is frozen. Statements that were given up would take one connection after the other,
    and the transaction would keep its locks.
    """

    idle_s: ClassVar[float] = IDLE_S

    @classmethod
    def connect(cls, *args: Any, **kwargs: Any) -> "BoundedConnection":
        """Connects as psycopg does, and bounds the statements and transactions of the new session."""
        made = super().connect(*args, **kwargs)
        if cls.answer_s is not None:
            try:
                made.execute(_BOUND, [str(math.ceil(bound_s * 1_000)) for bound_s in (cls.answer_s, cls.idle_s)])
                made.commit()
            except BaseException:
                made.close()
                raise
        return made


class Reachability:
    """Makes the pool's connections, and learns from the last attempt whether PostgreSQL is away.

    In an outage, one thread at a time tries to connect. The others get an error at once.
    """

    def __init__(
        self, connect: Connect = BoundedConnection.connect, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._connect = connect
        self._clock = clock
        self._probing = threading.Lock()
        self._next_probe = 0.0
        self.is_away = False

    def __deepcopy__(self, _memo: dict[int, Any]) -> "Reachability":
        """Returns itself: Django copies a wrapper's settings, which hold this object, for other threads."""
        return self

    def connect(self, *args: Any, **kwargs: Any) -> psycopg.Connection[Any]:
        """Connects for the pool, which calls this object like a class of connections."""
        try:
            made = self._connect(*args, **kwargs)
        except psycopg.OperationalError:
            self.is_away = True
            raise
        self.is_away = False
        return made

    def come_back(self, parameters: dict[str, Any], renew: Callable[[], None]) -> None:
        """Ends the outage, by `renew`, if this thread can connect; raises OperationalError otherwise."""
        if self._clock() < self._next_probe or not self._probing.acquire(blocking=False):
            raise psycopg.OperationalError("PostgreSQL is away")
        try:
            self._connect(**parameters | {"connect_timeout": _PROBE_TIMEOUT_S}).close()
            renew()
            self.is_away = False
        except psycopg.OperationalError:
            self._next_probe = self._clock() + PROBE_EVERY_S
            raise
        finally:
            self._probing.release()


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's wrapper, which renews its pool after an outage: the pool's own attempts become rare, up to minutes."""

    _reachable: ClassVar[dict[str, Reachability]] = {}
    """Reachability by alias, like Django's own pools."""

    def get_connection_params(self) -> dict[str, Any]:
        return super().get_connection_params() | {"prepare_threshold": _PREPARE_THRESHOLD}

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Returns a connection of the pool; raises OperationalError after WAIT_S, and sooner in an outage."""
        if self.pool is None:
            return super().get_new_connection(conn_params)
        reachable = self._reachable[self.alias]
        if reachable.is_away and not self.pool.get_stats().get("pool_available"):
            reachable.come_back(conn_params, self._renew_pool)
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                return super().get_new_connection(conn_params)
            except PoolTimeout:
                if reachable.is_away or time.monotonic() > deadline:
                    raise

    def prepared_cursor(self) -> Any:
        self.ensure_connection()
        with self.wrap_database_errors:
            made = _PreparedCursor(self.connection)
            return self._prepare_cursor(made)  # type: ignore[attr-defined]  # the stubs lack it

    @property
    def pool(self) -> Any:
        """Returns Django's pool, whose connections are made by the Reachability of its alias."""
        options = self.settings_dict["OPTIONS"].get("pool")
        if options and self.alias not in self._connection_pools:  # type: ignore[attr-defined]  # the stubs lack it
            options |= {"connection_class": self._reachable.setdefault(self.alias, Reachability()), "timeout": LOOK_S}
        return super().pool

    def _renew_pool(self) -> None:
        old = self._connection_pools.pop(self.alias, None)  # type: ignore[attr-defined]  # the stubs lack it
        if old is not None:  # connections in use are closed when they are returned
            old.close(timeout=0)


def release_connection() -> None:
    """Returns this thread's connection to the pool while the thread waits for the log or the archive."""
    if not connection.in_atomic_block:
        connection.close()


def prepared_cursor() -> Any:
    """Returns a cursor whose statements PostgreSQL plans once for each connection: for what each request asks.

    Planning such a statement takes longer than running it. Statements must name their columns: after a migration that
    adds one, a prepared `*` fails.
    """
    return connection.prepared_cursor()  # type: ignore[attr-defined]  # typed as Django's own wrapper
