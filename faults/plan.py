"""Plans the faults: one seed always gives one plan. No I/O."""

import random
from collections.abc import Iterator, Mapping
from typing import NamedTuple


class Planned(NamedTuple):
    """A fault. `target` is any number, from which the fault picks its target; `strength` is from 0 to 1."""

    kind: str
    delay_s: float
    target: int
    strength: float


Pair = tuple[Planned, ...]
DELAY_MOST_S = 1.5
"""The seconds between the beginnings of a pair's two faults: shorter than any fault lasts."""


def make_plan(seed: int, uses: Mapping[str, frozenset[str]]) -> Iterator[Pair]:
    """Yields pairs without end. Each kind comes once before any repeats; the two of a pair use different things.

    A kind comes alone where there is none that it could be paired with.
    """
    rng = random.Random(seed)
    waiting: list[str] = []
    while True:
        first = _take(rng, waiting, uses, frozenset())
        target = rng.randrange(1_000)
        alone = Planned(first, 0.0, target, rng.random())
        if any(not used & uses[first] for used in uses.values()):
            second = _take(rng, waiting, uses, uses[first])
            delay_s = round(rng.uniform(0.0, DELAY_MOST_S), 2)
            yield alone, Planned(second, delay_s, target + 1, rng.random())
        else:
            yield (alone,)


def _take(rng: random.Random, waiting: list[str], uses: Mapping[str, frozenset[str]], taken: frozenset[str]) -> str:
    """The next kind that does not use what is taken; where all that wait do, those of the next round join them."""
    while True:
        for kind in waiting:
            if not uses[kind] & taken:
                waiting.remove(kind)
                return kind
        waiting += rng.sample(sorted(uses), len(uses))
