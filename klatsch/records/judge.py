"""Judges the log in order: finds the records that a person appended after their removal (D4, D5).

Gateways and persisters share these rules, so that all agree on which records are void.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Final, NamedTuple

from klatsch.eventlog.log import Record
from klatsch.records.members import MembersChanged, Membership

PRUNE_EVERY_S: Final = 3_600.0
"""The interval between calls of `Memberships.prune`."""


class StandingAt(NamedTuple):
    """A person's membership in one conversation, and the place of its record."""

    conversation: str
    user_id: str
    version: int
    active: bool
    partition: int
    offset: int


class _Standing(NamedTuple):
    version: int
    active: bool
    partition: int
    offset: int


class Memberships:
    """Tracks removals from conversations. A person's highest version counts.

    People are members by default: only a removal makes a record void, never a missing addition. Nothing is therefore
    kept of people who were never removed, and a repeated or late record of a lower version changes nothing. The log's
    retention bounds the size: removals whose records have left the log are forgotten (decisions/0027).
    """

    def __init__(self) -> None:
        self._standings: dict[bytes, dict[bytes, _Standing]] = {}

    @property
    def size(self) -> int:
        """Returns the number of tracked memberships."""
        return sum(map(len, self._standings.values()))

    def load(self, told: StandingAt) -> None:
        """Takes a membership from the archive, unless a record brought a higher version."""
        standing = _Standing(told.version, told.active, told.partition, told.offset)
        self._take(told.conversation.encode("ascii"), told.user_id, standing)

    def apply(self, record: Record, event: MembersChanged) -> list[Membership]:
        """Takes a record, and returns its changes that no higher version has overtaken."""
        key, place = event.conversation.encode("ascii"), (record.partition, record.offset)
        return [m for m in event.members if self._take(key, m.user_id, _Standing(m.version, m.active, *place))]

    def is_removed(self, key: bytes, sender: bytes) -> bool:
        """Returns whether a record that `sender` (16 bytes) appends to the conversation of `key` is void."""
        people = self._standings.get(key)
        if people is None:
            return False
        standing = people.get(sender)
        return standing is not None and not standing.active

    def prune(self, oldest: Mapping[int, int]) -> None:
        """Forgets memberships whose records lie before these offsets: the log no longer holds them."""
        self._keep(lambda standing: standing.offset >= oldest.get(standing.partition, 0))

    def forget(self, partitions: Collection[int]) -> None:
        """Forgets the memberships in these partitions: another persister judges them now."""
        self._keep(lambda standing: standing.partition not in partitions)

    def _keep(self, wanted: Callable[[_Standing], bool]) -> None:
        for key, people in list(self._standings.items()):
            kept = {person: standing for person, standing in people.items() if wanted(standing)}
            if kept:
                self._standings[key] = kept
            else:
                del self._standings[key]

    def _take(self, key: bytes, user_id: str, standing: _Standing) -> bool:
        person = bytes.fromhex(user_id.replace("-", ""))
        known = self._standings.get(key, {}).get(person)
        if known is not None and known.version >= standing.version:
            return known[:2] == standing[:2]
        if standing.version > 1 or not standing.active:  # version 1 and active is the default of unknown people
            self._standings.setdefault(key, {})[person] = standing
        return True
