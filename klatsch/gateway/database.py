"""PostgreSQL from the event loop: a few threads, a bound on waiting calls, and a deadline."""

import asyncio
import contextvars
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
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
"""The most keys of one statement, which takes some milliseconds."""
_AT_ONCE: Final = 2
"""The concurrent statements of one kind. While they run, new keys gather for the next."""


class DatabaseThreads:
    """Runs blocking functions that use Django's connections.

    `waiting_most` bounds the callers that wait, and the calls that a thread has or will take. A call of `run` counts
    until a thread is done with it, even when its caller gives up before: a thread may be held beyond `deadline_s`.
    """

    def __init__(self, threads: int, waiting_most: int, deadline_s: float) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="database")
        self._room = waiting_most
        self._deadline_s = deadline_s
        self._questions: dict[Any, _Questions] = {}

    async def run(self, function: Callable[[], T]) -> T:
        """Returns the function's result; raises Unavailable when PostgreSQL does not answer or too many calls wait.

        A statement that PostgreSQL refuses as wrong is a bug, and raised as it is.
        """
        self._take_room()
        return await self._run(function, self._give_back_room)

    async def run_together(self, ask: Callable[[Collection[K]], Mapping[K, V]], key: K) -> V | None:
        """Returns what `ask`, a function of a module, finds for the key, or None. Raises Unavailable like `run`.

        A single key is asked for at once. When thousands come, those that come while `ask` is busy share a call, so
        that a few statements serve all. `ask` never runs before the key was given.
        """
        self._take_room()
        try:
            questions = self._questions.get(ask)
            if questions is None:
                questions = self._questions[ask] = _Questions(self._run, ask)
            async with asyncio.timeout(self._deadline_s):
                found: Mapping[K, V] = await asyncio.shield(questions.put(key))
        except TimeoutError as error:
            raise _no_answer() from error
        finally:
            self._give_back_room()
        return found.get(key)

    def _take_room(self) -> None:
        if self._room <= 0:
            raise Unavailable("Too many requests wait for the archive. Try again.", retry_after=1)
        self._room -= 1

    def _give_back_room(self) -> None:
        self._room += 1

    async def _run(self, function: Callable[[], T], done: Callable[[], None] = lambda: None) -> T:
        """Returns the function's result; calls `done` when no thread has the call any more."""
        is_wanted = True

        def call() -> T:
            if not is_wanted:
                raise _GivenUp
            return with_fresh_connections(function)

        context = contextvars.copy_context()
        future = asyncio.get_running_loop().run_in_executor(self._pool, context.run, call)
        future.add_done_callback(_see)
        future.add_done_callback(lambda _: done())
        try:
            async with asyncio.timeout(self._deadline_s):  # wait_for of Python 3.11 drops a cancel that comes last
                return await asyncio.shield(future)  # a call that was cancelled would stay queued, and not count
        except TimeoutError as error:
            raise _no_answer() from error
        except DATABASE_ERRORS as error:
            if not is_outage(error):
                raise
            _log.warning("archive_unavailable", error=type(error).__name__)
            raise Unavailable("The archive cannot be reached. Try again.", retry_after=1) from error
        finally:
            is_wanted = False

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


class _Questions:
    """The calls of one function: `_AT_ONCE` at a time, while further keys gather for the next call."""

    def __init__(self, run: Callable[[Callable[[], Any]], Any], ask: Callable[[Collection[Any]], Any]) -> None:
        self._run = run
        self._ask = ask
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._gathering: dict[Any, None] = {}
        self._next: asyncio.Task[Any] | None = None

    def put(self, key: Any) -> asyncio.Task[Any]:
        """Adds the key to the next call and returns its task."""
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


class _GivenUp(Exception):
    """Raised for a call that nobody waits for any more when a thread takes it."""


def _see(future: asyncio.Future[Any]) -> None:
    """Retrieves the exception: those who wait raise it, but all of them may be gone."""
    if not future.cancelled():
        future.exception()


def _no_answer() -> Unavailable:
    return Unavailable("The archive does not answer. Try again.", retry_after=1)


def with_fresh_connections(function: Callable[[], T]) -> T:
    """Calls the function like Django calls a request: with no cut connection, and keeping none."""
    close_old_connections()
    try:
        return function()
    finally:
        close_old_connections()
