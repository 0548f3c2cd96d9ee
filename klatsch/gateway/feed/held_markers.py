"""The markers of one part of a gateway's memory: of each person and conversation only the highest (D19)."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from klatsch.eventlog.log import Record
from klatsch.records.markers import has_read, has_received, marked_by


class HeldMarkers:
    """Markers by the key whose listeners get them, and by person and conversation.

    Two records stay where each has one of the two positions higher: clients take the highest of each.
    """

    __slots__ = ("by_key",)

    def __init__(self) -> None:
        self.by_key: dict[bytes, dict[bytes, tuple[Record, ...]]] = {}

    def keys(self) -> AbstractSet[bytes]:
        return self.by_key.keys()

    def of(self, key: bytes) -> Iterable[Record]:
        """Yields the markers under a key."""
        for records in self.by_key.get(key, {}).values():
            yield from records

    def put(self, key: bytes, whose: bytes, record: Record) -> int:
        """Adds a marker in place of those that it covers; returns how many more are held than before.

        `whose` is the name that `whose_marker` gives it.
        """
        people = self.by_key.get(key)
        if people is None:
            people = self.by_key[key] = {}
        held = people.get(whose)
        if held is None:
            people[whose] = (record,)
            return 1
        people[whose] = (*[one for one in held if not _is_covered(one.judge, record.judge)], record)
        return len(people[whose]) - len(held)


def whose_marker(record: Record) -> bytes:
    """Returns the name of a marker's person and conversation."""
    return marked_by(record.judge) + record.key


def _is_covered(judge: bytes, by: bytes) -> bool:
    """Returns whether a marker says nothing beyond another one."""
    return has_read(by, judge) and has_received(by, judge)
