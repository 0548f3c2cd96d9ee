"""Sends, changes and marks, and those who wait for what becomes of them."""

import asyncio
from collections.abc import Callable
from typing import Final

from klatsch_client import deltas
from klatsch_client.drafts import Change, Done, Draft, Failed, Marked, Marking, Outcome, Sent
from klatsch_client.errors import TooManyUnmarked, refusal
from klatsch_client.frames import PushBody, ResumeMark
from klatsch_client.inbox import Ended, Inbox
from klatsch_client.repeats import Repeats
from klatsch_client.sends import Sends
from klatsch_client.state import State

TOLD_MOST: Final = 100_000
"""Messages that may be remembered until the next resume mark is taken: at 500 a second, 200 s of one's own."""


class Posting:
    """Keeps a draft in the state until its outcome is told: to the caller who waits for it, else as an event.

    A change of one's own is told in its place among the pushes too, since it changes the message as they do. Until that
    event has been handed over, the change stays in the state, as pending.
    """

    def __init__(
        self,
        state: State,
        sends: Sends,
        inbox: Inbox,
        most: int,
        *,
        now: Callable[[], str],
        told: Callable[[Sent | Marked | None], None],
    ) -> None:
        """`now` is the server's time as text. `told` is called when something of the view is different."""
        self._state = state
        self._sends = sends
        self._inbox = inbox
        self._most = most
        self._now = now
        self._told = told
        self._error: Exception | None = None
        self._waiting: dict[int, asyncio.Future[Outcome]] = {}
        self._repeats = Repeats()
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

    async def post(self, draft: Draft | Change, new_name: Callable[[], str], due: Callable[[], None]) -> Outcome:
        """Returns when the message or the change stands in the log; `due` is called when there is something to write.

        `new_name` makes the name of a draft without one, when it is first written or saved. Raises Refused.
        """
        number = self._begin(draft, new_name)
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        due()
        self._told(None)
        try:
            outcome = await future
        except asyncio.CancelledError:
            self._waiting.pop(number, None)
            if future.done() and not future.cancelled() and future.exception() is None:
                self._tell(number, future.result())
            raise
        # No other task runs between this and what the caller does next: the state and the caller know it together.
        if isinstance(outcome, Sent | Failed):
            self._state.finish(number, outcome)
            self._told(outcome if isinstance(outcome, Sent) else None)
        if isinstance(outcome, Failed):
            raise refusal(outcome.code, outcome.detail, outcome.changed)
        return outcome

    def mark(self, marking: Marking, due: Callable[[], None]) -> None:
        """Marks at least so far; what waits to be marked there is written as one, and again until it is answered."""
        self._check()
        self._sends.check(marking)
        unfinished = self._state.unfinished
        number = self._unanswered(marking.client_id)
        if number is not None:
            before = unfinished.get(number)
            assert isinstance(before, Marking)
            marking = marking.joined(before)
            if marking == before:
                return
        if number is not None and not self._sends.is_in_flight(number):
            unfinished.put(number, marking)
        else:
            number = unfinished.add(marking, str)
            self._sends.add(number, marking)
        due()
        self._told(None)

    def finish(self, number: int, outcome: Outcome, is_in_place: bool) -> None:  # noqa: FBT001 - a callback
        """Takes a draft's final answer. `is_in_place` says that it came in its place behind all earlier pushes."""
        self._room.set()
        match outcome:
            case Marked():
                self._state.finish(number, outcome)
                self._repeats.answered(outcome.draft, asyncio.get_running_loop().time())
                self._told(outcome)
                return
            case Done() if is_in_place:
                user = self._state.user or ""
                delta = deltas.of_own(
                    outcome.draft, outcome.position, user=user, now=outcome.at or self._now(), mentions=outcome.mentions
                )
                self._inbox.put_outcome(Ended(number, outcome, delta))
            case Done():
                self._inbox.put_outcome(Ended(number, outcome))  # told by a push that is still to come
        future = self._waiting.pop(number, None)
        if future is not None and not future.done():
            future.set_result(outcome)
        elif not isinstance(outcome, Done):
            self._tell(number, outcome)

    def see(self, what: PushBody, due: Callable[[], None]) -> None:
        """Takes a push as it comes; behind a replay, marks again what no push has overtaken."""
        self._repeats.see(what, self._state.user or "")
        if isinstance(what, ResumeMark) and self._error is None:
            for marking in self._repeats.take():
                self.mark(marking, due)

    def lose_connection(self) -> None:
        """Notes what was marked a moment ago: the server may have ended before it wrote that."""
        self._repeats.lose_connection(asyncio.get_running_loop().time())

    def end(self, error: Exception) -> None:
        """Stops sending: waiting callers get the error, and the drafts stay in the state."""
        self._error = error
        self._room.set()
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(error)
        self._waiting.clear()

    def _tell(self, number: int, outcome: Outcome) -> None:
        if not isinstance(outcome, Done):  # which has been put already
            self._inbox.put_outcome(Ended(number, outcome))

    def _begin(self, draft: Draft | Change, new_name: Callable[[], str]) -> int:
        """Takes the draft up, or one of its name from an earlier run; returns its number."""
        self._check()
        unfinished = self._state.unfinished
        if len(self._state.known.ids) + len(unfinished) >= TOLD_MOST:
            raise TooManyUnmarked(
                f"{TOLD_MOST} messages were told since the last resume mark was taken: take the events"
            )
        number = self._unanswered(draft.client_id)
        if number is not None and (number in self._waiting or unfinished.get(number) != draft):
            raise ValueError("another send of this client_id has no answer yet")
        self._sends.check(draft)
        if number is None:
            number = unfinished.add(draft, new_name)
        self._sends.add(number, draft)
        return number

    def _unanswered(self, client_id: str) -> int | None:
        """Returns the number of the draft of that name; None once it has its outcome, even if that was not told yet."""
        number = self._state.unfinished.number(client_id)
        return number if number is not None and self._sends.has(number) else None

    def _check(self) -> None:
        if self._error is not None:
            raise self._error
