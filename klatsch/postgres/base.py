"""Django's PostgreSQL backend, in which no thread waits long for a connection that is not to be had."""

import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar, Final

import psycopg
from django.db import connection
from django.db.backends.postgresql import base
from psycopg_pool import PoolTimeout

WAIT_S: Final = 5.0
"""How long a thread waits for one of the pool's connections, while nothing says that PostgreSQL is away."""
LOOK_S: Final = 0.25
"""The part of that after which it looks whether PostgreSQL has gone meanwhile: the pool's own time-out."""
PROBE_EVERY_S: Final = 0.2
"""Between two attempts to reach a PostgreSQL that is away."""
_PROBE_TIMEOUT_S: Final = 2
"""The least that libpq takes."""

Connect = Callable[..., psycopg.Connection[Any]]


class Reachability:
    """Makes the pool's connections, and knows by the last attempt whether PostgreSQL is away.

    Once it is, one thread at a time tries whether it is back. The others are told at once.
    """

    def __init__(
        self, connect: Connect = psycopg.Connection[Any].connect, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._connect = connect
        self._clock = clock
        self._probing = threading.Lock()
        self._next_probe = 0.0
        self.is_away = False

    def __deepcopy__(self, _memo: dict[int, Any]) -> "Reachability":
        """Itself: Django copies a wrapper's settings, this among them, for other threads."""
        return self

    def connect(self, *args: Any, **kwargs: Any) -> psycopg.Connection[Any]:
        """Connects for the pool, which takes this object for a class of connections."""
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
    """Django's, with a pool that is made anew after an outage: the pool's own attempts become rare, up to minutes."""

    _reachable: ClassVar[dict[str, Reachability]] = {}
    """By alias, as Django's own pools."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Returns one of the pool's; raises OperationalError after WAIT_S, and soon or at once in an outage."""
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

    @property
    def pool(self) -> Any:
        """Returns Django's pool, whose connections are made by the Reachability of its alias."""
        options = self.settings_dict["OPTIONS"].get("pool")
        if options and self.alias not in self._connection_pools:  # type: ignore[attr-defined]  # the stubs lack it
            options |= {"connection_class": self._reachable.setdefault(self.alias, Reachability()), "timeout": LOOK_S}
        return super().pool

    def _renew_pool(self) -> None:
        old = self._connection_pools.pop(self.alias, None)  # type: ignore[attr-defined]  # the stubs lack it
        if old is not None:  # connections in use are closed when they are given back
            old.close(timeout=0)


def release_connection() -> None:
    """Gives this thread's connection back to the pool: who waits for the log or the archive needs none."""
    if not connection.in_atomic_block:
        connection.close()
