"""Signals of one gateway: typing and presence, which are said once and never kept (D11, D20)."""

import asyncio
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from klatsch.core.bucket import Buckets
from klatsch.core.metrics import PEOPLE_ELSEWHERE, SIGNALS_APPENDED, SIGNALS_DROPPED
from klatsch.eventlog.log import Entry, Record
from klatsch.gateway.hub import ConnectedPerson, Hub
from klatsch.gateway.outbox import Outbox
from klatsch.gateway.signals.elsewhere import KEPT_S, Elsewhere
from klatsch.gateway.signals.listener import Listener, WatchedPerson
from klatsch.gateway.signals.own_people import GRACE_S, OwnPeople
from klatsch.gateway.signals.typing import Typing
from klatsch.gateway.signals.visibility import Judge, direct_key, find_shared
from klatsch.gateway.signals.watching import Visible, Watching
from klatsch.gateway.turns import gently
from klatsch.records.keys import GATEWAY
from klatsch.records.members import MembersChanged, Membership
from klatsch.records.signals import SIGNAL_PEOPLE_MOST, BadSignal, PresenceSignal, decode_presence
from klatsch.records.values import encode

OPS_PER_SECOND: Final = 5
"""The `open` and `presence` frames of a person, over all connections to one gateway."""
PUBLISH_EVERY_S: Final = 1.0
_TICK_S: Final = 0.25
_NOTED_AT_ONCE: Final = 1_000
_RECORDS_AT_ONCE: Final = 5
_TAKEN_AT_ONCE: Final = 5
"""Records that are taken in one go: 1 ms for a typing that 60 connections see, or for 1,000 people."""
_EACH_MOST: Final = SIGNAL_PEOPLE_MOST // 2
"""The people in each list of one record."""


@dataclass(frozen=True, slots=True)
class SignalTimes:
    """The times of presence, in seconds. Every gateway publishes all its people each `publish_all_s`.

    A person stays online for `grace_s` after their last connection. A gateway that says nothing more is forgotten, with
    its people, after `kept_s`.
    """

    publish_all_s: float = 30.0
    kept_s: float = KEPT_S
    grace_s: float = GRACE_S


class Signals:
    """Joins the parts. `append` gives a record to the topic, and returns False where that is away.

    `clock` gives monotonic seconds.
    """

    def __init__(
        self,
        *,
        hub: Hub,
        judge: Judge,
        append: Callable[[Entry], bool],
        clock: Callable[[], float],
        times: SignalTimes | None = None,
    ) -> None:
        self.gateway = str(uuid.uuid4())
        self._key = GATEWAY.of(self.gateway)
        self._append = append
        self._clock = clock
        self._times = times or SignalTimes()
        self._own = OwnPeople(self._times.grace_s)
        self._elsewhere = Elsewhere(self._times.kept_s, self._times.grace_s)
        self._here: dict[str, ConnectedPerson] = {}  # by the lower-cased name
        self._ops = Buckets(OPS_PER_SECOND)
        self.judge = judge
        self.typing = Typing(hub=hub, judge=judge, append=append, clock=clock)
        self.watching = Watching(is_online=self.is_online, find_shared=self._find_shared, judge=judge, clock=clock)
        self._published_s = self._published_all_s = float("-inf")

    def is_online(self, user_id: str) -> bool:
        """Returns whether any gateway says that the person is online."""
        return self._own.is_online(user_id) or self._elsewhere.is_online(user_id)

    @contextmanager
    def joined(self, person: ConnectedPerson, outbox: Outbox) -> Iterator[Listener]:
        """Counts a connection as its person's presence while the block runs."""
        listener = Listener(person, outbox)
        self._here[person.username.lower()] = person
        if self._own.arrive(person.user_id):
            self.watching.note([person.user_id])
        try:
            yield listener
        finally:
            self.typing.open(listener, frozenset())
            self.watching.forget(listener)
            if self._own.leave(person.user_id, self._clock()):
                self._here.pop(person.username.lower(), None)

    def find_here(self, name: str) -> ConnectedPerson | None:
        """Returns the connected person of that lower-cased name."""
        return self._here.get(name)

    def members_changed(self, event: MembersChanged, changes: Sequence[Membership]) -> None:
        """Ends what blocked people are told of those who have blocked them, and notes who was removed."""
        key = event.conversation.encode("ascii")
        for change in changes:
            if not change.active:
                self.watching.note_removal(key, change.user_id)
            elif change.blocked and event.kind == "direct":
                for other in event.members:
                    if other.user_id != change.user_id:
                        self.watching.hide(other.user_id, viewer_id=change.user_id)

    def _find_shared(self, viewer: ConnectedPerson, person: WatchedPerson) -> bytes | None:
        """Returns a conversation that a viewer shares with a person, as far as memory knows."""
        direct = direct_key(viewer.user_id, person.user_id)
        if direct in viewer.writable:
            return direct
        here = self._here.get(person.username.lower())
        return None if here is None or direct in viewer.access else find_shared(viewer, here)

    def check_rate(self, person: ConnectedPerson) -> None:
        """Raises RateLimited beyond the rate of `open` and `presence` frames."""
        detail = "You are opening conversations or showing people too often."
        self._ops.check(person.user_id, self._clock(), detail)

    def show(self, listener: Listener, people: Sequence[Visible]) -> tuple[list[str], list[str]]:
        """Makes the connection show these people; returns the names of those online and offline."""
        shown = self.watching.show(listener, people)
        return [one.username for one in shown if one.online], [one.username for one in shown if not one.online]

    async def run(self) -> None:
        """Ticks for ever."""
        while True:
            await asyncio.sleep(_TICK_S)
            await self.tick()

    async def tick(self) -> None:
        """Publishes what changed here, forgets who was not named for long, and tells connections."""
        now_s = self._clock()
        if now_s - self._published_s >= PUBLISH_EVERY_S:
            self._published_s = now_s
            await self._publish(now_s)
            async for user_ids in gently(self._elsewhere.expire(now_s), _NOTED_AT_ONCE):
                self.watching.note(user_ids)
            PEOPLE_ELSEWHERE.set(self._elsewhere.size)
        await self.watching.tell()

    async def _publish(self, now_s: float) -> None:
        arrived, departed = self._own.take_changes(now_s)
        self.watching.note(departed)
        is_all = now_s - self._published_all_s >= self._times.publish_all_s
        if is_all:
            self._published_all_s = now_s
            arrived = list(self._own)
        if not (is_all or arrived or departed):
            return
        begins = range(0, max(len(arrived), len(departed), 1), _EACH_MOST)
        async for some in gently(begins, _RECORDS_AT_ONCE):
            for begin in some:
                end = begin + _EACH_MOST
                self._say(arrived[begin:end], departed[begin:end])

    def publish_all(self) -> None:
        """Makes the next tick tell of all people here: the topic works again, or another gateway has begun."""
        self._published_all_s = float("-inf")

    def say_leaving(self) -> None:
        """Tells that this gateway ends: its people have the grace to come to another one."""
        self._say((), (), leaving=True)

    def _say(self, online: Collection[str], offline: Collection[str], *, leaving: bool = False) -> None:
        signal = PresenceSignal(self.gateway, list(online), list(offline), leaving)
        if self._append(Entry(self._key, encode(signal))):
            SIGNALS_APPENDED.labels("presence").inc()
        else:
            SIGNALS_DROPPED.labels("away").inc()

    async def apply(self, records: Sequence[Record]) -> None:
        """Takes a batch of the topic, in slices."""
        async for part in gently(records, _TAKEN_AT_ONCE):
            for record in part:
                if not record.key.startswith(GATEWAY.prefix):
                    self.typing.take(record)
                elif record.key != self._key:
                    self._take_presence(record)

    def _take_presence(self, record: Record) -> None:
        try:
            signal = decode_presence(record.value)
        except BadSignal:
            SIGNALS_DROPPED.labels("unreadable").inc()
            return
        if GATEWAY.of(signal.gateway) != record.key:
            SIGNALS_DROPPED.labels("unreadable").inc()
            return
        is_new = self._elsewhere.take(
            signal.gateway, signal.online, signal.offline, self._clock(), leaving=signal.leaving
        )
        if is_new and not signal.leaving:
            self.publish_all()
        self.watching.note(signal.online)
        self.watching.note(signal.offline)
