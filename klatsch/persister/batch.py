"""Sorts records into rows to store, judged in the log's order, and numbers messages. No I/O (D5)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from klatsch.eventlog.log import Record
from klatsch.records.decoding import BadRecord, decode
from klatsch.records.header import judged_actor, judged_id
from klatsch.records.judge import Memberships
from klatsch.records.kinds import KINDS, Fold, Judging, Kinds, RecordKind
from klatsch.records.members import Membership
from klatsch.records.messages import MessagePosted


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
    intervals: list[IntervalRow] = field(default_factory=list)
    dead: list[DeadRow] = field(default_factory=list)
    void: int = 0
    copies: int = 0
    next_offsets: dict[int, int] = field(default_factory=dict)


def sort_records(records: Sequence[Record], memberships: Memberships, kinds: Kinds = KINDS) -> Batch:
    """Sorts the records, applying membership records to `memberships` and leaving out void messages."""
    batch = Batch()
    ids: set[bytes] = set()
    for record in records:
        batch.next_offsets[record.partition] = record.offset + 1
        try:
            event = decode(record, kinds)
        except BadRecord as error:
            batch.dead.append(DeadRow(record, *error.args))
            continue
        kind = kinds.of(event)
        if kind.judging is Judging.STANDINGS:
            batch.intervals += [IntervalRow(record, event.conversation, m) for m in memberships.apply(record, event)]
        elif kind.header is None:
            continue  # only for gateways: PostgreSQL knew before the log did
        elif memberships.find_void(record.key, judged_actor(record.judge)) is not None:
            batch.void += 1
        elif kind.judging is Judging.ONCE and not _is_first(record, ids):
            batch.copies += 1
        else:
            _add(batch, record, kind, event)
    return batch


def _is_first(record: Record, ids: set[bytes]) -> bool:
    """Returns whether the record's own id is new among these ids, and adds it."""
    own_id = judged_id(record.judge)
    if own_id in ids:
        return False
    ids.add(own_id)
    return True


def _add(batch: Batch, record: Record, kind: RecordKind, event: Any) -> None:
    if isinstance(kind.storing, Fold):
        batch.changes.append(ChangeRow(record, kind.storing, event))
    else:
        batch.messages.append(MessageRow(record, event))


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
