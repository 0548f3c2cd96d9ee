"""Stores a batch exactly once: all its rows and offsets in one transaction, or nothing (D5)."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import psycopg

from klatsch.eventlog.log import Record
from klatsch.persister import marker_statements, state_statements, statements
from klatsch.persister.batch import Batch, ChangeRow, DeadRow, DeltaRow, MessageRow, Move, number_messages
from klatsch.persister.folding import fold_changes, insert_mentions
from klatsch.persister.past import Past
from klatsch.persister.past_reading import read_past
from klatsch.persister.statements import Connection, CopiesFound

Row = TypeVar("Row", MessageRow, ChangeRow, DeltaRow)

_NUL = "22021"  # psycopg refuses a NUL before PostgreSQL could report this state
_MINUTE = len("2026-11-23T20:00")
_REMEMBERED_MOST = 200_000
"""The conversations and people whose last seq or existence is cached; beyond, the cache is emptied."""


@dataclass(slots=True)
class _Known:
    """Facts that only this persister changes while its compare-and-sets succeed; dropped whenever one fails."""

    seqs: dict[str, int] = field(default_factory=dict)
    active: dict[str, str] = field(default_factory=dict)
    """The minute until which each conversation's activity is noted."""
    people: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Stored:
    """The outcome of a batch. `copies` counts the messages that the archive had already."""

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
        """Stores the whole batch or nothing. Raises Fenced, or psycopg.Error, after which the caller retries."""
        try:
            return self._store(batch, expected)
        except BaseException:
            self._known = _Known()
            raise

    def read_past(self, changes: Sequence[Record]) -> Past:
        """Returns what decides about these changes, as it is now; raises psycopg.Error."""
        past = read_past(self._connection, self._epoch, changes)
        self._connection.commit()
        return past

    def _store(self, batch: Batch, expected: Mapping[int, int]) -> Stored:
        rows, dead = self._check_known(batch.messages)
        dead += batch.dead
        changes, deltas, copies = batch.changes, batch.deltas, batch.copies
        while True:
            try:
                self._commit(batch, expected, rows, changes, deltas, dead)
                return Stored(rows, copies, dead)
            except CopiesFound:
                there = statements.find_ids(self._connection, [row.event.id for row in rows])
                self._connection.commit()  # otherwise the next attempt would be a savepoint of this read's transaction
                new = [row for row in rows if row.event.id not in there]
                copies += len(rows) - len(new)
                rows = new
            except (psycopg.DataError, psycopg.IntegrityError):
                rows, refused = self._bisect(rows, self._insert)
                changes, refused_changes = self._bisect(changes, self._update)
                deltas, refused_deltas = self._bisect(deltas, self._fold)
                refused += refused_changes + refused_deltas
                if not refused:
                    raise
                dead += refused

    def _check_known(self, rows: Sequence[MessageRow]) -> tuple[list[MessageRow], list[DeadRow]]:
        """Separates rows that name a conversation or a person that does not exist."""
        known = self._known
        if len(known.seqs) + len(known.people) > _REMEMBERED_MOST:
            known = self._known = _Known()
        conversations = {row.event.conversation for row in rows} - known.seqs.keys()
        if conversations:
            known.seqs |= state_statements.last_seqs(self._connection, sorted(conversations))
        people = {row.event.sender_id for row in rows} - known.people
        if people:
            known.people |= statements.known_people(self._connection, sorted(people))
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
        deltas: Sequence[DeltaRow],
        dead: Sequence[DeadRow],
    ) -> None:
        connection, epoch = self._connection, self._epoch
        seqs, moves = number_messages(rows, self._known.seqs)
        active = self._newly_active(moves)
        with connection.transaction():
            with connection.pipeline():
                moved = [
                    (statements.move_offsets(connection, epoch, expected, batch.next_offsets), len(batch.next_offsets))
                ]
                inserted = statements.insert_messages(connection, epoch, rows, seqs) if rows else None
                insert_mentions(connection, rows)
                moved += state_statements.move_conversations(connection, epoch, moves)
                if changes:
                    self._update(changes)
                if deltas:
                    self._fold(deltas)
                if batch.intervals:
                    statements.insert_intervals(connection, epoch, batch.intervals)
                marker_statements.store_markers(connection, epoch, batch, active)
                if dead:
                    statements.insert_letters(connection, epoch, dead)
                statements.notify_archived(connection, batch.next_offsets)
            statements.check_moved(*moved[0])
            if inserted is not None:
                statements.check_inserted(inserted, len(rows))
            for cursor, count in moved[1:]:
                statements.check_moved(cursor, count)
        for move in moves:
            self._known.seqs[move.last.event.conversation] = move.seq
        for conversation, sent_at in active.items():
            self._known.active[conversation] = sent_at[:_MINUTE]

    def _newly_active(self, moves: Sequence[Move]) -> dict[str, str]:
        """Returns when the last message was sent, of conversations that had none in the same minute before."""
        known = self._known.active
        last = ((move.last.event.conversation, move.last.event.sent_at) for move in moves)
        return {name: sent_at for name, sent_at in last if known.get(name) != sent_at[:_MINUTE]}

    def _insert(self, rows: Sequence[MessageRow]) -> None:
        seqs, _ = number_messages(rows, self._known.seqs)
        statements.insert_messages(self._connection, self._epoch, rows, seqs)

    def _update(self, rows: Sequence[ChangeRow]) -> None:
        """Applies changes in the log's order, with one statement for each run of one kind."""
        for _, run in itertools.groupby(rows, key=lambda row: row.fold):
            statements.fold_into_messages(self._connection, self._epoch, list(run))

    def _fold(self, rows: Sequence[DeltaRow]) -> None:
        fold_changes(self._connection, self._epoch, rows)

    def _bisect(self, rows: Sequence[Row], act: Callable[[Sequence[Row]], None]) -> tuple[list[Row], list[DeadRow]]:
        """Finds the rows that PostgreSQL refuses (SQLSTATE 22, 23), by trying halves and rolling them back."""
        if not rows:
            return [], []
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
