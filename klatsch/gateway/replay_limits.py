"""The limits of one replay: what it has told so far, and the conversations that the client reloads instead (D7)."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from klatsch.gateway.hub import ConnectedPerson


@dataclass(frozen=True, slots=True)
class ReplayLimits:
    """The most changes that are replayed, of one conversation and of all. Beyond, the client reloads."""

    each_most: int
    most: int


@dataclass(slots=True)
class ToldChanges:
    """Counts the changes that one replay has told. `lost` has the conversations to reload, each with its reason."""

    limits: ReplayLimits
    person: ConnectedPerson
    lost: dict[bytes, str] = field(default_factory=dict)
    _each: Counter[bytes] = field(default_factory=Counter)
    _all: int = 0

    def count(self, key: bytes, changes: int) -> None:
        """Adds changes of a conversation, which is lost when they exceed a limit."""
        self._each[key] += changes
        self._all += changes
        if self.is_beyond(key, 0, 0):
            self.lose([key], "too_far_behind")

    def is_beyond(self, key: bytes, changes: int, others: int) -> bool:
        """Returns whether this many more changes of a conversation, beside `others`, exceed the limits."""
        limits = self.limits
        return self._each[key] + changes > limits.each_most or self._all + others + changes > limits.most

    def lose(self, keys: Iterable[bytes], why: str) -> None:
        """Gives up those of the conversations that the person is in; the first reason stays."""
        for key in keys:
            if key in self.person.access:
                self.lost.setdefault(key, why)
