"""A gateway in memory: its log, hub, feed and sends are real; PostgreSQL's answers are put in by hand."""

import asyncio
import contextlib
import time
import types
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar, cast
from uuid import UUID

from klatsch.accounts.services import SignedIn
from klatsch.conversations.access import Access
from klatsch.conversations.queries import Standing, StandingsPage, load_people
from klatsch.core.bucket import Buckets
from klatsch.core.caps import AtOnce
from klatsch.core.errors import RateLimited
from klatsch.eventlog.log import Record
from klatsch.eventlog.memory import MemoryLog, MemoryTail, MemoryWriter
from klatsch.eventlog.places import Position
from klatsch.gateway.allowance import Allowances
from klatsch.gateway.arrivals import Arrival, Arrivals
from klatsch.gateway.changing import Changing
from klatsch.gateway.connection import ChatConnection
from klatsch.gateway.database import DatabaseThreads
from klatsch.gateway.feed.feed import Feed
from klatsch.gateway.feed.lag import Lag
from klatsch.gateway.feed.pending import Pending
from klatsch.gateway.feed.recent import RECORD_BYTES
from klatsch.gateway.feed.ring import Ring
from klatsch.gateway.handshake import SessionCookie
from klatsch.gateway.http.sync import Sync
from klatsch.gateway.hub import ConnectedPerson, Hub
from klatsch.gateway.language.tokens import Tokens
from klatsch.gateway.lookups import Lookups
from klatsch.gateway.marking import MarkOp
from klatsch.gateway.opening import Opening
from klatsch.gateway.outbox import Outbox
from klatsch.gateway.recheck import Recheck
from klatsch.gateway.replay import Replays
from klatsch.gateway.replay_limits import ReplayLimits
from klatsch.gateway.replies import Replies
from klatsch.gateway.resume_marks import ResumeMarks
from klatsch.gateway.resuming import Resuming
from klatsch.gateway.sending import Sending
from klatsch.gateway.signals.requests import SignalRequests
from klatsch.messaging.lookup import Earlier
from klatsch.messaging.marking import Marking
from klatsch.records.people import credential_digest
from tests.support.records import NOW_MS, Somebody

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")
SECRET = "0123456789" * 6
CONNECTIONS_EACH = 3
FEW_RECORDS = 16 * RECORD_BYTES
"""A `recent_bytes` that holds some records, each in a part of its own, and forgets all before them."""
REPLAY = ReplayLimits(each_most=100, most=1_000)


END = Position(1, 0, 9)
"""The last record of the log, as it is said of itself."""


def earlier(position: str, digest: bytes) -> Earlier:
    """Returns the archive's answer for a client_id that it has already."""
    return Earlier(types.SimpleNamespace(position=position), digest)  # type: ignore[arg-type]  # all that is read of it


class Costs(Buckets):
    """Notes what is taken, and has no more than one token at a time."""

    def __init__(self, per_second: float) -> None:
        super().__init__(per_second)
        self.taken: list[float] = []

    def take(self, who: str, now_s: float, cost: float = 1.0, paid: float = 0.0) -> float:
        self.taken.append(cost)
        return 0.0 if cost == 1 else 2.5


class CannedDatabase(DatabaseThreads):
    """Gives the next of `answers` (or raises it) in place of asking; a coroutine function is awaited first.

    A list of memberships is the only page of them.
    """

    def __init__(self) -> None:
        super().__init__(threads=1, waiting_most=1, deadline_s=1)
        self.answers: list[Any] = []
        self.asked = 0

    async def run(self, function: Callable[[], T]) -> T:
        self.asked += 1
        answer = self.answers.pop(0)
        if callable(answer):
            answer = await answer()
        if isinstance(answer, Exception):
            raise answer
        given: T = answer
        return given

    async def run_together(self, ask: Callable[[Collection[K]], Mapping[K, V]], key: K) -> V | None:
        found: V | None = await self.run(lambda: ask([key]).get(key))
        if ask == load_people and isinstance(found, list):
            return cast("V", StandingsPage(found, None))
        return found


class CannedProgress:
    """An archive whose answers are canned; who waits for it gets on when `comes_on` is set."""

    epoch = 1

    def __init__(self) -> None:
        self.reaches = True
        self.comes_on = asyncio.Event()
        self.comes_on.set()
        self.waiting = 0

    async def reach(self, partition: int, offset: int, deadline_s: float) -> bool:
        self.waiting += 1
        await self.comes_on.wait()
        self.waiting -= 1
        return self.reaches


def signed_in(somebody: Somebody, credential: str = "laptop") -> SignedIn:
    """Returns the person that a credential was found to be of."""
    return SignedIn(somebody.id, somebody.name, credential_digest(credential))


def standing_of(
    access: Access,
    version: int = 1,
    *,
    active: bool = True,
    peer: tuple[UUID | None, str | None] = (None, None),
    peer_active: bool = True,
    blocked: bool = False,
) -> Standing:
    """Returns PostgreSQL's answer on a person's place in a conversation; in a direct one with a peer."""
    return Standing(
        conversation_id=access.conversation,
        kind=access.kind,
        active=active,
        version=version,
        peer_id=None if peer[0] is None else str(peer[0]),
        peer_username=peer[1],
        peer_active=peer_active,
        member_count=access.member_count,
        waiting=False,
        blocked=blocked,
    )


class Parts:
    """The joined parts, with one partition."""

    def __init__(self, *, per_second: int = 0, answer_s: float = 10.0, recent_bytes: int = 2**20) -> None:
        self.log = MemoryLog(partitions=1)
        self.writer = MemoryWriter(self.log, reports="errors")
        self.hub, self.pending = Hub(), Pending()
        self.database = CannedDatabase()
        self.progress = CannedProgress()
        self.marking = Marking(self.writer, shown_most=20)
        self.feed = Feed(
            epoch=1,
            offsets={0: 0},
            hub=self.hub,
            pending=self.pending,
            ring=Ring(1, 150),
            recent_bytes=recent_bytes,
            markers=self.marking,
        )
        self.lag = Lag(self.feed, MemoryTail(self.log).ends)
        self.on_loop: list[Callable[[], None]] = []
        self.lookups = Lookups(self.database, self.writer, MemoryTail(self.log), self.progress, 1.0)
        self.mark_op = MarkOp(hub=self.hub, feed=self.feed, marking=self.marking, lookups=self.lookups)
        self.sending = Sending(
            hub=self.hub,
            feed=self.feed,
            pending=self.pending,
            log=self.writer,
            lookups=self.lookups,
            replies=Replies(self.feed, self.database, self.progress, 1.0),
            clock=lambda: NOW_MS,
            fresh_since_ms=0,
            answer_s=answer_s,
            rates=Buckets(per_second),
            lag=self.lag,
            on_loop=self.on_loop.append,
        )
        self.changing = Changing(
            feed=self.feed,
            sending=self.sending,
            log=self.writer,
            database=self.database,
            progress=self.progress,
            clock=lambda: NOW_MS,
            fresh_since_ms=0,
            wait_s=1.0,
            edit_window_s=0,
        )
        self.recheck = Recheck(self.database, every_s=60, give_up_s=900)
        self.opening = Opening(self.sending.is_behind)
        self.tokens = Tokens(self.feed, SECRET)
        self.resume_marks = ResumeMarks(self.hub, self.tokens)
        self.arrivals = Arrivals(
            hub=self.hub,
            opening=self.opening,
            database=self.database,
            recheck=self.recheck,
            cookie=SessionCookie("sessionid", ["https://chat.example"]),
            outbox_bytes=2**20,
        )
        self.replays = Replays(self.feed, self.tokens, self.database, REPLAY)
        self.resuming = Resuming(
            feed=self.feed,
            tokens=self.tokens,
            replays=self.replays,
            clock=lambda: NOW_MS,
            mark_s=25,
        )
        self.allowances = Allowances(per_second)
        self.requests = Buckets(0)
        self.signals: SignalRequests | None = None
        self.sockets, self.polls = (
            AtOnce(CONNECTIONS_EACH, cap=cap, refusal=RateLimited, detail=f"You have too many {cap} open.")
            for cap in ("sockets", "polls")
        )
        self.opening.open()
        self._joined = contextlib.AsyncExitStack()

    def connection(self) -> Any:
        """Returns the application of a WebSocket."""
        return ChatConnection.as_asgi(
            arrivals=self.arrivals,
            sockets=self.sockets,
            resuming=self.resuming,
            sending=self.sending,
            changing=self.changing,
            requests=self.requests,
            marking=self.mark_op,
            allowances=self.allowances,
            signals=self.signals,
        )

    def sync(self, *, stall_s: float, cors_origins: list[str]) -> Sync:
        """Returns the application of polls and event streams."""
        return Sync(
            arrivals=self.arrivals,
            resuming=self.resuming,
            tokens=self.tokens,
            sockets=self.sockets,
            polls=self.polls,
            requests=self.requests,
            stall_s=stall_s,
            cors_origins=cors_origins,
        )

    async def join(self, somebody: Somebody, outbox: Outbox) -> ConnectedPerson:
        """Joins a connection, for as long as the test runs."""
        return await self._joined.enter_async_context(self.arrivals.joined(Arrival(signed_in(somebody), 0), outbox))

    def apply(self, records: Sequence[Record]) -> None:
        """Makes the feed take some records, as from the log."""
        self.feed.apply(records)
        self.feed.tally.measure(time.monotonic(), NOW_MS)

    def read_log(self) -> None:
        """Makes the feed take what was appended since."""
        [offset] = self.feed.offsets
        self.apply(self.log.records[0][offset:])

    def run_on_loop(self) -> None:
        """Runs what other threads have asked the event loop to do."""
        waiting = self.on_loop[:]
        self.on_loop.clear()
        for act in waiting:
            act()
