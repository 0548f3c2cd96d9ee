"""Reads a share of the log and stores it, batch by batch, until it is stopped (D5)."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import structlog

from klatsch.archive.offsets import read_offsets
from klatsch.archive.removals import read_removals
from klatsch.core.clock import Clock, milliseconds
from klatsch.core.metrics import ARCHIVE_SECONDS, COPIES, DEAD_LETTERS, FENCED, PERSISTED, VOID
from klatsch.core.tracing import trace_fields
from klatsch.eventlog.log import LogGroup, Record
from klatsch.persister.batch import Batch, MessageRow, sort_records
from klatsch.persister.past import changes_in
from klatsch.persister.statements import Connection, Fenced
from klatsch.persister.storing import Archive, Stored
from klatsch.postgres.outages import DATABASE_ERRORS, note_failure
from klatsch.records.judge import PRUNE_EVERY_S, Memberships

_log = structlog.get_logger(__name__)
BATCH_MOST = 2_000
_POLL_S = 0.5
_REPORT_EVERY_S = 1.0
_BACKOFF_MOST_S = 5.0
_LONG_S = 5.0
"""An attempt that fails after this long may have met the longest transaction: psycopg reports that in a pipeline like
any lost connection.
"""
_SAMPLE = 16
"""The sampling interval of message times: reading a time takes 0.5 µs, of the 20 µs that a row may cost."""


T = TypeVar("T")


class _TooLong(Exception):
    """Raised when a batch may have taken longer than a transaction may: fewer records at once take less."""


class Stopped(Exception):
    """Raised when stopped while PostgreSQL was away: the batch at hand is not stored, and nothing is lost."""


class Worker:
    """A member of the persisters' group. Retries for ever what PostgreSQL does not accept now.

    Its offsets are PostgreSQL's: they are read on assignment and after being fenced, and moved with the rows. `oldest`
    returns what the log still holds of each partition, where that is known.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        epoch: int,
        stopping: threading.Event,
        clock: Clock,
        oldest: Callable[[], Mapping[int, int]] = dict,
    ) -> None:
        self._connect = connect
        self._epoch = epoch
        self._stopping = stopping
        self._clock = clock
        self._connection: Connection | None = None
        self._archive: Archive | None = None
        self._next: dict[int, int] = {}
        self._most = BATCH_MOST
        self._memberships = Memberships()
        self._oldest = oldest
        self._prune_at_s = 0.0
        self._report_at_s = 0.0
        self._unreported: dict[int, int] = {}

    def run(self, group: LogGroup) -> None:
        """Runs until `stopping` is set; raises LogError when the log cannot be read on."""
        try:
            while not self._stopping.is_set():
                self._prune()
                records = self._wanted(group.poll(_POLL_S, self._most))
                if records and (offsets := self._store(records)) is not None:
                    self._unreported |= offsets
                elif records:
                    group.seek(self._refresh(list(self._next)))
                self._report(group)
        except Stopped:
            pass
        finally:
            self._drop()

    def assigned(self, partitions: Sequence[int]) -> Mapping[int, int]:
        """Returns where to continue by PostgreSQL's offsets; waits until PostgreSQL answers."""
        _log.info("assigned", partitions=list(partitions))
        return self._refresh(partitions)

    @property
    def stored(self) -> dict[int, int]:
        """Returns a copy of the next offset of each held partition, for other threads."""
        return dict(self._next)

    def revoked(self, partitions: Sequence[int]) -> None:
        _log.info("revoked", partitions=list(partitions))
        for partition in partitions:
            self._next.pop(partition, None)
            self._unreported.pop(partition, None)
        self._memberships.forget(partitions)

    def _prune(self) -> None:
        """Forgets, periodically, removals that are older than the log, like the gateways."""
        now_s = time.monotonic()
        if now_s >= self._prune_at_s:
            self._prune_at_s = now_s + PRUNE_EVERY_S
            self._memberships.prune(self._oldest())

    def _report(self, group: LogGroup) -> None:
        """Reports the progress to the brokers once a second: only lag tools read it, and each report is a request."""
        now_s = time.monotonic()
        if self._unreported and now_s >= self._report_at_s:
            group.commit(self._unreported)
            self._unreported = {}
            self._report_at_s = now_s + _REPORT_EVERY_S

    def _wanted(self, records: Sequence[Record]) -> list[Record]:
        """Leaves out records that were fetched before a seek, or whose partitions another persister holds by now."""
        return [r for r in records if r.offset >= self._next.get(r.partition, r.offset + 1)]

    def _store(self, records: Sequence[Record]) -> dict[int, int] | None:
        """Stores the records; returns the reached offsets, or None when they must be read again.

        Another persister was faster, or they were too many for one transaction.
        """
        changes = changes_in(records)
        past = self._insist(lambda archive: archive.read_past(changes)) if changes else None
        batch = sort_records(records, self._memberships, past=past)
        expected = {partition: self._next[partition] for partition in batch.next_offsets}
        try:
            store = _store_in_time if len(records) > 1 else Archive.store  # one record cannot be divided
            stored = self._insist(lambda archive: store(archive, batch, expected))
        except Fenced:
            FENCED.inc()
            _log.warning("fenced", expected=expected, **trace_fields(records[0].trace))
            return None
        except _TooLong as error:
            note_failure("archive_unavailable", error.__cause__ or error, records=len(records))
            self._drop()
            self._most = max(1, len(records) // 2)
            return None
        self._most = min(self._most + self._most // 8 + 1, BATCH_MOST)
        self._next |= batch.next_offsets
        _count(batch, stored)
        _measure(stored.rows, self._clock())
        return batch.next_offsets

    def _refresh(self, partitions: Sequence[int]) -> dict[int, int]:
        """Rereads offsets and removals: what was known of the archive may be outdated by another persister's work."""
        oldest = self._oldest()

        def read(_: Archive) -> dict[int, int]:
            assert self._connection is not None
            offsets = read_offsets(self._connection, self._epoch)
            held = sorted({*self._next, *partitions})
            standings = read_removals(self._connection, self._epoch, held, since=oldest)
            self._connection.commit()
            self._memberships = Memberships()
            for standing in standings:
                self._memberships.load(standing)
            return {partition: offsets[partition] for partition in partitions}

        offsets = self._insist(read)
        self._next |= offsets
        return offsets

    def _insist(self, act: Callable[[Archive], T]) -> T:
        """Repeats `act` until PostgreSQL accepts it: a full disk, a restart or a deadlock must not lose a record.

        A statement that does not fit the tables is repeated too: it succeeds once they are migrated. Until then each
        attempt is logged as a fault and counted (docs/decisions/0028-what-is-an-outage.md).
        """
        wait_s = 0.05
        while True:
            try:
                return act(self._open())
            except DATABASE_ERRORS as error:
                note_failure("archive_unavailable", error, retry_in_s=wait_s)
                self._drop()
                if self._stopping.wait(wait_s):
                    raise Stopped from error
                wait_s = min(wait_s * 2, _BACKOFF_MOST_S)

    def _open(self) -> Archive:
        if self._archive is None:
            self._connection = self._connect()
            self._archive = Archive(self._connection, self._epoch)
        return self._archive

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._archive = None


def _store_in_time(archive: Archive, batch: Batch, expected: Mapping[int, int]) -> Stored:
    begun_s = time.monotonic()
    try:
        return archive.store(batch, expected)
    except DATABASE_ERRORS as error:
        if time.monotonic() - begun_s < _LONG_S:
            raise
        raise _TooLong from error


def _count(batch: Batch, stored: Stored) -> None:
    PERSISTED.inc(len(stored.rows))
    VOID.inc(batch.void)
    COPIES.inc(stored.copies)
    for row in stored.dead:
        DEAD_LETTERS.labels(row.reason).inc()
        record = row.record
        place = {"partition": record.partition, "offset": record.offset}
        _log.warning("dead_letter", **place, reason=row.reason, **trace_fields(record.trace))


def _measure(rows: Sequence[MessageRow], now_ms: int) -> None:
    for first in range(0, len(rows), _SAMPLE):
        try:
            sent_ms = milliseconds(rows[first].event.sent_at)
        except (ValueError, OverflowError):
            continue  # such as a leap second, which PostgreSQL accepts and Python does not
        ARCHIVE_SECONDS.observe((now_ms - sent_ms) / 1_000, min(_SAMPLE, len(rows) - first))
