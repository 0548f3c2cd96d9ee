"""Stores one batch exactly once: everything of it and its offsets in one transaction, or nothing (D5)."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import psycopg

from klatsch.archive import store
from klatsch.archive.store import Connection, ConversationMove, CopiesFound, Interval, Letter, StoredMessage
from klatsch.persister.batch import Batch, ChangeRow, DeadRow, MessageRow
from klatsch.records.header import judged_digest

Row = TypeVar("Row", MessageRow, ChangeRow)

_NUL = "22021"  # psycopg refuses a NUL itself, before PostgreSQL could give this state
_REMEMBERED_MOST = 200_000
"""Conversations and people whose last seq or existence is remembered; beyond, all are forgotten and asked anew."""


@dataclass(slots=True)
class _Known:
    """What only this persister changes while its compare-and-sets succeed; forgotten whenever one does not."""

    seqs: dict[str, int] = field(default_factory=dict)
    people: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a batch. `copies` are the messages that the archive had already."""

    rows: Sequence[MessageRow]
    copies: int
    dead: list[DeadRow]


class Archive:
    """The archive of one epoch, over one connection. Any failure leaves it as it was before the call."""

    def __init__(self, connection: Connection, epoch: int) -> None:
        self._connection = connection
        self._epoch = epoch
        self._known = _Known()

    def store(self, batch: Batch, expected: Mapping[int, int]) -> Stored:
        """All of it, or nothing. Raises Fenced, or psycopg.Error: the caller tries again."""
        try:
            return self._store(batch, expected)
        except BaseException:
            self._known = _Known()
            raise

    def _store(self, batch: Batch, expected: Mapping[int, int]) -> Stored:
        rows, dead = self._check_known(batch.messages)
        dead += batch.dead
        changes, copies = batch.changes, batch.copies
        while True:
            try:
                self._commit(batch, expected, rows, changes, dead)
                return Stored(rows, copies, dead)
            except CopiesFound:
                there = store.find_ids(self._connection, [row.event.id for row in rows])
                self._connection.commit()  # else the next attempt would be a savepoint of the transaction of this look
                new = [row for row in rows if row.event.id not in there]
                copies += len(rows) - len(new)
                rows = new
            except (psycopg.DataError, psycopg.IntegrityError):
                rows, refused = self._bisect(rows, self._insert)
                changes, refused_changes = self._bisect(changes, self._update)
                if not refused and not refused_changes:
                    raise
                dead += refused + refused_changes

    def _check_known(self, rows: Sequence[MessageRow]) -> tuple[list[MessageRow], list[DeadRow]]:
        """Splits off what names a conversation or a person that does not exist."""
        known = self._known
        if len(known.seqs) + len(known.people) > _REMEMBERED_MOST:
            known = self._known = _Known()
        conversations = {row.event.conversation for row in rows} - known.seqs.keys()
        if conversations:
            known.seqs |= store.last_seqs(self._connection, sorted(conversations))
        people = {row.event.sender_id for row in rows} - known.people
        if people:
            known.people |= store.known_people(self._connection, sorted(people))
        self._connection.commit()
        good: list[MessageRow] = []
        dead: list[DeadRow] = []
        for row in rows:
            if row.event.conversation not in known.seqs:
                dead.append(DeadRow(row.record, "unknown_conversation", "there is no such conversation"))
            elif row.event.sender_id not in known.people:
                dead.append(DeadRow(row.record, "unknown_sender", "there is no such person"))
            else:
                good.append(row)
        return good, dead

    def _commit(
        self,
        batch: Batch,
        expected: Mapping[int, int],
        rows: Sequence[MessageRow],
        changes: Sequence[ChangeRow],
        dead: Sequence[DeadRow],
    ) -> None:
        connection, epoch = self._connection, self._epoch
        messages, moves = self._number(rows)
        with connection.transaction():
            with connection.pipeline():
                moved = [(store.move_offsets(connection, epoch, expected, batch.next_offsets), len(batch.next_offsets))]
                inserted = store.insert_messages(connection, epoch, messages) if messages else None
                moved += store.move_conversations(connection, epoch, moves.values())
                if changes:
                    self._update(changes)
                if batch.intervals:
                    store.insert_intervals(connection, epoch, _intervals(batch))
                if dead:
                    store.insert_letters(connection, epoch, _letters(dead))
                store.notify_archived(connection, batch.next_offsets)
            store.check_moved(*moved[0])
            if inserted is not None:
                store.check_inserted(inserted, len(messages))
            for cursor, count in moved[1:]:
                store.check_moved(cursor, count)
        for conversation, move in moves.items():
            self._known.seqs[conversation] = move.last.seq

    def _number(self, rows: Sequence[MessageRow]) -> tuple[list[StoredMessage], dict[str, ConversationMove]]:
        """Gives each message the next number of its conversation: dense, as only what is stored gets one."""
        seqs = self._known.seqs
        messages: list[StoredMessage] = []
        last: dict[str, StoredMessage] = {}
        for row in rows:
            conversation = row.event.conversation
            seq = (last[conversation].seq if conversation in last else seqs[conversation]) + 1
            record = row.record
            message = StoredMessage(row.event, record.partition, record.offset, judged_digest(record.judge), seq)
            last[conversation] = message
            messages.append(message)
        return messages, {c: ConversationMove(seqs[c], message) for c, message in last.items()}

    def _insert(self, rows: Sequence[MessageRow]) -> None:
        store.insert_messages(self._connection, self._epoch, self._number(rows)[0])

    def _update(self, rows: Sequence[ChangeRow]) -> None:
        """In the log's order: what is of one kind and stands together goes by one statement."""
        for fold, run in itertools.groupby(rows, key=lambda row: row.fold):
            last = {row.event.id: (row.event, row.record.offset) for row in run}
            store.fold_into_messages(self._connection, self._epoch, fold, last)

    def _bisect(self, rows: Sequence[Row], act: Callable[[Sequence[Row]], None]) -> tuple[list[Row], list[DeadRow]]:
        """Finds the rows that PostgreSQL refuses as such (SQLSTATE 22, 23), by trying halves and undoing them."""
        try:
            with self._connection.transaction(force_rollback=True):
                act(rows)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            if len(rows) == 1:
                reason = f"sqlstate_{error.sqlstate or _NUL}"
                return [], [DeadRow(rows[0].record, reason, error.diag.message_primary or str(error))]
        else:
            return list(rows), []
        half = len(rows) // 2
        good, dead = self._bisect(rows[:half], act)
        more_good, more_dead = self._bisect(rows[half:], act)
        return good + more_good, dead + more_dead


def _intervals(batch: Batch) -> list[Interval]:
    return [
        Interval(
            row.conversation,
            row.change.user_id,
            row.change.version,
            row.change.active,
            row.record.partition,
            row.record.offset,
        )
        for row in batch.intervals
    ]


def _letters(dead: Sequence[DeadRow]) -> list[Letter]:
    return [
        Letter(
            row.record.partition,
            row.record.offset,
            row.record.key,
            row.record.value,
            row.record.judge,
            row.reason,
            row.detail,
        )
        for row in dead
    ]
