"""An archive in memory, fed by the real `sort_records`, and the PostgreSQL of members, in a line each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from klatsch.archive.targets import Facts
from klatsch.eventlog.log import Record
from klatsch.persister.batch import DeltaRow, MessageRow, sort_records
from klatsch.persister.past import Past, changes_in
from klatsch.records.changes import MessageDeleted, MessageEdited, MessagePinned, ReactionChanged, name_reaction
from klatsch.records.header import judged_actor, judged_body, judged_id, judged_target
from klatsch.records.judge import Memberships, StandingAt
from klatsch.records.members import Membership, Role
from klatsch.records.verdicts import Target, reaction_key
from tests.support.records import NOW_MS, Somebody
from tests.unit.changes_model import Message

POISON = "poison"
"""A text that this PostgreSQL refuses, until a retry."""


@dataclass
class Place:
    """A person's membership in a conversation, as PostgreSQL has it."""

    version: int = 1
    active: bool = True
    role: Role = "member"
    blocked: bool = False

    def told(self, somebody: Somebody) -> Membership:
        """Returns their part of a membership record."""
        return Membership(somebody.name, somebody.user_id, self.active, self.role, self.version, self.blocked)


@dataclass
class Stored(Message):
    """An archived message, and who sent it where."""

    row: MessageRow | None = None


@dataclass
class Archive:
    """The archived messages and changes. `offset` is the next record to store, `intervals` those of memberships."""

    offset: int = 0
    messages: dict[str, Stored] = field(default_factory=dict)
    own: dict[bytes, tuple[int, bytes]] = field(default_factory=dict)
    effects: dict[tuple[int, int], bool] = field(default_factory=dict)
    intervals: list[StandingAt] = field(default_factory=list)
    dead: list[MessageRow] = field(default_factory=list)
    memberships: Memberships = field(default_factory=Memberships)

    def store(self, records: Sequence[Record]) -> None:
        """Stores a batch of the next records."""
        batch = sort_records(records, self.memberships, past=self._read_past(changes_in(records)))
        assert not batch.dead
        for row in batch.messages:
            if row.event.content == POISON:
                self.dead.append(row)
            else:
                self.add(row)
        for delta in batch.deltas:
            self._fold(delta)
        for interval in batch.intervals:
            it, record = interval.change, interval.record
            self.intervals.append(
                StandingAt(
                    interval.conversation, it.user_id, it.version, it.active, record.partition, record.offset, it.role,
                    it.blocked,
                )
            )  # fmt: skip
        self.offset = records[-1].offset + 1

    def add(self, row: MessageRow) -> None:
        """Stores a message, unless its id is known."""
        judge = row.record.judge
        if judged_id(judge) not in self.own:
            self.own[judged_id(judge)] = row.record.offset, judged_body(judge)
            self.messages[row.event.id] = Stored(row.event.content, row.record.offset, row=row)

    def start_again(self) -> None:
        """Forgets what a persister knows, like one that takes over the partition."""
        self.memberships = Memberships()
        for standing in self.intervals:
            self.memberships.load(standing)

    def standings_before(self, offset: int) -> list[StandingAt]:
        return [standing for standing in self.intervals if standing.offset < offset]

    def _read_past(self, changes: Sequence[Record]) -> Past:
        """Returns what `persister.past_reading` reads from PostgreSQL."""
        past = Past(frozenset(judged_target(change.judge) for change in changes))
        for target_id in past.wanted:
            message = self.messages.get(str(UUID(bytes=target_id)))
            if message is not None and message.row is not None:
                edited = -1 if message.edited is None else message.edited
                past.targets[target_id] = Target(deleted=message.deleted, edited=edited, pinned=message.pinned)
                past.keys[target_id] = message.row.record.key
        for change in changes:
            target = past.targets.get(judged_target(change.judge))
            if target is not None:
                target.note_reaction(reaction_key(change.judge), 0, on=self._has_reaction(change))
        past.ids = {judged_id(change.judge) for change in changes} & self.own.keys()
        return past

    def _has_reaction(self, change: Record) -> bool:
        message = self.messages[str(UUID(bytes=judged_target(change.judge)))]
        key, name = reaction_key(change.judge)[16:], _NAMES[judged_actor(change.judge)]
        return any(name_reaction(emoji) == key and who == name for emoji, who in message.reactions)

    def _fold(self, row: DeltaRow) -> None:
        event, record = row.event, row.record
        self.own[judged_id(record.judge)] = record.offset, judged_body(record.judge)
        self.effects[record.partition, record.offset] = row.effective
        if not row.effective:
            return
        message = self.messages[event.id]
        message.changed = record.offset
        if isinstance(event, MessageEdited):
            message.content, message.edited = event.content, record.offset
        elif isinstance(event, MessageDeleted):
            message.content, message.deleted, message.pinned, message.reactions = "", True, False, set()
        elif isinstance(event, MessagePinned):
            message.pinned = event.on
        elif isinstance(event, ReactionChanged):
            one = event.emoji, event.user
            message.reactions = message.reactions | {one} if event.on else message.reactions - {one}

    def facts(self, message_id: str, by: Somebody, place: Place, kind: str, *, unannounced: bool) -> Facts | None:
        """Returns what `archive.targets.read_facts` reads from PostgreSQL."""
        message = self.messages.get(message_id)
        if message is None or message.row is None or not place.active:
            return None
        event, record = message.row.event, message.row.record
        return Facts(
            message_id=message_id, user_id=by.user_id, username=by.name, role=place.role,
            blocked=place.blocked, conversation=event.conversation, kind=kind, sender_id=event.sender_id,
            sent_at_ms=NOW_MS, position=f"1:{record.partition}:{record.offset}", deleted=message.deleted,
            edited=None if message.edited is None else f"1:{record.partition}:{message.edited}",
            pinned=message.pinned, pins=0, emojis=[],
            own_emojis=[emoji for emoji, who in message.reactions if who == by.name], unannounced=unannounced,
            member_count=2,
        )  # fmt: skip


_NAMES: dict[bytes, str] = {}


def know(people: Sequence[Somebody]) -> None:
    """Names these people, whom records know by id."""
    _NAMES.update({one.id.bytes: one.name for one in people})
