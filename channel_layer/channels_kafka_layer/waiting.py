"""Carries results from the driver's threads to coroutines, each on the event loop where it waits.

Nothing else knows event loops, so views, tests, Celery and several loops in several threads use one layer alike.
"""

import asyncio
import contextlib
import os
import threading
import weakref
from collections import deque
from collections.abc import Generator
from typing import Generic, TypeVar

T = TypeVar("T")


class _Post:
    """Queues results for one loop. However many there are, the loop is woken once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._due: deque[Waiter[object]] = deque()
        self._is_called = False

    def add(self, waiter: "Waiter[object]") -> None:
        self._due.append(waiter)
        if not self._is_called:
            self._is_called = True
            loop = self._loop()
            if loop is not None:
                with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits there any more
                    loop.call_soon_threadsafe(self._run)

    def _run(self) -> None:
        self._is_called = False  # before taking: whoever adds from here on calls again
        while self._due:
            self._due.popleft().resolve()


_posts: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Post]" = weakref.WeakKeyDictionary()
_posts_lock = threading.Lock()


def _renew_lock() -> None:
    """Gives a forked child a lock of its own: the parent's may be held by a thread that the child lacks."""
    global _posts_lock  # noqa: PLW0603 - a lock cannot be renewed in place
    _posts_lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)


def _post_of(loop: asyncio.AbstractEventLoop) -> _Post:
    with _posts_lock:
        post = _posts.get(loop)
        if post is None:
            post = _posts[loop] = _Post(loop)
        return post


class Waiter(Generic[T]):
    """One coroutine's wait for a result, which any thread may give once. Make it on the loop that waits."""

    __slots__ = ("_error", "_future", "_post", "_result")

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self._future: asyncio.Future[T | None] = loop.create_future()
        self._post = _post_of(loop)
        self._result: T | None = None
        self._error: BaseException | None = None

    def __await__(self) -> "Generator[object, None, T | None]":
        return self._future.__await__()

    def wake(self, result: T | None = None) -> None:
        """Gives the result, from any thread."""
        self._result = result
        self._post.add(self)  # type: ignore[arg-type]  # only `resolve` looks into it

    def fail(self, error: BaseException) -> None:
        """Raises an error where the coroutine waits, from any thread."""
        self._error = error
        self._post.add(self)  # type: ignore[arg-type]  # as above

    def resolve(self) -> None:
        """Ends the wait; called on its loop. A wait that was cancelled stays so."""
        if self._future.done():
            return
        if self._error is not None:
            self._future.set_exception(self._error)
        else:
            self._future.set_result(self._result)
