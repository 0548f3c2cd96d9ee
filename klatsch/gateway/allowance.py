"""Rate limits on a connection, and on all connections of a person: frames of every kind, and bytes (D12, D16).

They count before anything is decoded. Exceeding them closes the connection with 4429, so they leave room for all that
honest clients do. The smaller rate of messages is limited by `core.bucket` and answered `rate_limited`.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

_FRAMES_A_MESSAGE: Final = 2
"""Clients send other frames too: pings, pongs, and sends that they were told to retry later."""
_MESSAGES_LEAST: Final = 500
_MESSAGES_UNLIMITED: Final = 10_000
"""Stands for a disabled rate of messages (0): pings stay limited."""
_BYTES_A_FRAME: Final = 4_096
_AT_ONCE_S: Final = 4
"""The seconds' worth that may come at once: 4,000 frames and 16 MB. 64 sends of 4,000 escaped characters are 3 MB."""
_CONNECTIONS_A_PERSON: Final = 4
"""A person's connections together may send as much as this number of connections."""
_SWEPT_FROM: Final = 1_000


@dataclass(frozen=True, slots=True)
class Most:
    """A limit: the frames and bytes that may come at once, and those that each second adds."""

    frames: int
    size: int
    frames_per_s: int = 0
    size_per_s: int = 0


BEFORE_HELLO: Final = Most(frames=128, size=131_072)
"""The total for a peer that has not signed in: a hello with its token, early sends, and pings while it waits."""
LAST_WORDS: Final = Most(frames=128, size=262_144)
"""The total after the server has closed: frames on their way, and the peer's answer to the close."""


class Allowance:
    """The remaining frames and bytes. The clock is read only once they are used up: a frame costs two subtractions.

    It therefore admits at least what a token bucket would, and at most twice that.
    """

    __slots__ = ("_clock", "_filled_s", "_frames", "_most", "_size")

    def __init__(self, most: Most, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._frames: float = most.frames
        self._size: float = most.size
        self._filled_s = clock()

    def take(self, frames: int, size: int) -> bool:
        """Returns whether this many frames and bytes are admitted."""
        self._frames -= frames
        self._size -= size
        return (self._frames >= 0 and self._size >= 0) or self._refill()

    def is_full(self) -> bool:
        """Returns whether the allowance is as full as a new one."""
        self._refill()
        return self._frames >= self._most.frames and self._size >= self._most.size

    def _refill(self) -> bool:
        now_s, most = self._clock(), self._most
        since_s = now_s - self._filled_s
        self._filled_s = now_s
        self._frames = min(most.frames, self._frames + since_s * most.frames_per_s)
        self._size = min(most.size, self._size + since_s * most.size_per_s)
        return self._frames >= 0 and self._size >= 0


def take_from(allowances: Iterable[Allowance], frames: int, size: int) -> bool:
    """Takes this many frames and bytes from each allowance; returns whether all admit them."""
    is_allowed = True
    for allowance in allowances:
        is_allowed &= allowance.take(frames, size)
    return is_allowed


class Allowances:
    """The allowances of one process. A person's is kept until it is full again, so that reconnecting gains nothing."""

    def __init__(self, messages_per_second: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.connection = _most(max(messages_per_second or _MESSAGES_UNLIMITED, _MESSAGES_LEAST) * _FRAMES_A_MESSAGE)
        self.person = _most(self.connection.frames_per_s * _CONNECTIONS_A_PERSON)
        self._people: dict[str, Allowance] = {}
        self._sweep_at = _SWEPT_FROM

    def __len__(self) -> int:
        return len(self._people)

    def of(self, user_id: str) -> tuple[Allowance, Allowance]:
        """Returns the allowances of one more connection of this person: its own, and the person's."""
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
