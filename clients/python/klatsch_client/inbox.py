"""A bounded queue of what the connection has received and the application has not taken yet."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from klatsch_client.deltas import Delta
from klatsch_client.drafts import Outcome
from klatsch_client.frames import Push, ResumeMark


@dataclass(frozen=True, slots=True)
class Ended:
    """The final answer to the draft of a number; `delta` is the person's own change, which no push tells."""

    number: int
    outcome: Outcome
    delta: Delta | None = None


Item = tuple[Push, bool] | Ended


class Inbox:
    """Holds `most` pushes. `token` is that of the last resume mark in it or taken from it: what came before is here.

    When it is full the connection is not read, so that the server waits, and closes it with 4302 if that takes long.
    While something is being sent it is read all the same, since its answer must come. What finds no room then is
    dropped (`put` returns False). Nothing after it may be put, and the client resumes from `token` later.
    """

    def __init__(self, most: int, token: str | None) -> None:
        self.token = token
        self.emptied: Callable[[], None] = lambda: None
        self.gate = asyncio.Event()
        self._most = most
        self._items: deque[Item] = deque()
        self._news = asyncio.Event()
        self._error: Exception | None = None
        self.ended = asyncio.Event()

    @property
    def is_full(self) -> bool:
        return len(self._items) >= self._most

    def put(self, push: Push, *, in_order: bool) -> bool:
        """Adds a push, if there is room: resume marks that nobody takes wait as one."""
        if isinstance(push.what, ResumeMark) and self._ends_with_mark():
            self._items.pop()
        if self.is_full:
            return False
        if isinstance(push.what, ResumeMark):
            self.token = push.what.token
        self._items.append((push, in_order))
        self._news.set()
        return True

    def put_outcome(self, ended: Ended) -> None:
        """Adds what became of a draft, in its place; of these there are no more than drafts in the state."""
        self._items.append(ended)
        self._news.set()

    def end(self, error: Exception | None) -> None:
        """Ends the queue, because of an error or because the client was closed: nothing more is put."""
        if not self.ended.is_set():
            self._error = error
            self.ended.set()
            self._news.set()

    def check_error(self) -> None:
        """Raises the error because of which nothing comes any more."""
        if self._error is not None:
            raise self._error

    def _ends_with_mark(self) -> bool:
        last = self._items[-1] if self._items else None
        return isinstance(last, tuple) and isinstance(last[0].what, ResumeMark)

    async def take(self) -> Item | None:
        """Returns the next item. At the end of an ended queue, returns None or raises its error. Safe to cancel."""
        while not self._items:
            if self.ended.is_set():
                self.check_error()
                return None
            self.emptied()
            self._news.clear()
            await self._news.wait()
        item = self._items.popleft()
        self.gate.set()
        return item
