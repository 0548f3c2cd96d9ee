"""Brings a connection from its token to the present: from memory, where that holds it, else from the archive (D7)."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import msgspec

from klatsch.core.metrics import RESETS
from klatsch.eventlog.log import Record
from klatsch.eventlog.partitions import partition_of
from klatsch.gateway import protocol
from klatsch.gateway.database import DatabaseThreads
from klatsch.gateway.feed import Feed
from klatsch.gateway.hub import Person
from klatsch.gateway.outbox import Outbox
from klatsch.gateway.tokens import Tokens
from klatsch.messaging.changes import Asked, Changes, read_changes
from klatsch.messaging.events import user_key

_LOOKS = 3
"""How often the archive is asked at most, for one replay."""


@dataclass(frozen=True, slots=True)
class ReplayLimits:
    """The most changes that are replayed of one conversation, and of all: beyond, it is loaded anew."""

    each_most: int
    most: int


@dataclass(frozen=True, slots=True)
class Replays:
    """What every replay of a gateway uses."""

    feed: Feed
    tokens: Tokens
    database: DatabaseThreads
    limits: ReplayLimits

    async def run(self, person: Person, outbox: Outbox, offsets: Sequence[int]) -> None:
        """Returns when the connection has all from `offsets` on and hears the rest live; raises Unavailable.

        The outbox must be deaf and its person in the hub: what comes meanwhile is read from the feed's memory.
        """
        await _Replay(self, person, outbox, list(offsets)).run()

    def begin(self, person: Person, outbox: Outbox, reset: Mapping[bytes, str]) -> None:
        """From here on the connection hears all; those conversations it has to load anew."""
        here = self.tokens.now(person.user_id)
        outbox.deaf = False
        for why in sorted(set(reset.values())):
            names = [key.decode("ascii") for key, reason in reset.items() if reason == why and key in person.access]
            RESETS.labels(why).inc(len(names))
            for frame in protocol.push_resets(names, why, here):
                outbox.answer(frame)
        outbox.answer(protocol.push_mark(here))


@dataclass(slots=True)
class _Replay:
    """One connection's. It has all before `offsets`, but of the conversations in `lost`, by their reason."""

    parts: Replays
    person: Person
    outbox: Outbox
    offsets: list[int]
    lost: dict[bytes, str] = field(default_factory=dict)
    told: Counter[bytes] = field(default_factory=Counter)
    told_all: int = 0

    async def run(self) -> None:
        recent = self.parts.feed.recent
        for _ in range(_LOOKS):  # what memory drops while the archive is read, the archive has the next time
            missing = recent.missing(self.offsets)
            if missing:
                await self.outbox.stream(await self._archived(missing))
        self._give_up("archive_behind")
        while not self.outbox.closed:
            frames = self._recent()
            if self.outbox.takes(sum(map(len, frames))):
                # Nothing is awaited between reading the feed's memory and this: not one record falls between.
                self.outbox.tell(frames)
                self.parts.begin(self.person, self.outbox, self.lost)
                return
            await self.outbox.stream(frames)

    async def _archived(self, missing: set[int]) -> list[bytes]:
        """What the archive says of the partitions that memory does not reach back in."""
        begins = list(self.parts.feed.recent.begins)
        changes = await self._read(self._asked(missing, begins), begins)
        for partition in missing:
            self.offsets[partition] = min(changes.offsets.get(partition, 0), begins[partition])
        self._lose((name.encode("ascii") for name in changes.too_many), "too_far_behind")
        for name, messages in changes.messages.items():
            self._count(name.encode("ascii"), len(messages))
        return [frame for key, frame in _frames_of(changes) if key not in self.lost]

    async def _read(self, asked: list[Asked], begins: Sequence[int]) -> Changes:
        if not asked:
            return Changes(dict(enumerate(begins)))
        epoch, limits = self.parts.feed.epoch, self.parts.limits
        user_id = UUID(self.person.user_id)
        return await self.parts.database.run(
            lambda: read_changes(
                user_id=user_id, epoch=epoch, asked=asked, each_most=limits.each_most, most=limits.most
            )
        )

    def _asked(self, missing: set[int], begins: Sequence[int]) -> list[Asked]:
        person, partitions = self.person, len(begins)
        asked: list[Asked] = []
        for key in person.versions:
            partition = partition_of(key, partitions)
            if partition in missing:
                left = key not in person.access
                asked.append(Asked(key.decode("ascii"), partition, self.offsets[partition], begins[partition], left))
        return asked

    def _recent(self) -> list[bytes]:
        """What memory holds from `offsets` to the present, which is where they are afterwards."""
        feed = self.parts.feed
        self._give_up("too_far_behind")
        keys = [*self.person.access, user_key(self.person.user_id)]
        records: dict[tuple[int, int], Record] = {}
        for key, found in feed.recent.since(keys, self.offsets):
            self._count(key, len(found))
            if key not in self.lost:
                records |= {(record.partition, record.offset): record for record in found}
        self.offsets = list(feed.offsets)
        return [feed.frame(records[place]) for place in sorted(records)]

    def _count(self, key: bytes, changes: int) -> None:
        self.told[key] += changes
        self.told_all += changes
        limits = self.parts.limits
        if self.told[key] > limits.each_most or self.told_all > limits.most:
            self._lose([key], "too_far_behind")

    def _give_up(self, why: str) -> None:
        """Loses what stands where neither memory nor archive reaches."""
        recent = self.parts.feed.recent
        missing = recent.missing(self.offsets)
        if missing:
            partitions = len(self.offsets)
            self._lose((key for key in self.person.access if partition_of(key, partitions) in missing), why)
            for partition in missing:
                self.offsets[partition] = recent.begins[partition]

    def _lose(self, keys: Iterable[bytes], why: str) -> None:
        for key in keys:
            if key in self.person.access:
                self.lost.setdefault(key, why)


def _frames_of(changes: Changes) -> Iterable[tuple[bytes, bytes]]:
    """The frames of a conversation's key: who belongs to it before what was said in it."""
    for name, members in changes.members.items():
        body = msgspec.json.encode({"kind": "members", "conversation": name, "members": members})
        yield name.encode("ascii"), protocol.wire(protocol.push_state(body))
    for name, messages in changes.messages.items():
        for message in messages:
            body = b'{"kind":"message",' + msgspec.json.encode(message)[1:]
            yield name.encode("ascii"), protocol.wire(protocol.push_state(body))
