"""What a gateway does for its connections: sign-in, hello and marks, over one hub and one feed; sends are `sending`."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from klatsch.accounts.credentials import no_such_credential
from klatsch.accounts.services import SignedIn, authenticate_bearers, authenticate_connection
from klatsch.conversations.queries import Standing, load_people
from klatsch.core.caps import AtOnce
from klatsch.core.clock import Clock, timestamp
from klatsch.core.errors import NotAuthenticated, RateLimited, Unavailable
from klatsch.core.readiness import Why
from klatsch.eventlog.log import Record
from klatsch.eventlog.places import ResumeToken
from klatsch.gateway.allowance import Allowances
from klatsch.gateway.database import DatabaseThreads
from klatsch.gateway.feed.feed import Feed
from klatsch.gateway.handshake import Credentials, session_key
from klatsch.gateway.hub import Hub, Person
from klatsch.gateway.language import protocol
from klatsch.gateway.language.tokens import Tokens
from klatsch.gateway.outbox import Outbox
from klatsch.gateway.recheck import Recheck
from klatsch.gateway.replay import ReplayLimits, Replays, never
from klatsch.gateway.sending import Sending
from klatsch.gateway.turns import in_turns, slices
from klatsch.records.messages import CONTENT_MOST

_AHEAD_S = 2.0
"""How long a token from a gateway that is ahead is waited for; what lies beyond the log's end is never reached."""
_LOOK_S = 0.01


@dataclass(frozen=True, slots=True)
class Limits:
    """What a connection may use, how many a person may have (0: no limit), who may use the session cookie, and the key
    that user hashes are made with.
    """

    outbox_bytes: int
    connections: int
    mark_s: int
    session_cookie: str
    origins: list[str]
    secret: str = field(repr=False)
    replay: ReplayLimits


@dataclass(frozen=True, slots=True)
class Arrival:
    """Who somebody was found to be, and how many endings of credentials the feed had read when that was asked."""

    user: SignedIn
    endings: int


class Gateway:
    """One process's connections to one log. Until `open` is called nobody is served: the feed is still reading up."""

    def __init__(
        self,
        *,
        hub: Hub,
        feed: Feed,
        sending: Sending,
        recheck: Recheck,
        database: DatabaseThreads,
        clock: Clock,
        limits: Limits,
        allowances: Allowances,
    ) -> None:
        self.tokens = Tokens(feed, limits.secret)
        self.replays = Replays(feed, self.tokens, database, limits.replay)
        self.hub = hub
        self.feed = feed
        self.sending = sending
        self.recheck = recheck
        self.limits = limits
        self.allowances = allowances
        self.sockets, self.polls = (
            AtOnce(limits.connections, cap=cap, refusal=RateLimited, detail=f"You have too many {cap} open.")
            for cap in ("sockets", "polls")
        )
        self.ready = False
        self._database = database
        self._clock = clock

    def open(self) -> None:
        """From here on connections are served."""
        self.ready = True

    def shut(self) -> None:
        """From here on nobody new is served."""
        self.ready = False

    def not_ready(self) -> dict[str, str]:
        """Why nobody should be sent here now, by part; empty when all is well."""
        if not self.ready:
            return {"feed": Why.NOT_READ}
        return {"feed": Why.BEHIND} if self.sending.is_behind(time.monotonic()) else {}

    def apply(self, records: Sequence[Record]) -> None:
        """Takes the next batch of the log, on the event loop."""
        self.feed.apply(records)
        self.feed.tally.measure(time.monotonic(), self._clock())

    async def authenticate(self, credentials: Credentials) -> Arrival:
        """Who it is; raises NotAuthenticated, Forbidden, Unavailable."""
        self._check_ready()
        endings = self.hub.endings.count
        return Arrival(await self._find(credentials), endings)

    async def _find(self, credentials: Credentials) -> SignedIn:
        if credentials.ticket is None and credentials.bearer is not None:
            user = await self._database.run_together(authenticate_bearers, credentials.bearer)
            if user is None:
                raise no_such_credential()
            return user
        key: str | None = None
        if credentials.ticket is None:
            key = session_key(credentials, cookie_name=self.limits.session_cookie, origins=self.limits.origins)
        return await self._database.run(lambda: authenticate_connection(ticket=credentials.ticket, session_key=key))

    async def hello(self, arrival: Arrival, outbox: Outbox) -> Person:
        """Joins the hub first and reads then, so that nothing falls between; `catch_up` goes on from there."""
        self._check_ready()
        user = arrival.user
        if self.hub.endings.has_ended(arrival.endings, str(user.id), user.credential):
            raise NotAuthenticated("This credential has ended.")
        outbox.credential = user.credential
        outbox.deaf = True
        person = self.hub.join(str(user.id), user.username, outbox)  # what ends from here on finds the connection there
        try:
            if not person.loaded:
                await self._take(person, await self._database.run_together(load_people, user.id) or [])
        except BaseException:  # the deadline of a hello cancels it
            self.hub.leave(person, outbox)
            raise
        self.recheck.watch(user.id, outbox, time.monotonic())
        return person

    async def _take(self, person: Person, standings: Sequence[Standing]) -> None:
        """In slices, between which records may say more; nobody is `loaded`, or served, before the last one.

        It ends where another connection of theirs was faster: what was read for this one may be older than what ended.
        """
        async for part in slices(standings):
            if person.loaded:
                return
            for standing in part:
                self._take_one(person, standing)
        for username in person.departed:
            self.hub.close_to_writing(person, username)
        person.departed.clear()
        self.hub.finish_loading(person)

    def _take_one(self, person: Person, standing: Standing) -> None:
        if not standing.active:
            self.hub.expel(person, str(standing.conversation_id).encode("ascii"), standing.version)
            return
        access = standing.access(UUID(person.user_id), person.username)
        self.hub.admit(person, access, standing.version)
        if standing.waiting or not standing.peer_active:
            self.hub.ask_again(person, access)

    def leave(self, person: Person, outbox: Outbox) -> None:
        """Lets go of a connection that has ended."""
        outbox.closed = True
        self.hub.leave(person, outbox)
        self.recheck.forget(outbox)

    async def catch_up(
        self,
        person: Person,
        outbox: Outbox,
        resume: str | None,
        answer: Callable[[bool], object],
        enough: Callable[[], bool] = never,
    ) -> None:
        """Calls `answer` with whether the token could be used, and tells what was missed since, until the mark.

        Once `enough` says so, the mark is that of the place reached, and nothing more is told. Raises Unavailable where
        nobody can say.
        """
        token = None if resume is None else await self._usable(resume, person)
        answer(token is not None)
        if token is not None:
            await self.replays.run(person, outbox, token.offsets, enough)
        elif resume is not None:
            self.replays.begin(person, outbox, dict.fromkeys(person.access, self.tokens.why_useless(resume)))
        else:
            self.replays.begin(person, outbox, {})

    async def _usable(self, text: str, person: Person) -> ResumeToken | None:
        """The token, once this feed has come so far: it may be from a gateway that is a moment ahead (D7)."""
        token = self.tokens.read(text, person.user_id)
        until_s = time.monotonic() + _AHEAD_S
        while token is not None and not self.feed.has_reached(dict(enumerate(token.offsets))):
            if time.monotonic() > until_s:
                return None
            await asyncio.sleep(_LOOK_S)
        return token

    def welcome(self, person: Person, *, resumed: bool) -> dict[str, object]:
        """What `hello` is answered with."""
        return {
            "user": person.username,
            "resumed": resumed,
            "heartbeat": self.limits.mark_s,
            "now": timestamp(self._clock()),
            "limits": {
                "unanswered": protocol.UNANSWERED_MOST,
                "frame": protocol.FRAME_BYTES_MOST,
                "text": CONTENT_MOST,
            },
        }

    def mark(self) -> None:
        """Tells every connection how far it has come, some people in each turn of the loop."""
        in_turns(list(self.hub.people.values()), self._mark_some)

    def _mark_some(self, people: Sequence[Person]) -> None:
        tail = self.tokens.tail()
        for person in people:
            frame = protocol.wire(protocol.push_mark(self.tokens.text(person.user_id, tail)))
            for outbox in person.outboxes:
                outbox.push(frame)
        self.hub.flush()

    def _check_ready(self) -> None:
        if not self.ready:
            raise Unavailable("This gateway is not ready. Reconnect.", retry_after=1)
