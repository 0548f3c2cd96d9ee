"""How much a connection may send, and a person over all of theirs: frames of every kind, and bytes (D12, D16).

Counted before anything is decoded. More than is allowed closes the connection with 4429, so there is room for all that
honest clients do; what a person may say is the smaller rate of `core.bucket`, and is answered `rate_limited`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_FRAMES_A_MESSAGE: Final = 2
"""A client sends other frames too: pings, pongs, and what it was told to send later."""
_MESSAGES_LEAST: Final = 500
_MESSAGES_UNLIMITED: Final = 10_000
"""Stands for a rate of messages that is switched off (0): pings are not."""
_BYTES_A_FRAME: Final = 4_096
_AT_ONCE_S: Final = 4
"""Seconds' worth that may come at once: 4,000 frames and 16 MB. 64 sends of 4,000 escaped characters are 3 MB."""
_CONNECTIONS_A_PERSON: Final = 4
"""Connections of a person that may send as much as one may."""
_SWEPT_FROM: Final = 1_000


@dataclass(frozen=True, slots=True)
class Most:
    """So many frames and bytes at once, and so many more each second."""

    frames: int
    size: int
    frames_per_s: int = 0
    size_per_s: int = 0


BEFORE_HELLO: Final = Most(frames=128, size=131_072)
"""In all, for a peer that may be anybody: a hello with its token, what was sent with it, and pings while it waits."""
LAST_WORDS: Final = Most(frames=128, size=262_144)
"""In all, once we have closed: what was on its way, and the peer's answer to the close."""


class Allowance:
    """What may still come. The clock is looked at only once it is used up: a frame costs two subtractions.

    So it is at least a token bucket's, and at most twice that.
    """

    __slots__ = ("_clock", "_filled_s", "_frames", "_most", "_size")

    def __init__(self, most: Most, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._frames: float = most.frames
        self._size: float = most.size
        self._filled_s = clock()

    def take(self, frames: int, size: int) -> bool:
        """Returns whether so many frames and bytes may come."""
        self._frames -= frames
        self._size -= size
        return (self._frames >= 0 and self._size >= 0) or self._refill()

    def is_full(self) -> bool:
        """Returns whether it is as good as a new one."""
        self._refill()
        return self._frames >= self._most.frames and self._size >= self._most.size

    def _refill(self) -> bool:
        now_s, most = self._clock(), self._most
        since_s = now_s - self._filled_s
        self._filled_s = now_s
        self._frames = min(most.frames, self._frames + since_s * most.frames_per_s)
        self._size = min(most.size, self._size + since_s * most.size_per_s)
        return self._frames >= 0 and self._size >= 0


class Allowances:
    """Those of one process. A person's is kept until it is full again: reconnecting gives nobody more."""

    def __init__(self, messages_per_second: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.connection = _most(max(messages_per_second or _MESSAGES_UNLIMITED, _MESSAGES_LEAST) * _FRAMES_A_MESSAGE)
        self.person = _most(self.connection.frames_per_s * _CONNECTIONS_A_PERSON)
        self._people: dict[str, Allowance] = {}
        self._sweep_at = _SWEPT_FROM

    def __len__(self) -> int:
        return len(self._people)

    def of(self, user_id: str) -> tuple[Allowance, Allowance]:
        """Those that one more connection of this person takes from: its own, and the person's."""
        person = self._people.get(user_id)
        if person is None:
            if len(self._people) >= self._sweep_at:
                self._sweep()
            person = self._people[user_id] = Allowance(self.person, self._clock)
        return Allowance(self.connection, self._clock), person

    def _sweep(self) -> None:
        self._people = {who: allowance for who, allowance in self._people.items() if not allowance.is_full()}
        self._sweep_at = max(_SWEPT_FROM, 2 * len(self._people))


def _most(frames_per_s: int) -> Most:
    return Most(
        frames=frames_per_s * _AT_ONCE_S,
        size=frames_per_s * _AT_ONCE_S * _BYTES_A_FRAME,
        frames_per_s=frames_per_s,
        size_per_s=frames_per_s * _BYTES_A_FRAME,
    )
