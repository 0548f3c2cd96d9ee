"""A client's unanswered sends, and those to send again, always under one `client_id`."""

import time
from collections import deque
from dataclasses import dataclass, field

from faults.history import hash_of
from klatsch.core.ids import uuid7

WINDOW = 24
"""The most unanswered sends of a client."""


@dataclass(slots=True)
class Send:
    """A message to send, which mentions the `named` people. It is not sent again before `not_before`, monotonic."""

    conversation: str
    content: str
    named: list[str] = field(default_factory=list)
    client_id: str = field(default_factory=lambda: uuid7(time.time_ns() // 1_000_000))
    not_before: float = 0.0
    invoked: float = 0.0
    is_accepted: bool = False

    @property
    def hash(self) -> str:
        return hash_of(self.content)


@dataclass(slots=True)
class Change(Send):
    """A change of the message `target`. `op` and `fields` make its frame; `what` and `body` are of `faults.folding`."""

    target: str = ""
    op: str = ""
    fields: dict[str, object] = field(default_factory=dict)
    what: str = ""
    body: str = ""


class Sends:
    """Tracks `pending` sends by frame id, oldest first. Unanswered ones come back through `again`."""

    def __init__(self) -> None:
        self.pending: dict[int, Send] = {}
        self.waiting: deque[Send] = deque()
        self._next_frame = 1

    @property
    def is_full(self) -> bool:
        return len(self.pending) + len(self.waiting) >= WINDOW

    def has(self, send: Send) -> bool:
        """Returns whether this send is unanswered."""
        return any(one is send for one in (*self.pending.values(), *self.waiting))

    @property
    def has_change(self) -> bool:
        """Returns whether a change is unanswered: it may wait for the archive, and what comes behind it waits too."""
        return any(isinstance(send, Change) for send in (*self.pending.values(), *self.waiting))

    @property
    def is_empty(self) -> bool:
        return not self.pending and not self.waiting

    def begin(self, send: Send, now: float) -> int:
        """Returns the frame id under which the message is sent now."""
        send.invoked = now
        frame = self.next_frame()
        self.pending[frame] = send
        return frame

    def next_frame(self) -> int:
        """Returns a frame id that was not used yet."""
        self._next_frame += 1
        return self._next_frame

    def again(self, send: Send, not_before: float) -> None:
        send.not_before = not_before
        self.waiting.append(send)

    def due(self, now: float) -> Send | None:
        """Returns the next message to send again, if its time has come."""
        if self.waiting and self.waiting[0].not_before <= now:
            return self.waiting.popleft()
        return None

    def give_up_connection(self, now: float) -> list[Send]:
        """Returns the unanswered sends of the ended connection, which will be sent again on the next."""
        lost = list(self.pending.values())
        self.pending.clear()
        for send in lost:
            self.again(send, now)
        return lost

    def oldest_s(self, now: float) -> float:
        """Returns how long the oldest send has waited for its answer."""
        for send in self.pending.values():
            return now - send.invoked
        return 0.0
