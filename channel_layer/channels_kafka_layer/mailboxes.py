"""A node's own channels: a bounded queue for each, and the `receive`s that wait at it. No I/O.

A message always enters the queue, and the first waiter is woken to take it. A waiter that is cancelled after it was
woken has therefore lost nothing: it wakes the next.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Protocol


class Wakeable(Protocol):
    """A waiting `receive`."""

    def wake(self) -> None: ...


class _Mailbox:
    """One channel. Most have a waiter and no message, so the queue, of half a kilobyte, is made for the first."""

    __slots__ = ("capacity", "messages", "waiting")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.messages: deque[tuple[float, bytes]] | None = None
        self.waiting: dict[Wakeable, None] = {}

    def put(self, body: bytes, expires_s: float, now_s: float) -> bool:
        if self.messages is None:
            self.messages = deque()
        if len(self.messages) >= self.capacity:
            self.drop_expired(now_s)
            if len(self.messages) >= self.capacity:
                return False
        self.messages.append((expires_s, body))
        return True

    def take(self, now_s: float) -> bytes | None:
        self.drop_expired(now_s)
        return self.messages.popleft()[1] if self.messages else None

    def drop_expired(self, now_s: float) -> None:
        while self.messages and self.messages[0][0] <= now_s:
            self.messages.popleft()


class Mailboxes:
    """Queues by channel. The caller holds a lock, and passes the time as seconds of one steady clock.

    A channel at which no `receive` has waited for `idle_most_s` has ended: there is no other sign of it.
    """

    def __init__(self, capacity_of: Callable[[str], int], idle_most_s: float) -> None:
        self._capacity_of = capacity_of
        self._idle_most_s = idle_most_s
        self._boxes: dict[str, _Mailbox] = {}
        self._idle_since: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._boxes)

    def open(self, channel: str, now_s: float) -> None:
        """Makes a channel known, so that it ends if nobody ever receives from it."""
        self._box(channel, now_s)

    def put(self, channel: str, body: bytes, expires_s: float, now_s: float) -> bool:
        """Queues a message and wakes a waiter; returns False, dropping the message, where the channel is full."""
        box = self._box(channel, now_s)
        is_room = box.put(body, expires_s, now_s)
        if is_room:
            self._wake_one(channel, box, now_s)
        return is_room

    def take(self, channel: str, now_s: float) -> bytes | None:
        """Returns the first message that has not expired."""
        box = self._box(channel, now_s)
        if not box.waiting:
            self._touch(channel, now_s)
        return box.take(now_s)

    def wait(self, channel: str, waiter: Wakeable, now_s: float) -> None:
        """Adds a waiter, which `put` wakes once; it then calls `take` or `leave`."""
        self._box(channel, now_s).waiting[waiter] = None
        self._idle_since.pop(channel, None)

    def leave(self, channel: str, waiter: Wakeable, now_s: float) -> None:
        """Removes a waiter that was cancelled; one that had been woken already wakes the next in its place."""
        box = self._boxes.get(channel)
        if box is None:
            return
        if waiter in box.waiting:
            del box.waiting[waiter]
        elif box.messages:
            self._wake_one(channel, box, now_s)
        if not box.waiting:
            self._touch(channel, now_s)

    def sweep(self, now_s: float) -> list[str]:
        """Removes the channels that have ended; returns their names."""
        ended = []
        while self._idle_since:
            channel, since_s = next(iter(self._idle_since.items()))
            if now_s - since_s < self._idle_most_s:
                break
            del self._idle_since[channel]
            del self._boxes[channel]
            ended.append(channel)
        return ended

    def clear(self) -> None:
        """Drops all messages; whoever waits goes on waiting."""
        for channel, box in tuple(self._boxes.items()):
            box.messages = None
            if not box.waiting:
                del self._boxes[channel]
                self._idle_since.pop(channel, None)

    def _box(self, channel: str, now_s: float) -> _Mailbox:
        box = self._boxes.get(channel)
        if box is None:
            box = self._boxes[channel] = _Mailbox(self._capacity_of(channel))
            self._touch(channel, now_s)
        return box

    def _wake_one(self, channel: str, box: _Mailbox, now_s: float) -> None:
        if box.waiting:
            waiter = next(iter(box.waiting))
            del box.waiting[waiter]
            if not box.waiting:
                self._touch(channel, now_s)
            waiter.wake()

    def _touch(self, channel: str, now_s: float) -> None:
        self._idle_since[channel] = now_s
        self._idle_since.move_to_end(channel)
