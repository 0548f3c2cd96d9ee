"""Handing events over to the application, one after the other."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Self

from klatsch_client.drafts import Done, Failed, Sent
from klatsch_client.errors import Unavailable
from klatsch_client.events import Event, Reset
from klatsch_client.histories import Histories
from klatsch_client.inbox import Ended, Inbox
from klatsch_client.reload import PageRequest, Reload
from klatsch_client.retries import Backoff
from klatsch_client.settings import Settings
from klatsch_client.state import State

_log = logging.getLogger("klatsch_client")


class Events:
    """An iterator over all that happens, in order, until the client is closed; raises Stopped.

    An event counts in the state from the moment in which it is handed over: see `State` for when to save. One task at
    a time may ask. A wait for the next event may be cancelled, which loses nothing.
    """

    def __init__(
        self, state: State, inbox: Inbox, histories: Histories, settings: Settings, told: Callable[[Event], None]
    ) -> None:
        """`told` is called with each event at the moment in which it is handed over."""
        self._state = state
        self._inbox = inbox
        self._histories = histories
        self._settings = settings
        self._told = told
        self._reload: Reload | None = None
        self._is_asked = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        if self._is_asked:
            raise RuntimeError("two tasks ask for events")
        self._is_asked = True
        try:
            while True:
                event = await self._next_reloaded() if self._reload is not None else await self._next_arrived()
                if event is not None:
                    self._told(event)
                    return event
        finally:
            self._is_asked = False

    async def _next_arrived(self) -> Event | None:
        """Returns the inbox's next event, None if it is not new; raises StopAsyncIteration at the end."""
        item = await self._inbox.take()
        if item is None:
            raise StopAsyncIteration
        if isinstance(item, Ended):
            return self._finish(item)
        push, in_order = item
        event = self._state.take(push, in_order=in_order)
        if isinstance(event, Reset) and self._settings.reload:
            self._reload = Reload(self._state.known, event, older_most=self._settings.reload_older_most)
            return replace(event, reloading=True)
        return event

    def _finish(self, ended: Ended) -> Event | None:
        """Returns the event for a final answer, or None. For a change that is done, it is the change itself."""
        is_news = self._state.finish(ended.number, ended.outcome)
        if isinstance(ended.outcome, Done):
            delta = ended.delta
            return None if delta is None else self._state.known.take_delta(delta, in_order=False)
        return ended.outcome if is_news and isinstance(ended.outcome, Sent | Failed) else None

    async def _next_reloaded(self) -> Event | None:
        """Returns the next event of the histories that are being loaded; None when there is none.

        Raises StopAsyncIteration once the client is closed: resumed from before the reset, they are loaded again.
        """
        while self._reload is not None:
            if (event := self._reload.next_event()) is not None:
                return event
            if self._inbox.ended.is_set():
                self._inbox.check_error()
                raise StopAsyncIteration
            if (request := self._reload.next_request()) is None:
                self._reload = None
            else:
                await self._load(self._reload, request)
        return None

    async def _load(self, reload: Reload, request: PageRequest) -> None:
        """Takes the page, as soon as it can be had; returns without it once the client is closed."""
        backoff = Backoff(self._settings.reconnect_first_s, self._settings.reconnect_most_s)
        while not self._inbox.ended.is_set():
            try:
                dropped = reload.take_page(await self._histories.load_page(request))
            except Unavailable as why:
                await self._wait(why, why.retry_after_s + backoff.next_s(), is_usual=why.is_answered)
            except (KeyError, TypeError) as why:  # what answers is not Klatsch, such as the page of a proxy
                await self._wait(why, backoff.next_s(), is_usual=False)
            else:
                if dropped:
                    _log.warning("%d messages of %s cannot be read and were dropped", dropped, request.conversation)
                return

    async def _wait(self, why: Exception, pause_s: float, *, is_usual: bool) -> None:
        _log.log(logging.INFO if is_usual else logging.WARNING, "a history cannot be loaded now: %r", why)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._inbox.ended.wait()
