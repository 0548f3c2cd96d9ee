"""PostgreSQL from the event loop: a few threads, a bound on who waits for them, and a deadline."""

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections

from klatsch.core.errors import Unavailable

_log = structlog.get_logger(__name__)
T = TypeVar("T")


class DatabaseThreads:
    """Runs blocking functions that use Django's connections; what waits for a thread is bounded by `waiting_most`."""

    def __init__(self, threads: int, waiting_most: int, deadline_s: float) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="database")
        self._room = waiting_most
        self._deadline_s = deadline_s

    async def run(self, function: Callable[[], T]) -> T:
        """The function's result; raises Unavailable when PostgreSQL does not answer, or too many wait already."""
        if self._room <= 0:
            raise Unavailable("Too many wait for the archive. Try again.", retry_after=1)
        self._room -= 1
        try:
            future = asyncio.get_running_loop().run_in_executor(
                self._pool, contextvars.copy_context().run, with_fresh_connections, function
            )
            return await asyncio.wait_for(future, self._deadline_s)
        except TimeoutError as error:
            raise Unavailable("The archive does not answer. Try again.", retry_after=1) from error
        except (DatabaseError, InterfaceError) as error:
            _log.warning("archive_unavailable", error=type(error).__name__)
            raise Unavailable("The archive cannot be reached. Try again.", retry_after=1) from error
        finally:
            self._room += 1

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def with_fresh_connections(function: Callable[[], T]) -> T:
    """Calls it as Django calls a request: no connection that was cut is used, and none is kept."""
    close_old_connections()
    try:
        return function()
    finally:
        close_old_connections()
