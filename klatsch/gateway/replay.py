"""Brings a connection from its token to the present: from the feed's memory, else from the archive (D7).

Everything is told in the order of the partitions and their offsets, and framed as the peer takes it. A replay therefore
holds about 128 KiB, however long it is and however slow its reader, and may end at any place.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar
from uuid import UUID

from klatsch.archive.changes import Asked, ChangesPage, Found, Place, find_changes, read_page
from klatsch.conversations.invitation_queries import list_states
from klatsch.eventlog.log import Record
from klatsch.eventlog.partitions import partition_of
from klatsch.gateway.database import DatabaseThreads
from klatsch.gateway.feed.feed import Feed
from klatsch.gateway.gaps import tell_ended, tell_resets
from klatsch.gateway.hub import ConnectedPerson
from klatsch.gateway.language import protocol
from klatsch.gateway.language.tokens import Tokens
from klatsch.gateway.outbox import Outbox
from klatsch.gateway.portions import chunks, invitation_states, size_of, states_of
from klatsch.gateway.reading import ReadingTurns
from klatsch.gateway.replay_limits import ReplayLimits, ToldChanges
from klatsch.gateway.replay_window import Window, next_window
from klatsch.gateway.turns import slices
from klatsch.records.invitations import Invitation
from klatsch.records.keys import PERSON

T = TypeVar("T")
_LOOKS: Final = 3
"""The most times that one replay asks the archive."""


def never() -> bool:
    """Returns False, as the `enough` of a replay without an end of its own."""
    return False


@dataclass(frozen=True, slots=True)
class Replays:
    """The parts that all replays of a gateway share."""

    feed: Feed
    tokens: Tokens
    database: DatabaseThreads
    limits: ReplayLimits
    reading: ReadingTurns = field(default_factory=ReadingTurns)

    async def run(
        self, person: ConnectedPerson, outbox: Outbox, offsets: Sequence[int], enough: Callable[[], bool] = never
    ) -> None:
        """Returns when the connection has everything from `offsets` on and hears pushes live; raises Unavailable.

        When `enough` returns True, the replay ends early with the mark of the reached place, and the connection hears
        no more. A replay whose outbox is closed ends at any place, without a mark. The outbox must be deaf and its
        person in the hub: what comes meanwhile is read from the feed's memory.
        """
        told = ToldChanges(self.limits, person)
        await _Replay(self, person, outbox, list(offsets), enough, told).run()

    async def begin(
        self, person: ConnectedPerson, outbox: Outbox, reset: Mapping[bytes, str], *, ended: Collection[int] = ()
    ) -> None:
        """Makes the connection hear pushes live, and tells it which conversations to reload; then its mark.

        It hears pushes from the call on, before anything is awaited. Of the partitions in `ended`, it is also told
        which memberships have ended.
        """
        outbox.deaf, outbox.unmarked = False, True
        await self._tell_gaps(person, outbox, reset, ended)
        outbox.unmarked = False
        outbox.answer(protocol.push_mark(self.tokens.now(person.user_id)))

    async def end(
        self,
        person: ConnectedPerson,
        outbox: Outbox,
        reset: Mapping[bytes, str],
        offsets: Sequence[int],
        *,
        ended: Collection[int],
    ) -> None:
        """Tells the ended memberships and the conversations to reload, as `begin` does, and the mark of that place."""
        await self._tell_gaps(person, outbox, reset, ended)
        outbox.answer(protocol.push_mark(self.tokens.of(person.user_id, offsets)))

    async def _tell_gaps(
        self, person: ConnectedPerson, outbox: Outbox, reset: Mapping[bytes, str], given_up: Collection[int]
    ) -> None:
        partitions = len(self.feed.offsets)
        await tell_ended(person, outbox, given_up, partitions=partitions, most=self.limits.most)
        await tell_resets(person, outbox, reset, self.tokens.now)


@dataclass(slots=True)
class _Replay:
    """The replay of one connection, which has everything before `offsets` but the conversations that `told` lost."""

    parts: Replays
    person: ConnectedPerson
    outbox: Outbox
    offsets: list[int]
    enough: Callable[[], bool]
    told: ToldChanges
    given_up: set[int] = field(default_factory=set)

    async def run(self) -> None:
        if await self._tell_archived():
            await self._give_up("archive_behind")
            if await self._tell_recent():
                return
        if not self.outbox.closed:
            await self.parts.end(self.person, self.outbox, self.told.lost, self.offsets, ended=self.given_up)

    # Telling from the archive, for partitions that memory does not reach back in. Each function returns whether the
    # replay continues.

    async def _tell_archived(self) -> bool:
        recent = self.parts.feed.recent
        for _ in range(_LOOKS):  # the archive has next time what memory drops meanwhile
            missing = recent.missing(self.offsets)
            if missing and not await self._look(missing):
                return False
        return True

    async def _look(self, missing: set[int]) -> bool:
        begins = list(self.parts.feed.recent.begins)
        found = await self._find(await self._asked(missing, begins), begins, own=self._is_own(missing))
        await self._tell_invitations(found.invitations)
        async for some in slices(found.too_many):
            self.told.lose((name.encode("ascii") for name in some), "too_far_behind")
        for name, messages in found.counts.items():
            self.told.count(name.encode("ascii"), messages)
        ends = {p: max(self.offsets[p], min(found.offsets.get(p, 0), begins[p])) for p in missing}
        asked = [one for one in found.asked if one.conversation.encode("ascii") not in self.told.lost]
        place: Place | None = Place(-1, -1) if asked else None
        while place is not None:
            place = await self._tell_page(asked, place)
            if self.outbox.closed:
                return False
            if place is not None and self.enough():
                self._stop_at(place, asked, ends)
                return False
        for partition, end in ends.items():
            self.offsets[partition] = end
        return not self.enough()

    async def _tell_page(self, asked: list[Asked], after: Place) -> Place | None:
        await self._drain()  # before the page is read, so that a slow reader holds none
        page = await self._read(asked, after)
        for chunk in chunks(states_of(page), lambda state: len(state[1])):
            await self._drain()
            await self.outbox.stream(
                [protocol.wire(push) for key, push in chunk if key is None or key in self.person.access]
            )
        return page.reached

    def _stop_at(self, place: Place, asked: Iterable[Asked], ends: Mapping[int, int]) -> None:
        """Advances past what was told. Old messages that changed beyond the end come last; no token can split them."""
        for partition, end in ends.items():
            if partition < place.partition:
                self.offsets[partition] = end
        end = ends[place.partition]
        self.offsets[place.partition] = min(place.offset + 1, end)
        if place.offset + 1 >= end:
            rest = (one.conversation.encode("ascii") for one in asked if one.partition == place.partition)
            self.told.lose(rest, "too_far_behind")

    async def _asked(self, missing: set[int], begins: Sequence[int]) -> list[Asked]:
        person, partitions = self.person, len(begins)
        asked: list[Asked] = []
        async for some in slices(list(person.versions)):
            for key in some:
                partition = partition_of(key, partitions)
                if partition in missing:
                    left, since = key not in person.access, self.offsets[partition]
                    asked.append(Asked(key.decode("ascii"), partition, since, begins[partition], left))
        return asked

    async def _find(self, asked: list[Asked], begins: Sequence[int], *, own: bool) -> Found:
        """Finds the changes in these conversations and, with `own`, the invitations of the person."""
        if not asked and not own:
            return Found(dict(enumerate(begins)))
        epoch, limits, user_id = self.parts.feed.epoch, self.parts.limits, UUID(self.person.user_id)

        def find() -> Found:
            found = find_changes(
                user_id=user_id, epoch=epoch, asked=asked, each_most=limits.each_most, most=limits.most
            )
            found.invitations = list_states(user_id) if own else []
            return found

        return await self._ask(find)

    def _is_own(self, partitions: set[int]) -> bool:
        """Returns whether one of these partitions has the records of the person's own affairs."""
        return partition_of(PERSON.of(self.person.user_id), len(self.offsets)) in partitions

    async def _tell_invitations(self, invitations: Sequence[Invitation]) -> None:
        for chunk in chunks(invitation_states(invitations), len):
            await self._drain()
            await self.outbox.stream([protocol.wire(push) for push in chunk])

    async def _read(self, asked: list[Asked], after: Place) -> ChangesPage:
        epoch, user_id = self.parts.feed.epoch, UUID(self.person.user_id)
        # A person who was removed meanwhile gets nothing more of that conversation.
        heard = [one for one in asked if one.left or one.conversation.encode("ascii") in self.person.access]
        return await self._ask(lambda: read_page(user_id=user_id, epoch=epoch, asked=heard, after=after))

    async def _ask(self, question: Callable[[], T]) -> T:
        async with self.parts.reading.turn(self.person.user_id):
            return await self.parts.database.run(question)

    # Telling from memory, from `offsets` to the present.

    async def _tell_recent(self) -> bool:
        """Returns whether the connection now hears all pushes live."""
        while not self.outbox.closed:
            await self._give_up("too_far_behind")
            window = next_window(self.parts.feed, self.person, self.offsets, self.told)
            if window.whole and self.outbox.takes(window.size):
                # No await lies between reading the feed's memory and this, so that no record falls in between.
                self.outbox.tell(self._frame(window.records))
                await self.parts.begin(self.person, self.outbox, self.told.lost, ended=self.given_up)
                return True
            if not await self._tell_window(window):
                return False
        return False

    async def _tell_window(self, window: Window) -> bool:
        await self._drain()
        for chunk in chunks(window.records, size_of):
            await self._drain()
            await self.outbox.stream(self._frame(chunk))
            for key, record in chunk:
                self.told.count(key, 1)
                self._pass(window.ends, record)
            if self.outbox.closed or self.enough():
                return False
        if window.whole:
            self.offsets = window.ends
        return True

    async def _drain(self) -> None:
        """Lets other tasks run, and waits for a peer that takes nothing."""
        await asyncio.sleep(0)
        await self.outbox.stream([])

    def _pass(self, ends: Sequence[int], last: Record) -> None:
        """Advances past everything up to that record."""
        self.offsets[: last.partition] = ends[: last.partition]
        self.offsets[last.partition] = last.offset + 1

    def _frame(self, records: Iterable[tuple[bytes, Record]]) -> list[bytes]:
        """Returns the records' frames, without conversations that the person was removed from meanwhile."""
        access, own = self.person.access, PERSON.of(self.person.user_id)
        return self.parts.feed.frames(record for key, record in records if key in access or key == own)

    async def _give_up(self, why: str) -> None:
        """Gives up what neither memory nor archive holds; on return, memory has all the rest."""
        recent, partitions = self.parts.feed.recent, len(self.offsets)
        while missing := recent.missing(self.offsets):
            self.given_up |= missing
            for partition in missing:
                self.offsets[partition] = recent.begins[partition]
            async for some in slices(list(self.person.access)):
                self.told.lose((key for key in some if partition_of(key, partitions) in missing), why)
            if self._is_own(missing):  # no reset names them, so that they are read once more
                await self._tell_invitations(await self._ask(partial(list_states, UUID(self.person.user_id))))
