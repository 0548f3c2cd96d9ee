"""Records that a transaction promises to the log, and their relay: at least once, in the order promised (D9)."""

import threading
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from klatsch.core.errors import Unavailable
from klatsch.eventlog.log import Entry, LogError, LogWriter, Report
from klatsch.eventlog.models import OutboxEntry

RELAY_DEADLINE_S = 8.0
RELAY_MOST = 500
"""Entries in one relay: what one transaction holds locked."""


def promise_record(*, key: bytes, value: bytes, place: bytes, judge: bytes = b"") -> None:
    """Puts a record into the outbox of the present transaction; `place` is the key whose partition it goes to."""
    OutboxEntry.objects.create(key=key, value=value, judge=judge, place=place)


def is_waiting(place: bytes) -> bool:
    """Whether a promised record for that place may not be in the log yet."""
    return OutboxEntry.objects.filter(place=place, relayed_at=None).exists()


@dataclass(slots=True)
class _Reports:
    """Gathers the reports of one relay; `settled` is set when all are there."""

    expected: int
    relayed: list[int] = field(default_factory=list)
    failed: str | None = None
    settled: threading.Event = field(default_factory=threading.Event)

    def take(self, outbox_id: int, report: Report) -> None:
        if report.error is None:
            self.relayed.append(outbox_id)
        else:
            self.failed = report.error
        self.expected -= 1
        if self.expected == 0:
            self.settled.set()


def relay_records(log: LogWriter, *, place: bytes | None = None, deadline_s: float = RELAY_DEADLINE_S) -> int:
    """Appends waiting records (of one place, or of all) and returns how many; raises Unavailable, keeping them waiting.

    Needs a writer that reports. With `place` it waits for another process that is relaying the same, so that on
    return that place's records are in the log; without, it leaves what others hold to them.
    """
    with transaction.atomic():
        waiting = OutboxEntry.objects.filter(relayed_at=None).order_by("id")
        if place is None:
            rows = list(waiting.select_for_update(skip_locked=True)[:RELAY_MOST])
        else:
            rows = list(waiting.filter(place=place).select_for_update()[:RELAY_MOST])
        if not rows:
            return 0
        reports = _Reports(expected=len(rows))
        _append_all(log, rows, reports)
        in_time = reports.settled.wait(deadline_s)
        OutboxEntry.objects.filter(pk__in=list(reports.relayed)).update(relayed_at=timezone.now())
    if not in_time or reports.failed:
        raise Unavailable("The log cannot be reached; nothing was changed there yet. Try again.", retry_after=1)
    return len(rows)


def _append_all(log: LogWriter, rows: list[OutboxEntry], reports: _Reports) -> None:
    for row in rows:
        entry = Entry(key=bytes(row.key), value=bytes(row.value), judge=bytes(row.judge), place=bytes(row.place))
        try:
            log.append(entry, lambda report, pk=row.pk: reports.take(pk, report))  # type: ignore[misc]  # pk is bound
        except LogError as error:
            reports.take(row.pk, Report(entry, -1, -1, str(error)))


def forget_relayed() -> None:
    """Deletes what was relayed more than a week ago: longer than the log keeps it by default."""
    OutboxEntry.objects.filter(relayed_at__lt=timezone.now() - timedelta(days=7)).delete()
