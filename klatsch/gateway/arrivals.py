"""Signs connections in and joins them to the hub, for WebSockets and HTTP requests alike."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import UUID

from klatsch.accounts.credentials import no_such_credential
from klatsch.accounts.services import SignedIn, authenticate_bearers, authenticate_connection
from klatsch.conversations.queries import Standing, StandingsPage, load_page, load_people
from klatsch.core.errors import NotAuthenticated
from klatsch.core.metrics import CONNECTIONS
from klatsch.gateway.database import DatabaseThreads
from klatsch.gateway.handshake import Credentials, SessionCookie, session_key
from klatsch.gateway.hub import ConnectedPerson, Hub
from klatsch.gateway.opening import Opening
from klatsch.gateway.outbox import Outbox, Socket, nothing
from klatsch.gateway.recheck import Recheck
from klatsch.gateway.turns import slices

_LONG_AT_ONCE: Final = 2
"""The people with many memberships whose further pages are read at once: PostgreSQL and the loop work side by side."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A signed-in person, with the number of ended credentials that the feed had read before the check."""

    user: SignedIn
    endings: int


class Arrivals:
    """Lets connections into one hub. `outbox_bytes` bounds the queue of each."""

    def __init__(
        self,
        *,
        hub: Hub,
        opening: Opening,
        database: DatabaseThreads,
        recheck: Recheck,
        cookie: SessionCookie,
        outbox_bytes: int,
    ) -> None:
        self._hub = hub
        self._opening = opening
        self._database = database
        self._recheck = recheck
        self._cookie = cookie
        self._outbox_bytes = outbox_bytes
        self._paging = asyncio.Semaphore(_LONG_AT_ONCE)

    async def authenticate(self, credentials: Credentials) -> Arrival:
        """Returns the connection's person; raises NotAuthenticated, Forbidden, Unavailable."""
        self._opening.check()
        endings = self._hub.endings.count
        return Arrival(await self._find(credentials), endings)

    async def _find(self, credentials: Credentials) -> SignedIn:
        if credentials.ticket is None and credentials.bearer is not None:
            user = await self._database.run_together(authenticate_bearers, credentials.bearer)
            if user is None:
                raise no_such_credential()
            return user
        key = session_key(credentials, self._cookie) if credentials.ticket is None else None
        return await self._database.run(lambda: authenticate_connection(ticket=credentials.ticket, session_key=key))

    @contextlib.contextmanager
    def connected(self, socket: Socket) -> Iterator[Outbox]:
        """Creates a socket's outbox and counts the connection; separates the two on leaving."""
        outbox = Outbox(socket, self._hub.dirty, self._outbox_bytes)
        socket.resumed = outbox.flush
        CONNECTIONS.inc()
        try:
            yield outbox
        finally:
            CONNECTIONS.dec()
            outbox.closed = True
            socket.resumed = nothing

    @contextlib.asynccontextmanager
    async def joined(self, arrival: Arrival, outbox: Outbox) -> AsyncIterator[ConnectedPerson]:
        """Keeps a connection in the hub while the block runs; raises NotAuthenticated, Unavailable.

        It joins before it reads the conversations, so that no record falls in between. The outbox is deaf at first,
        until `Resuming.resume` replays what it misses.
        """
        self._opening.check()
        user = arrival.user
        if self._hub.endings.has_ended(arrival.endings, str(user.id), user.credential):
            raise NotAuthenticated("This credential has ended.")
        outbox.credential = user.credential
        outbox.deaf = True
        person = self._hub.join(str(user.id), user.username, outbox)  # a credential that ends now closes it
        try:
            if not person.loaded:
                await self._load(person)
            self._recheck.watch(user.id, outbox, time.monotonic())
            yield person
        finally:
            self._hub.leave(person, outbox)
            self._recheck.forget(outbox)

    async def _load(self, person: ConnectedPerson) -> None:
        """Takes the memberships page by page, in slices, between which records may change them.

        The last slice makes the person `loaded`. It ends when another connection of the person was faster: what was
        read here may be older than memberships that have ended since.
        """
        user_id = UUID(person.user_id)
        page = await self._database.run_together(load_people, user_id) or StandingsPage([], None)
        if await self._take_page(person, user_id, page) and page.after is not None:
            async with self._paging:
                await self._load_rest(person, user_id, page.after)
        if not person.loaded:
            self._finish_loading(person)

    async def _load_rest(self, person: ConnectedPerson, user_id: UUID, after: UUID | None) -> None:
        while after is not None:
            page = await self._database.run(partial(load_page, user_id, after))
            if not await self._take_page(person, user_id, page):
                return
            after = page.after

    async def _take_page(self, person: ConnectedPerson, user_id: UUID, page: StandingsPage) -> bool:
        """Returns whether all of it was taken: another connection of the person may have been faster."""
        async for part in slices(page.standings):
            if person.loaded:
                return False
            for standing in part:
                self._take(person, user_id, standing)
        return not person.loaded

    def _finish_loading(self, person: ConnectedPerson) -> None:
        for username in person.departed:
            self._hub.close_to_writing(person, username)
        person.departed.clear()
        self._hub.finish_loading(person)

    def _take(self, person: ConnectedPerson, user_id: UUID, standing: Standing) -> None:
        if not standing.active:
            self._hub.expel(person, standing.conversation_id.encode("ascii"), standing.version)
            return
        access = standing.access(user_id, person.username)
        self._hub.admit(person, access, standing.version)
        if standing.waiting or not standing.may_write:
            self._hub.ask_again(person, access)
