"""The markers of one part of a gateway's memory: of each person and conversation at most two (D19)."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from klatsch.eventlog.log import Record
from klatsch.records.markers import has_read, has_received, marked_by


class HeldMarkers:
    """Markers by the key whose listeners get them, and by person and conversation.

    The first record of the highest `read` stays, and that of the highest `delivered`: clients take the highest of each.
    A later record of the same `read` cannot stand for the first. The flag "unread from here" may have been set between
    them. The `read` would then seem to rise after the flag, and clear it.
    """

    __slots__ = ("by_key",)

    def __init__(self) -> None:
        self.by_key: dict[bytes, dict[bytes, tuple[Record, ...]]] = {}
        """For each person the record of the highest `read`, then that of the highest `delivered`, if it is another."""

    def keys(self) -> AbstractSet[bytes]:
        return self.by_key.keys()

    def of(self, key: bytes) -> Iterable[Record]:
        """Yields the markers under a key."""
        for records in self.by_key.get(key, {}).values():
            yield from records

    def put(self, key: bytes, whose: bytes, record: Record) -> int:
        """Adds a marker in place of lower ones; returns how many more are held than before.

        `whose` is the name that `whose_marker` gives it.
        """
        people = self.by_key.get(key)
        if people is None:
            people = self.by_key[key] = {}
        held = people.get(whose)
        if held is None:
            people[whose] = (record,)
            return 1
        read, delivered = held[0], held[-1]
        if not has_read(read.judge, record.judge):
            read = record
        if has_received(record.judge, delivered.judge):
            delivered = record
        people[whose] = (read,) if read is delivered else (read, delivered)
        return len(people[whose]) - len(held)


def whose_marker(record: Record) -> bytes:
    """Returns the name of a marker's person and conversation."""
    return marked_by(record.judge) + record.key
