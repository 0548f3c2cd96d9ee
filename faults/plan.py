"""Which faults come when: the same seed gives the same plan. No I/O."""

import random
from collections.abc import Iterator, Mapping
from typing import NamedTuple


class Planned(NamedTuple):
    """One fault. `target` is any number, of which the fault takes what it needs; `strength` is from 0 to 1."""

    kind: str
    delay_s: float
    target: int
    strength: float


Pair = tuple[Planned, ...]
DELAY_MOST_S = 1.5
"""Between the beginnings of the two faults of a pair: shorter than any fault lasts."""


def make_plan(seed: int, uses: Mapping[str, frozenset[str]]) -> Iterator[Pair]:
    """Pairs without end. Each kind comes once before any comes again; two of a pair do not use the same thing.

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
