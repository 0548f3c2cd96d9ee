"""The markers of one part of a gateway's memory: of each person and conversation only the highest (D19)."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Final

from klatsch.eventlog.log import Record
from klatsch.records.markers import Moved, marked_by

_NONE: Final[tuple[Record, ...]] = ()


class HeldMarkers:
    """Markers by the key whose listeners get them, and by person and conversation.

    Two records stay where each has one of the two positions higher: clients take the highest of each.
    """

    __slots__ = ("_by_key",)

    def __init__(self) -> None:
        self._by_key: dict[bytes, dict[bytes, tuple[Record, ...]]] = {}

    def keys(self) -> AbstractSet[bytes]:
        return self._by_key.keys()

    def of(self, key: bytes) -> Iterable[Record]:
        """Yields the markers under a key."""
        for records in self._by_key.get(key, {}).values():
            yield from records

    def of_person(self, key: bytes, whose: bytes) -> tuple[Record, ...]:
        """Returns the markers of one person and conversation, as `whose_marker` names them."""
        people = self._by_key.get(key)
        return _NONE if people is None else people.get(whose, _NONE)

    def put(self, key: bytes, record: Record) -> int:
        """Adds a marker in place of those that it covers; returns how many more are held than before."""
        people = self._by_key.setdefault(key, {})
        whose = whose_marker(record)
        held, moved = people.get(whose, _NONE), Moved.of(record.judge)
        people[whose] = (*(one for one in held if not is_covered(Moved.of(one.judge), moved)), record)
        return len(people[whose]) - len(held)


def whose_marker(record: Record) -> bytes:
    """Returns the name of a marker's person and conversation."""
    return marked_by(record.judge) + record.key


def is_covered(one: Moved, by: Moved) -> bool:
    """Returns whether a marker says nothing beyond another one."""
    return one.read <= by.read and one.delivered <= by.delivered
