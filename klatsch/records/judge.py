"""Judges the log in order: finds the records that a person appended after their removal or block (D4, D5).

Gateways and persisters share these rules, so that all agree on which records are void.
"""

from collections.abc import Callable, Collection, Mapping
from enum import Enum, auto
from typing import Final, NamedTuple

from klatsch.core.ids import uuid_bytes
from klatsch.eventlog.log import Record
from klatsch.records.members import MembersChanged, Membership, Role

PRUNE_EVERY_S: Final = 3_600.0
"""The interval between calls of `Memberships.prune`."""


class Verdict(Enum):
    """The outcome of judging a record in the log's order. Only `IN_FORCE` and `NO_EFFECT` are stored."""

    IN_FORCE = auto()
    NO_EFFECT = auto()
    """A reaction or a pin that changes nothing: it is answered and remembered, but not pushed."""
    LATE = auto()
    """Its check was too long ago."""
    REMOVED = auto()
    BLOCKED = auto()
    GONE = auto()
    """The message that it changes was deleted before."""
    DEMOTED = auto()
    """Its actor had lost the role that it needs."""
    CONFLICT = auto()
    """Another edit came before, which its author had not seen."""


class StandingAt(NamedTuple):
    """A person's membership in one conversation, and the place of its record.

    `role` is None where a process of an older version stored the record.
    """

    conversation: str
    user_id: str
    version: int
    active: bool
    partition: int
    offset: int
    role: Role | None = None
    blocked: bool = False


class _Standing(NamedTuple):
    version: int
    active: bool
    partition: int
    offset: int
    role: Role | None
    blocked: bool


class Memberships:
    """Tracks removals, blocks and roles in conversations. A person's highest version counts.

    People are members, and have the role that they claim, by default: only a removal, a block or a demotion makes a
    record void, never a missing addition. Nothing is therefore kept of people whose membership never changed, and a
    repeated or late record of a lower version changes nothing. The log's retention bounds the size: memberships whose
    records have left the log are forgotten (decisions/0027).
    """

    def __init__(self) -> None:
        self._standings: dict[bytes, dict[bytes, _Standing]] = {}

    @property
    def size(self) -> int:
        """Returns the number of tracked memberships."""
        return sum(map(len, self._standings.values()))

    def load(self, told: StandingAt) -> None:
        """Takes a membership from the archive, unless a record brought a higher version."""
        standing = _Standing(told.version, told.active, told.partition, told.offset, told.role, told.blocked)
        self._take(told.conversation.encode("ascii"), told.user_id, standing)

    def apply(self, record: Record, event: MembersChanged) -> list[Membership]:
        """Takes a record, and returns its changes that no higher version has overtaken."""
        key, place = event.conversation.encode("ascii"), (record.partition, record.offset)
        return [
            m
            for m in event.members
            if self._take(key, m.user_id, _Standing(m.version, m.active, *place, m.role, m.blocked))
        ]

    def find_void(self, key: bytes, actor: bytes) -> Verdict | None:
        """Returns why a record that `actor` (16 bytes) appends to the conversation of `key` is void; None if not."""
        people = self._standings.get(key)
        if people is None:
            return None
        standing = people.get(actor)
        if standing is None:
            return None
        if not standing.active:
            return Verdict.REMOVED
        return Verdict.BLOCKED if standing.blocked else None

    def is_demoted(self, key: bytes, actor: bytes) -> bool:
        """Returns whether `actor` (16 bytes) is known to be neither an owner nor an admin of that conversation."""
        standing = self._standings.get(key, {}).get(actor)
        return standing is not None and standing.role == "member"

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
        person = uuid_bytes(user_id)
        known = self._standings.get(key, {}).get(person)
        if known is not None and known.version >= standing.version:
            return known[:2] == standing[:2]
        if standing.version > 1 or not standing.active:  # version 1 and active is the default of unknown people
            self._standings.setdefault(key, {})[person] = standing
        return True
