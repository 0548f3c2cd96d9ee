"""Sorts records into rows to store, judged in the log's order, and numbers messages. No I/O (D5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from klatsch.eventlog.log import Record
from klatsch.eventlog.tailing import next_offsets
from klatsch.persister.past import Past
from klatsch.records.changes import Change
from klatsch.records.decoding import BadRecord, decode
from klatsch.records.header import judged_actor, judged_id
from klatsch.records.judge import Memberships, Verdict
from klatsch.records.kind import Fold, Judging, Kinds, RecordKind
from klatsch.records.kinds import KINDS
from klatsch.records.markers import MarkerMoved
from klatsch.records.members import Membership
from klatsch.records.messages import MessagePosted
from klatsch.records.verdicts import STANDS, apply_change, judge_change


class MessageRow(msgspec.Struct, frozen=True, gc=False):
    """A message in force, unless the archive has its id already."""

    record: Record
    event: MessagePosted


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A change of a message, unless a later change is stored."""

    record: Record
    fold: Fold
    event: Any


class MarkerRow(msgspec.Struct, frozen=True, gc=False):
    """A marker in force. It moves a person's stored marker where it is higher."""

    record: Record
    event: MarkerMoved


@dataclass(frozen=True, slots=True)
class DeltaRow:
    """An edit, a deletion, a reaction or a pin in force. One that is not `effective` changes nothing."""

    record: Record
    event: Change
    effective: bool


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """A change of a person's membership at that record."""

    record: Record
    conversation: str
    change: Membership


@dataclass(frozen=True, slots=True)
class DeadRow:
    """A record that cannot be stored: a stable reason, and a sentence."""

    record: Record
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Move:
    """A conversation's progress: from the number `before` (0 before its first message) to `seq`, that of `last`."""

    before: int
    seq: int
    last: MessageRow


@dataclass(slots=True)
class Batch:
    """The result of a run of records. `next_offsets` is where each of its partitions continues."""

    messages: list[MessageRow] = field(default_factory=list)
    changes: list[ChangeRow] = field(default_factory=list)
    deltas: list[DeltaRow] = field(default_factory=list)
    markers: list[MarkerRow] = field(default_factory=list)
    intervals: list[IntervalRow] = field(default_factory=list)
    dead: list[DeadRow] = field(default_factory=list)
    void: int = 0
    copies: int = 0
    next_offsets: dict[int, int] = field(default_factory=dict)


def sort_records(
    records: Sequence[Record], memberships: Memberships, kinds: Kinds = KINDS, past: Past | None = None
) -> Batch:
    """Sorts the records in the log's order, without those that are void.

    Applies membership records to `memberships`, and changes to `past`, which has what the archive knows of them.
    """
    sorting = _Sorting(memberships, kinds, past or Past())
    for record in records:
        sorting.add(record)
    sorting.batch.next_offsets = next_offsets(records)
    return sorting.batch


@dataclass(slots=True)
class _Sorting:
    """A run of records that is being sorted. `ids` are the own ids seen in it."""

    memberships: Memberships
    kinds: Kinds
    past: Past
    batch: Batch = field(default_factory=Batch)
    ids: set[bytes] = field(default_factory=set)

    def add(self, record: Record) -> None:
        batch = self.batch
        try:
            event = decode(record, self.kinds)
        except BadRecord as error:
            batch.dead.append(DeadRow(record, *error.args))
            return
        kind = self.kinds.of(event)
        judging = kind.judging
        if judging is Judging.ONCE or judging is Judging.IN_FORCE:
            self._add_message(record, kind, event)
        elif judging is Judging.CHANGE:
            self._add_change(record, event)
        elif judging is Judging.MARKER:
            self._add_marker(record, event)
        elif judging is Judging.STANDINGS:
            changes = self.memberships.apply(record, event)
            batch.intervals += [IntervalRow(record, event.conversation, change) for change in changes]
        # Other records are for gateways alone: PostgreSQL knew before the log did.

    def _add_message(self, record: Record, kind: RecordKind, event: Any) -> None:
        batch, judge = self.batch, record.judge
        if self.memberships.find_void(record.key, judged_actor(judge)) is not None:
            batch.void += 1
            return
        if kind.judging is Judging.ONCE:
            own_id = judged_id(judge)
            if own_id in self.ids:
                batch.copies += 1
                return
            self.ids.add(own_id)
        if isinstance(kind.storing, Fold):
            batch.changes.append(ChangeRow(record, kind.storing, event))
        else:
            batch.messages.append(MessageRow(record, event))
            if self.past.wanted:
                self.past.add(record)

    def _add_change(self, record: Record, event: Change) -> None:
        batch, own_id = self.batch, judged_id(record.judge)
        if own_id in self.ids or own_id in self.past.ids:
            batch.copies += 1
            return
        target = self.past.find(record)
        if target is None:
            batch.dead.append(DeadRow(record, "unknown_message", "there is no such message in this conversation"))
            return
        verdict = judge_change(record, target, self.memberships)
        if verdict in STANDS:
            self.ids.add(own_id)
            apply_change(record, target)
            batch.deltas.append(DeltaRow(record, event, verdict is Verdict.IN_FORCE))
        else:
            batch.void += 1

    def _add_marker(self, record: Record, event: MarkerMoved) -> None:
        """Adds a marker, also of a blocked person: only a removal makes it void."""
        if self.memberships.find_void(record.key, judged_actor(record.judge)) is Verdict.REMOVED:
            self.batch.void += 1
        else:
            self.batch.markers.append(MarkerRow(record, event))


def number_messages(rows: Sequence[MessageRow], seqs: Mapping[str, int]) -> tuple[list[int], list[Move]]:
    """Gives each message the next number of its conversation: dense, as only stored messages get one.

    `seqs` has the last number of each conversation. Returns the messages' numbers, and each conversation's move.
    """
    reached: dict[str, int] = {}
    last: dict[str, MessageRow] = {}
    numbers: list[int] = []
    for row in rows:
        conversation = row.event.conversation
        seq = reached[conversation] = (reached.get(conversation) or seqs[conversation]) + 1
        last[conversation] = row
        numbers.append(seq)
    return numbers, [Move(seqs[name], seq, last[name]) for name, seq in reached.items()]
