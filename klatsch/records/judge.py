"""Judging the log in order: who was out of a conversation when a record was appended (D4, D5). Gateways and persisters
share these rules, so that all agree on what is void.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Final, NamedTuple

from klatsch.eventlog.log import Record
from klatsch.records.members import MembersChanged, Membership

PRUNE_EVERY_S: Final = 3_600.0
"""How often `Memberships.prune` is called."""


class StandingAt(NamedTuple):
    """One person's standing in one conversation, and where its record stands."""

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
    """Tracks who has been removed from which conversation; a person's highest version is true.

    Being in is the default: only a removal makes a record void, never the want of an addition. So nothing is kept of
    people who were never removed, and a repeated or late record of a lower version changes nothing. What is kept is
    bounded by the log: of a record that it no longer holds nothing is known (decisions/0027).
    """

    def __init__(self) -> None:
        self._standings: dict[bytes, dict[bytes, _Standing]] = {}

    @property
    def size(self) -> int:
        """Returns how many standings are kept."""
        return sum(map(len, self._standings.values()))

    def load(self, told: StandingAt) -> None:
        """Takes a standing from the archive, unless a record brought a higher version."""
        standing = _Standing(told.version, told.active, told.partition, told.offset)
        self._take(told.conversation.encode("ascii"), told.user_id, standing)

    def apply(self, record: Record, event: MembersChanged) -> list[Membership]:
        """Takes a record, and returns those of its changes that are not overtaken by a higher version."""
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
        """Forgets what stands before these offsets of the partitions: what the log no longer holds."""
        self._keep(lambda standing: standing.offset >= oldest.get(standing.partition, 0))

    def forget(self, partitions: Collection[int]) -> None:
        """Forgets what stands in these partitions: somebody else judges them now."""
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
        if standing.version > 1 or not standing.active:  # else it is what is true of everybody who is not known
            self._standings.setdefault(key, {})[person] = standing
        return True
