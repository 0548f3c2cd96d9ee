"""Decides when a system is warm: Java compiles what runs often, and until then each second is faster than the last."""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

_ROUNDS: Final = 3
_SPREAD_MOST: Final = 0.05
WARM_UP_ROUND_S: Final = 2.0


class Settling:
    """Rates of rounds in their order. Settled: the last three differ by at most 5 % of the highest of them."""

    def __init__(self, rounds: int = _ROUNDS, spread_most: float = _SPREAD_MOST) -> None:
        self._rates: deque[float] = deque(maxlen=rounds)
        self._spread_most = spread_most
        self.rounds = 0

    def add(self, rate: float) -> None:
        self._rates.append(rate)
        self.rounds += 1

    @property
    def is_settled(self) -> bool:
        if len(self._rates) < (self._rates.maxlen or 0):
            return False
        highest = max(self._rates)
        return highest > 0 and (highest - min(self._rates)) / highest <= self._spread_most


async def warm_up(measure_rate: Callable[[float], Awaitable[float]], seconds_most: float) -> str:
    """Runs rounds of two seconds until their rates have settled, or for `seconds_most`; returns what came of it.

    `measure_rate` gets the seconds of a round.
    """
    settling = Settling()
    while settling.rounds * WARM_UP_ROUND_S < seconds_most:
        settling.add(await measure_rate(WARM_UP_ROUND_S))
        if settling.is_settled:
            return f"settled after {settling.rounds * WARM_UP_ROUND_S:.0f} s"
    return f"not settled after {settling.rounds * WARM_UP_ROUND_S:.0f} s" if settling.rounds else "none"
