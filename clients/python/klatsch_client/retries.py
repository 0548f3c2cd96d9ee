"""The pauses before a retry: exponential, with full jitter, bounded."""

import random
from collections.abc import Callable

_DOUBLINGS_MOST = 30


def jitter_s(tries: int, *, first_s: float, most_s: float, uniform: Callable[[float, float], float]) -> float:
    """Returns a random pause from 0 to `first_s`, which doubles with every earlier try, up to `most_s`."""
    return uniform(0, min(most_s, first_s * 2 ** min(tries, _DOUBLINGS_MOST)))


class Backoff:
    """The pauses of one thing that is tried until it succeeds."""

    def __init__(
        self, first_s: float, most_s: float, uniform: Callable[[float, float], float] = random.uniform
    ) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._uniform = uniform
        self._tries = 0

    def next_s(self) -> float:
        """Returns the pause before the next try."""
        self._tries += 1
        return jitter_s(self._tries - 1, first_s=self._first_s, most_s=self._most_s, uniform=self._uniform)

    def succeeded(self) -> None:
        """Makes the next pause a short one again."""
        self._tries = 0
