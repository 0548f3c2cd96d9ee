"""The state of all normal channels, as every process computes it from the same records. No I/O, no clock.

A message is matched with the first waiting offer, or queued until there is one: first in, first out. Nothing here
depends on the process that computes: what may differ between processes (capacity, expiry) travels in the records.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Queued:
    """A message in a queue. `place` is the offset of the record that brought it; `body` is None where not known."""

    place: int
    expires_ms: int
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Match:
    """A message and the waiting `receive` that gets it."""

    channel: str
    node: bytes
    offer: int
    message: Queued


@dataclass(slots=True)
class _Channel:
    queue: deque[Queued] = field(default_factory=deque)
    offers: OrderedDict[tuple[bytes, int], int] = field(default_factory=OrderedDict)


@dataclass(frozen=True, slots=True)
class Membership:
    """A normal channel's membership in a group. It ends unless it is repeated; the capacity is that of its adder."""

    until_ms: int
    capacity: int


class NormalChannels:
    """Queues, offers and memberships. `now_ms` is the time of the latest record."""

    def __init__(self) -> None:
        self.now_ms = 0
        self._channels: dict[str, _Channel] = {}
        self._groups: dict[str, dict[str, Membership]] = {}

    def __len__(self) -> int:
        return len(self._channels)

    def advance(self, time_ms: int) -> None:
        """Moves the time on. A broker's clock that was set back does not move it back."""
        self.now_ms = max(self.now_ms, time_ms)

    def send(self, channel: str, message: Queued, capacity: int) -> Match | bool:
        """Returns a match, or whether the message was queued: False where the channel is full."""
        found = self._channels.setdefault(channel, _Channel())
        match = self._match_offer(channel, found, message)
        if match is not None:
            return match
        self._drop_expired(found)
        if len(found.queue) >= capacity:
            self._forget_empty(channel, found)
            return False
        found.queue.append(message)
        return True

    def give_back(self, channel: str, message: Queued) -> Match | None:
        """Puts a message in front again. It had its place in the queue, so the capacity does not count."""
        if message.expires_ms <= self.now_ms:
            return None
        found = self._channels.setdefault(channel, _Channel())
        match = self._match_offer(channel, found, message)
        if match is None:
            found.queue.appendleft(message)
        return match

    def offer(self, channel: str, node: bytes, number: int, life_ms: int) -> Match | None:
        """Takes a new offer: returns the first message of the queue, or lets the offer wait for `life_ms`."""
        found = self._channels.setdefault(channel, _Channel())
        self._drop_expired(found)
        if found.queue:
            message = found.queue.popleft()
            self._forget_empty(channel, found)
            return Match(channel, node, number, message)
        found.offers[node, number] = self.now_ms + life_ms
        return None

    def renew(self, channel: str, node: bytes, number: int, life_ms: int) -> None:
        """Lets an offer wait longer. One that has ended stays ended: its owner makes a new one."""
        found = self._channels.get(channel)
        if found is not None and found.offers.get((node, number), 0) > self.now_ms:
            found.offers[node, number] = self.now_ms + life_ms

    def withdraw(self, channel: str, node: bytes, number: int) -> None:
        found = self._channels.get(channel)
        if found is not None:
            found.offers.pop((node, number), None)
            self._forget_empty(channel, found)

    def is_offered(self, channel: str, node: bytes, number: int) -> bool:
        found = self._channels.get(channel)
        return found is not None and found.offers.get((node, number), 0) > self.now_ms

    def join(self, group: str, channel: str, life_ms: int, capacity: int) -> None:
        self._groups.setdefault(group, {})[channel] = Membership(self.now_ms + life_ms, capacity)

    def leave(self, group: str, channel: str) -> None:
        members = self._groups.get(group, {})
        members.pop(channel, None)
        if not members:
            self._groups.pop(group, None)

    def is_member(self, group: str, channel: str) -> bool:
        found = self._groups.get(group, {}).get(channel)
        return found is not None and found.until_ms > self.now_ms

    def members(self, group: str) -> dict[str, Membership]:
        """Returns the normal channels of a group."""
        members = self._groups.get(group)
        if members is None:
            return {}
        return {channel: found for channel, found in members.items() if found.until_ms > self.now_ms}

    def has_members(self, group: str) -> bool:
        """Returns whether a group has normal channels as members."""
        return any(found.until_ms > self.now_ms for found in self._groups.get(group, {}).values())

    @property
    def has_groups(self) -> bool:
        return bool(self._groups)

    def groups(self) -> list[str]:
        return list(self._groups)

    def clear(self) -> None:
        """Forgets everything, offers too: whoever waits makes a new one."""
        self._channels.clear()
        self._groups.clear()

    def sweep(self) -> None:
        """Forgets what has expired. This changes no later result."""
        for channel, found in tuple(self._channels.items()):
            self._drop_expired(found)
            for offer in [offer for offer, until_ms in found.offers.items() if until_ms <= self.now_ms]:
                del found.offers[offer]
            self._forget_empty(channel, found)
        for group, members in tuple(self._groups.items()):
            for channel in [channel for channel, found in members.items() if found.until_ms <= self.now_ms]:
                self.leave(group, channel)

    def queued(self) -> Iterator[tuple[str, Queued]]:
        """Yields all queued messages with their channels."""
        for channel, found in self._channels.items():
            for message in found.queue:
                yield channel, message

    def snapshot(self) -> list[object]:
        """Returns the state without the messages' bodies, as lists: equal states give equal lists."""
        self.sweep()
        channels = [
            [
                channel,
                [[message.place, message.expires_ms] for message in found.queue],
                [[node, number, until_ms] for (node, number), until_ms in found.offers.items()],
            ]
            for channel, found in sorted(self._channels.items())
        ]
        groups = [
            [group, channel, found.until_ms, found.capacity]
            for group, members in sorted(self._groups.items())
            for channel, found in sorted(members.items())
        ]
        return [self.now_ms, channels, groups]

    @classmethod
    def restore(cls, snapshot: list[object], body_of: Callable[[str, int], bytes | None]) -> "NormalChannels":
        """Returns the state of a snapshot; `body_of` knows the messages by their channel and place."""
        state = cls()
        now_ms, channels, groups = snapshot
        assert isinstance(now_ms, int)
        assert isinstance(channels, list)
        assert isinstance(groups, list)
        state.now_ms = now_ms
        for channel, queue, offers in channels:
            state._channels[channel] = _Channel(
                deque(Queued(place, expires_ms, body_of(channel, place)) for place, expires_ms in queue),
                OrderedDict(((node, number), until_ms) for node, number, until_ms in offers),
            )
        for group, channel, until_ms, capacity in groups:
            state._groups.setdefault(group, {})[channel] = Membership(until_ms, capacity)
        return state

    def _match_offer(self, channel: str, found: _Channel, message: Queued) -> Match | None:
        while found.offers:
            (node, number), until_ms = found.offers.popitem(last=False)
            if until_ms > self.now_ms:
                self._forget_empty(channel, found)
                return Match(channel, node, number, message)
        return None

    def _drop_expired(self, found: _Channel) -> None:
        while found.queue and found.queue[0].expires_ms <= self.now_ms:
            found.queue.popleft()

    def _forget_empty(self, channel: str, found: _Channel) -> None:
        if not found.queue and not found.offers:
            self._channels.pop(channel, None)
