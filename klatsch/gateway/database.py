"""PostgreSQL from the event loop: a few threads, a bound on who waits for them, and a deadline."""

import asyncio
import contextvars
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import structlog
from django.db import close_old_connections

from klatsch.core.errors import Unavailable
from klatsch.postgres.outages import DATABASE_ERRORS, is_outage

_log = structlog.get_logger(__name__)
T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")
_TOGETHER_MOST: Final = 250
"""Asked for in one statement, some milliseconds long."""
_AT_ONCE: Final = 2
"""Such statements of one kind: while they run, those who come gather for the next."""


class DatabaseThreads:
    """Runs blocking functions that use Django's connections; what waits for a thread is bounded by `waiting_most`."""

    def __init__(self, threads: int, waiting_most: int, deadline_s: float) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="database")
        self._room = waiting_most
        self._deadline_s = deadline_s
        self._questions: dict[Any, _Questions] = {}

    async def run(self, function: Callable[[], T]) -> T:
        """The function's result; raises Unavailable when PostgreSQL does not answer, or too many wait already.

        A statement that PostgreSQL refuses as wrong is a fault of ours, and raised as it is.
        """
        with self._waiting():
            return await self._run(function)

    async def run_together(self, ask: Callable[[Collection[K]], Mapping[K, V]], key: K) -> V | None:
        """What `ask`, a function of a module, finds for the key; None if nothing. Raises Unavailable, as `run` does.

        Who comes alone is asked for at once. When thousands come, those who come while `ask` is busy are asked for
        together: a few statements do for all of them. It is never asked before the key was given.
        """
        with self._waiting():
            questions = self._questions.get(ask)
            if questions is None:
                questions = self._questions[ask] = _Questions(self._run, ask)
            try:
                async with asyncio.timeout(self._deadline_s):
                    found: Mapping[K, V] = await asyncio.shield(questions.put(key))
            except TimeoutError as error:
                raise _no_answer() from error
        return found.get(key)

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        if self._room <= 0:
            raise Unavailable("Too many wait for the archive. Try again.", retry_after=1)
        self._room -= 1
        try:
            yield
        finally:
            self._room += 1

    async def _run(self, function: Callable[[], T]) -> T:
        try:
            future = asyncio.get_running_loop().run_in_executor(
                self._pool, contextvars.copy_context().run, with_fresh_connections, function
            )
            return await asyncio.wait_for(future, self._deadline_s)
        except TimeoutError as error:
            raise _no_answer() from error
        except DATABASE_ERRORS as error:
            if not is_outage(error):
                raise
            _log.warning("archive_unavailable", error=type(error).__name__)
            raise Unavailable("The archive cannot be reached. Try again.", retry_after=1) from error

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


class _Questions:
    """What is asked with one function: `_AT_ONCE` at a time, and whoever else comes goes with the next."""

    def __init__(self, run: Callable[[Callable[[], Any]], Any], ask: Callable[[Collection[Any]], Any]) -> None:
        self._run = run
        self._ask = ask
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._gathering: dict[Any, None] = {}
        self._next: asyncio.Task[Any] | None = None

    def put(self, key: Any) -> asyncio.Task[Any]:
        """The next question, with this key in it."""
        if self._next is None or len(self._gathering) >= _TOGETHER_MOST:
            self._gathering = {}
            self._next = asyncio.create_task(self._go(self._gathering))
            self._next.add_done_callback(_see)
        self._gathering[key] = None
        return self._next

    async def _go(self, keys: dict[Any, None]) -> Any:
        async with self._turns:
            if self._gathering is keys:
                self._next = None
            return await self._run(lambda: self._ask(keys))


def _see(task: asyncio.Task[Any]) -> None:
    """Those who wait for it raise its error; all of them may be gone by then."""
    if not task.cancelled():
        task.exception()


def _no_answer() -> Unavailable:
    return Unavailable("The archive does not answer. Try again.", retry_after=1)


def with_fresh_connections(function: Callable[[], T]) -> T:
    """Calls it as Django calls a request: no connection that was cut is used, and none is kept."""
    close_old_connections()
    try:
        return function()
    finally:
        close_old_connections()
