"""What a gateway does for its connections: sign-in, hello and marks, over one hub and one feed; sends are `sending`."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from klatsch.accounts.credentials import Held, find_live
from klatsch.accounts.services import SignedIn, authenticate_connection
from klatsch.conversations.queries import Standing, load_person
from klatsch.core.clock import Clock, timestamp
from klatsch.core.errors import NotAuthenticated, Unavailable
from klatsch.eventlog.log import Record
from klatsch.gateway import protocol
from klatsch.gateway.database import DatabaseThreads
from klatsch.gateway.feed import Feed
from klatsch.gateway.handshake import Credentials, session_key
from klatsch.gateway.hub import Hub, Person
from klatsch.gateway.outbox import Outbox
from klatsch.gateway.protocol import Hello
from klatsch.gateway.recheck import Recheck
from klatsch.gateway.sending import Sending
from klatsch.messaging.events import CONTENT_MOST


@dataclass(frozen=True, slots=True)
class Limits:
    """What a connection may use, who may use the session cookie, and the key that user hashes are made with."""

    outbox_bytes: int
    mark_s: int
    session_cookie: str
    origins: list[str]
    secret: str = field(repr=False)


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
    ) -> None:
        self.hub = hub
        self.feed = feed
        self.sending = sending
        self.recheck = recheck
        self.limits = limits
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
            return {"feed": "has not read the log up to now, or is closing"}
        return {"feed": "is behind the log"} if self.sending.is_behind(time.monotonic()) else {}

    def apply(self, records: Sequence[Record]) -> None:
        """Takes the next batch of the log, on the event loop."""
        self.feed.apply(records, time.monotonic())
        self.feed.tally.measure(time.monotonic(), self._clock())

    async def authenticate(self, credentials: Credentials) -> SignedIn:
        """Who it is; raises NotAuthenticated, Forbidden, Unavailable."""
        self._check_ready()
        key: str | None = None
        if credentials.ticket is None and credentials.bearer is None:
            key = session_key(credentials, cookie_name=self.limits.session_cookie, origins=self.limits.origins)
        return await self._database.run(
            lambda: authenticate_connection(ticket=credentials.ticket, bearer=credentials.bearer, session_key=key)
        )

    async def hello(self, user: SignedIn, outbox: Outbox, frame: Hello) -> Person:
        """Joins the hub first and reads then, so that nothing falls between; answers `ok`, `reset` and `mark`."""
        self._check_ready()
        person = self.hub.join(str(user.id), user.username, outbox)
        try:
            # After the join: what ends from here on finds this connection in the hub, and what ended before is seen.
            load = not person.loaded
            standings = await self._database.run(lambda: _look_again(user, load=load))
        except BaseException:  # the deadline of a hello cancels it
            self.hub.leave(person, outbox)
            raise
        if load:
            self._take(person, standings)
        self.recheck.watch(user.id, outbox, time.monotonic())
        self._greet(person, outbox, frame)
        return person

    def _take(self, person: Person, standings: Sequence[Standing]) -> None:
        user_id = UUID(person.user_id)
        for standing in standings:
            if standing.active:
                access = standing.access(user_id, person.username)
                self.hub.admit(person, access, standing.version)
                if standing.waiting:
                    self.hub.ask_again(person, access)
                if not standing.peer_active:
                    person.departed.add(standing.peer_username or "")
            else:
                self.hub.expel(person, str(standing.conversation_id).encode("ascii"), standing.version)
        for username in person.departed:
            self.hub.close_to_writing(person, username)
        person.departed.clear()
        person.loaded = True

    def _greet(self, person: Person, outbox: Outbox, frame: Hello) -> None:
        here = self.token(person.user_id)
        resumed = frame.d.resume == here
        outbox.answer(protocol.ok(frame.id, self._welcome(person, resumed=resumed)))
        if frame.d.resume is not None and not resumed:
            known = [access.conversation for access in person.access.values()]
            outbox.answer(protocol.push_reset(known, self._why_reset(frame.d.resume), here))
        outbox.answer(protocol.push_mark(here))

    def _welcome(self, person: Person, *, resumed: bool) -> dict[str, object]:
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

    def _why_reset(self, resume: str) -> str:
        token = protocol.parse_token(resume)
        return "unknown_epoch" if token is None or token.epoch != self.feed.epoch else "too_far_behind"

    def token(self, user_id: str) -> str:
        """The resume token of somebody to whom all that the feed has read was sent."""
        return self._token(user_id, protocol.token_tail(self.feed.offsets))

    def mark(self) -> None:
        """Tells every connection how far it has come."""
        tail = protocol.token_tail(self.feed.offsets)
        for person in self.hub.people.values():
            frame = protocol.wire(protocol.push_mark(self._token(person.user_id, tail)))
            for outbox in person.outboxes:
                outbox.push(frame)
        self.hub.flush()

    def _token(self, user_id: str, tail: str) -> str:
        return protocol.token_text(self.feed.epoch, protocol.user_hash(user_id, self.limits.secret), tail)

    def _check_ready(self) -> None:
        if not self.ready:
            raise Unavailable("This gateway is not ready. Reconnect.", retry_after=1)


def _look_again(user: SignedIn, *, load: bool) -> list[Standing]:
    """Where somebody belongs, if that is asked; raises NotAuthenticated when their credential has ended meanwhile."""
    if user.credential not in find_live([Held(user.id, user.credential)]):
        raise NotAuthenticated("This credential has ended.")
    return load_person(user.id) if load else []
