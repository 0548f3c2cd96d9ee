"""Records about people at a feed: their memberships, their credentials and their own affairs (D9, D13)."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from klatsch.accounts.queries import Person
from klatsch.conversations.access import Access
from klatsch.eventlog.log import Record
from klatsch.gateway.feed.marker_records import MarkerListener
from klatsch.gateway.feed.recent import Recent
from klatsch.gateway.feed.telling import Telling, push_to
from klatsch.gateway.hub import ConnectedPerson, Hub
from klatsch.records.judge import Memberships
from klatsch.records.keys import PERSON
from klatsch.records.kind import RecordKind
from klatsch.records.members import MembersChanged, Membership


class MembersListener(Protocol):
    """Hears of each membership record, after it was applied."""

    def members_changed(self, event: MembersChanged, changes: Sequence[Membership]) -> None:
        """Takes the record's changes that no higher version has overtaken. Runs on the loop, and must be short."""


class PeopleRecords:
    """Applies such records to the hub, and pushes them. `listener` hears of memberships."""

    def __init__(
        self,
        *,
        telling: Telling,
        hub: Hub,
        recent: Recent,
        memberships: Memberships,
        markers: MarkerListener | None,
    ) -> None:
        self._telling = telling
        self._hub = hub
        self._recent = recent
        self._memberships = memberships
        self._markers = markers
        self.listener: MembersListener | None = None

    def apply_standings(self, record: Record, kind: RecordKind) -> None:
        """Changes who gets the conversation, and pushes the record to its members, also to those who are removed."""
        event = self._telling.decode(record, kind)
        if event is None:
            return
        changes = self._memberships.apply(record, event)
        for change in changes:
            if change.active:
                self._admit(event, change)
        key = event.conversation.encode("ascii")
        self._recent.add(key, record)
        audience = self._hub.audiences.get(key, ())
        if audience:
            push_to(audience, self._telling.frame(record, kind))
        if event.member_count is not None:
            self._hub.resize(key, event.member_count)
        for change in changes:
            if not change.active:
                self._expel(record, kind, key, change)
        if self.listener is not None:
            self.listener.members_changed(event, changes)

    def apply_credentials(self, record: Record, kind: RecordKind) -> None:
        """Closes the connections of ended credentials. Nobody is pushed the record."""
        event = self._telling.decode(record, kind)
        if event is None:
            return
        if event.what == "deactivated":
            self._hub.part(event.user)
        if event.read_receipts is not None and self._markers is not None:
            self._markers.learn_receipts(event.user_id, is_shown=event.read_receipts)
        self._hub.end(event.user_id, event.credentials, "this credential has ended")

    def apply_personal(self, record: Record, kind: RecordKind) -> None:
        """Pushes the record to the connections of its person alone."""
        event = self._telling.decode(record, kind)
        if event is None:
            return
        self._recent.add(PERSON.of(event.user_id), record)
        person = self._hub.people.get(event.user_id)
        if person is not None:
            push_to((person,), self._telling.frame(record, kind))

    def _admit(self, event: MembersChanged, change: Membership) -> None:
        person = self._hub.people.get(change.user_id)
        if person is None:
            return
        access = access_from_record(person, event)
        self._hub.admit(person, access, change.version)
        if any(member.blocked for member in event.members):  # neither writes to the other: PostgreSQL knows who may not
            self._hub.ask_again(person, access)

    def _expel(self, record: Record, kind: RecordKind, key: bytes, change: Membership) -> None:
        # An absent client learns of the removal from this record, the last of the conversation that they may get.
        self._recent.add(PERSON.of(change.user_id), record)
        person = self._hub.people.get(change.user_id)
        if person is None:
            return
        if key not in person.access:  # PostgreSQL said so before the record came: the audience was without them
            push_to((person,), self._telling.frame(record, kind))
        self._hub.expel(person, key, change.version)


def access_from_record(person: ConnectedPerson, event: MembersChanged) -> Access:
    """Returns the right to write that a membership record gives. It names the peer of a direct conversation."""
    other = next((m for m in event.members if m.user_id != person.user_id), None) if event.kind == "direct" else None
    return Access.of(
        conversation=UUID(event.conversation),
        kind=event.kind,
        sender=Person(UUID(person.user_id), person.username),
        receiver=Person(UUID(other.user_id), other.user) if other else None,
        member_count=event.member_count or 2,
    )
