"""Sends and those who wait for what becomes of them."""

import asyncio
from collections.abc import Callable
from typing import Final

from klatsch_client.errors import Refused, TooManyUnmarked
from klatsch_client.events import Draft, Failed, Sent
from klatsch_client.inbox import Inbox
from klatsch_client.sends import Sends
from klatsch_client.state import State

TOLD_MOST: Final = 100_000
"""Messages that may be remembered until the next mark is taken: at 500 a second, 200 s of one's own."""


class Posting:
    """Keeps a draft in the state until its sender has its outcome; where none waits, that becomes an event."""

    def __init__(self, state: State, sends: Sends, inbox: Inbox, most: int) -> None:
        self._state = state
        self._sends = sends
        self._inbox = inbox
        self._most = most
        self._error: Exception | None = None
        self._waiting: dict[int, asyncio.Future[Sent | Failed]] = {}
        self._room = asyncio.Event()
        for number, draft in state.unfinished.items():
            sends.add(number, draft)

    async def wait_room(self) -> None:
        """Returns when one more may be sent; raises what the client ended with."""
        self._check()
        while len(self._sends) >= self._most:
            self._room.clear()
            await self._room.wait()
            self._check()

    async def post(self, draft: Draft, new_name: Callable[[], str], due: Callable[[], None]) -> Sent:
        """Returns when the message stands in the log; `due` is called when there is something to write.

        `new_name` makes the name of a draft without one, when it is first written or saved.
        """
        number = self._begin(draft, new_name)
        future: asyncio.Future[Sent | Failed] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        due()
        try:
            outcome = await future
        except asyncio.CancelledError:
            self._waiting.pop(number, None)
            if future.done() and not future.cancelled() and future.exception() is None:
                self._inbox.put_outcome(future.result())
            raise
        # No other task runs between this and what the caller does next: the state and the caller know it together.
        self._state.finish(outcome)
        if isinstance(outcome, Failed):
            raise Refused(outcome.code, outcome.detail)
        return outcome

    def finish(self, outcome: Sent | Failed) -> None:
        """A send has its final answer."""
        self._room.set()
        number = self._state.unfinished.number(outcome.draft.client_id)
        future = None if number is None else self._waiting.pop(number, None)
        if future is None or future.done():
            self._inbox.put_outcome(outcome)
        else:
            future.set_result(outcome)

    def end(self, error: Exception) -> None:
        """Nothing is sent any more; whoever waits gets the error, and the drafts stay in the state."""
        self._error = error
        self._room.set()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(error)
        self._waiting.clear()

    def _begin(self, draft: Draft, new_name: Callable[[], str]) -> int:
        """Takes the draft up, or one of its name from an earlier run; returns its number."""
        self._check()
        if len(self._state.known.ids) >= TOLD_MOST:
            raise TooManyUnmarked(f"{TOLD_MOST} messages were told since the last mark was taken: take the events")
        unfinished = self._state.unfinished
        number = unfinished.number(draft.client_id)
        if number is not None and (number in self._waiting or unfinished.get(number) != draft):
            raise ValueError("another send of this client_id has no answer yet")
        self._sends.check(draft)
        if number is None:
            number = unfinished.add(draft, new_name)
        self._sends.add(number, draft)
        return number

    def _check(self) -> None:
        if self._error is not None:
            raise self._error
