"""Queues records in the transaction of their change, and relays them: at least once, in queue order (D9)."""

import functools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, MutableSequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import structlog
from django.db import connection, transaction
from django.utils import timezone

from klatsch.core.errors import Unavailable
from klatsch.eventlog.log import Entry, LogError, LogWriter, Report
from klatsch.eventlog.models import OutboxEntry
from klatsch.postgres.base import release_connection

_log = structlog.get_logger(__name__)
RELAY_DEADLINE_S: Final = 8.0
RELAY_AT_ONCE_S: Final = 2.0
"""The wait for the log after a committed change, before its record is left to the relay."""
RELAY_MOST = 500
"""The most entries in one relay: the claim of one process."""
CLAIM_S: Final = RELAY_DEADLINE_S + 2
"""The lifetime of a claim that its process does not end: longer than its producer tries to send (8 s)."""
_LOOK_S: Final = 0.05
"""The interval between checks whether another process has relayed a place."""
_CLAIMING: Final = 0x6B6C6174736368
"""The advisory lock of claims, held for two statements."""

# The planner may wrongly believe that none waits, or many. Neither error may cost a claim seconds. `id + 0` keeps it
# from reading all relayed entries in the order of the primary key. `coalesce` keeps it from looking for each id through
# the whole index of waiting entries.
_CLAIM: Final = """
    UPDATE eventlog_outboxentry SET claimed_until = clock_timestamp() + %s * interval '1 second'
    WHERE coalesce(relayed_at, 'infinity') = 'infinity' AND id IN (
        SELECT id FROM eventlog_outboxentry waiting
        WHERE relayed_at IS NULL AND (place = %s OR %s::bytea IS NULL) AND NOT EXISTS (
            SELECT FROM eventlog_outboxentry claimed WHERE claimed.place = waiting.place
            AND claimed.relayed_at IS NULL AND claimed.claimed_until > clock_timestamp())
        ORDER BY id + 0 LIMIT %s)
    RETURNING id, key, value, judge, place"""
_SETTLE: Final = """
    UPDATE eventlog_outboxentry
    SET relayed_at = CASE WHEN id = ANY(%s) THEN clock_timestamp() ELSE relayed_at END, claimed_until = NULL
    WHERE id = ANY(%s)"""


_unrelayed: ContextVar[set[bytes] | None] = ContextVar("unrelayed", default=None)
"""The places for which the present request has queued records that are not relayed yet."""


def promise_record(*, key: bytes, value: bytes, place: bytes, judge: bytes = b"") -> None:
    """Queues a record in the outbox of the present transaction. `place` is the key that decides the partition."""
    if (unrelayed := _unrelayed.get()) is not None:
        unrelayed.add(place)
    OutboxEntry.objects.create(key=key, value=value, judge=judge, place=place)


def is_waiting(place: bytes) -> bool:
    """Returns whether a queued record for that place may not be in the log yet."""
    return OutboxEntry.objects.filter(place=place, relayed_at=None).exists()


def waiting_sql(place: str, condition: str = "true") -> str:
    """Returns an SQL condition that says what `is_waiting` says. `place` is an SQL expression of a place.

    `condition` is a further SQL condition on the record, which is `o`.
    """
    return (
        f"EXISTS (SELECT FROM eventlog_outboxentry o WHERE o.place = {place} AND o.relayed_at IS NULL AND {condition})"
    )


_late: deque[int] = deque()
"""Entries that were found to be in the log after their relay had given up; settled before the next claim."""


@dataclass(slots=True)
class _Reports:
    """Gathers the reports of one relay; `settled` is set when all are there."""

    expected: int
    relayed: MutableSequence[int] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    failed: str | None = None
    settled: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def end(self) -> tuple[list[int], list[int]]:
        """Returns which entries were relayed and which refused; those that are relayed from now on are late."""
        with self.lock:
            relayed, self.relayed = self.relayed, _late
            return list(relayed), list(self.refused)

    def take(self, outbox_id: int, report: Report) -> None:
        with self.lock:
            if report.error is None:
                self.relayed.append(outbox_id)
            else:
                self.refused.append(outbox_id)
                self.failed = report.error
            self.expected -= 1  # under the lock: the writer's thread reports while the relay's refuses what is left
            if self.expected == 0:
                self.settled.set()


def relay_records(log: LogWriter, *, place: bytes | None = None, deadline_s: float = RELAY_DEADLINE_S) -> int:
    """Appends waiting records (of one place, or of all) and returns how many; raises Unavailable and keeps them.

    Needs a writer that reports. While it waits for the log, it holds neither a connection nor a lock. With `place`, it
    waits for another process that relays the place, so that on return the place's records are in the log. Without, it
    leaves records that others have claimed to them, and appends at most RELAY_MOST.
    """
    if (unrelayed := _unrelayed.get()) is not None:
        unrelayed.difference_update(set(unrelayed) if place is None else {place})
    deadline = time.monotonic() + deadline_s
    relayed = 0
    while entries := _claim_or_wait(place, deadline):
        relayed += _relay(log, entries, deadline)
        if place is None or len(entries) < RELAY_MOST:
            break
    return relayed


def _claim_or_wait(place: bytes | None, deadline: float) -> dict[int, Entry]:
    """Claims entries as `_claim` does. With a place, waits for other processes that relay it; none when it is empty."""
    while not (entries := _claim(place)) and place is not None and is_waiting(place):
        release_connection()
        if time.monotonic() > deadline:
            raise _unavailable()
        time.sleep(_LOOK_S)
    return entries


def _relay(log: LogWriter, entries: Mapping[int, Entry], deadline: float) -> int:
    """Appends claimed entries, marks them and returns how many; raises Unavailable unless all are in the log."""
    release_connection()
    reports = _Reports(expected=len(entries))
    try:
        _append_all(log, entries, reports)
        in_time = reports.settled.wait(deadline - time.monotonic())
    finally:
        _settle(*reports.end())
    if not in_time or reports.failed:
        raise _unavailable()
    return len(entries)


def relay_if_possible(find_log: Callable[[], LogWriter], *, place: bytes | None = None) -> None:
    """Relays committed records if the log answers; else the relay process follows, and the request succeeds."""
    try:
        relay_records(find_log(), place=place, deadline_s=RELAY_AT_ONCE_S)
    except Unavailable:
        _log.warning("relay_postponed")


@contextmanager
def relaying_promises(find_log: Callable[[], LogWriter]) -> Iterator[None]:
    """Relays, at the end of the block, records that were queued within it and not relayed yet, if the log answers."""
    unrelayed: set[bytes] = set()
    token = _unrelayed.set(unrelayed)
    try:
        yield
    finally:
        _unrelayed.reset(token)
    if unrelayed:
        relay_if_possible(find_log, place=unrelayed.pop() if len(unrelayed) == 1 else None)


def _claim(place: bytes | None) -> dict[int, Entry]:
    """Claims waiting entries for this process for CLAIM_S; returns them by id, in queue order."""
    if _late:
        _settle([_late.popleft() for _ in range(len(_late))], [])
    with transaction.atomic(), connection.cursor() as cursor:
        # One process claims at a time and sees the earlier claims. Otherwise a later entry could overtake an earlier
        # one.
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_CLAIMING])
        cursor.execute(_CLAIM, [CLAIM_S, place, place, RELAY_MOST])
        rows = sorted(cursor.fetchall())
    return {pk: Entry(key=key, value=value, judge=judge, place=at) for pk, key, value, judge, at in rows}


def _settle(relayed: list[int], refused: list[int]) -> None:
    """Marks the entries that are in the log, and releases the refused ones for the next relay.

    The claim of an entry without a report stays until it is over. Its producer may still send it: after another process
    had relayed it, and then a later entry of its place, the older one would come last.
    """
    with connection.cursor() as cursor:
        cursor.execute(_SETTLE, [relayed, relayed + refused])


def _append_all(log: LogWriter, entries: Mapping[int, Entry], reports: _Reports) -> None:
    """Appends the entries. After one that the log does not take, the others wait too: none may overtake it."""
    refused: str | None = None
    for pk, entry in entries.items():
        try:
            if refused is None:
                log.append(entry, functools.partial(reports.take, pk))
        except LogError as error:
            refused = str(error)
        if refused is not None:
            reports.take(pk, Report(entry, -1, -1, refused))


def _unavailable() -> Unavailable:
    return Unavailable("The log cannot be reached, so the change is not in the log yet. Try again.", retry_after=1)


def forget_relayed() -> None:
    """Deletes entries that were relayed more than a week ago: longer than the log keeps records by default."""
    OutboxEntry.objects.filter(relayed_at__lt=timezone.now() - timedelta(days=7)).delete()
