"""One way in which a run contradicts an invariant."""

from typing import NamedTuple


class Contradiction(NamedTuple):
    """`invariant` is I1 to I6; `what` is lost, doubled, reordered, strangers or mixed up, as the ledger counts it."""

    invariant: str
    what: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.sentence}"
