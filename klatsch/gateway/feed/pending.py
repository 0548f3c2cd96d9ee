"""Sends that wait to be read back from the log (D4)."""

from collections import OrderedDict
from typing import NamedTuple

from klatsch.gateway.outbox import Outbox


class Waiter(NamedTuple):
    """A waiting send: its outbox, its frame id, and `id_text`, `digest` and `told` as in `SentMessage`.

    `since_s` is monotonic. `value` is the record's value as this process appended it: read back unchanged, it
    needs no check.
    """

    outbox: Outbox
    re: int | str
    id_text: str
    digest: bytes
    since_s: float
    value: bytes
    told: bytes = b""


class Pending:
    """Waiters by message id (16 bytes), oldest first. Each is taken once, by its record or by its deadline."""

    def __init__(self) -> None:
        # A dict looks for its first entry among the places of all that were removed before it: 1 µs for each send.
        self._waiters: OrderedDict[bytes, tuple[Waiter, ...]] = OrderedDict()

    def add(self, message_id: bytes, waiter: Waiter) -> None:
        waiter.outbox.unanswered += 1
        earlier = self._waiters.get(message_id)
        self._waiters[message_id] = (waiter,) if earlier is None else (*earlier, waiter)

    def find(self, message_id: bytes) -> tuple[Waiter, ...]:
        """Returns the waiters of that message, and leaves them waiting."""
        return self._waiters.get(message_id, ())

    def take(self, message_id: bytes) -> tuple[Waiter, ...]:
        waiters = self._waiters.pop(message_id, ())
        for waiter in waiters:
            waiter.outbox.unanswered -= 1
        return waiters

    def put_back(self, message_id: bytes, waiters: tuple[Waiter, ...]) -> None:
        """Lets waiters that were taken wait on, before those that came later."""
        later = [one for one, others in self._waiters.items() if others[0].since_s > waiters[0].since_s]
        for waiter in waiters:
            self.add(message_id, waiter)
        for one in later:
            self._waiters.move_to_end(one)

    def oldest_s(self) -> float | None:
        """Returns since when the oldest waiter waits: the feed's lag behind this gateway's own records."""
        for waiters in self._waiters.values():
            return waiters[0].since_s
        return None

    def overdue(self, before_s: float) -> list[bytes]:
        """Returns the ids whose first waiter has waited since before that time."""
        ids: list[bytes] = []
        for message_id, waiters in self._waiters.items():
            if waiters[0].since_s >= before_s:
                break
            ids.append(message_id)
        return ids
