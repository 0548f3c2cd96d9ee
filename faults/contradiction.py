"""A contradiction between a run and an invariant."""

from typing import NamedTuple


class Contradiction(NamedTuple):
    """A contradiction. `invariant` is I1 to I7; `what` is lost, doubled, reordered, strangers or mixed up."""

    invariant: str
    what: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.sentence}"
