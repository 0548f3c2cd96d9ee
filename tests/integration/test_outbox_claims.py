"""Several processes relay the outbox: each claims what it relays, and the others leave it or wait for it."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections, transaction
from django.utils import timezone

from klatsch.core.errors import Unavailable
from klatsch.eventlog.log import Entry, Report
from klatsch.eventlog.memory import MemoryLog, MemoryWriter
from klatsch.eventlog.models import OutboxEntry
from klatsch.eventlog.outbox import is_waiting, relay_records
from tests.integration.promises import HERE, SilentWriter, promise, values
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


def in_thread(pool: ThreadPoolExecutor, function: Callable[[], Any]) -> Any:
    """Runs it with a database connection of its own."""

    def run() -> Any:
        try:
            return function()
        finally:
            connections.close_all()

    return pool.submit(run)


def test_while_the_log_does_not_answer_a_relay_holds_no_lock_and_no_connection() -> None:
    promise(b"1")
    writer = SilentWriter()
    held: list[object] = []

    class Looking(SilentWriter):
        """Looks, at the moment of the append, what the thread that relays holds."""

        def append(self, entry: Entry, report: Callable[[Report], None] | None = None) -> None:
            held.append(connections["default"].connection)
            writer.append(entry, report)

    with ThreadPoolExecutor(1) as pool:
        relaying = in_thread(pool, lambda: relay_records(Looking()))
        wait_until(lambda: writer.reports)
        with transaction.atomic():
            assert OutboxEntry.objects.select_for_update(nowait=True).get().relayed_at is None
        writer.speak()
        assert relaying.result(10) == 1
    assert held == [None]


def test_what_a_process_claimed_and_died_with_is_relayed_when_its_claim_is_over(log: MemoryLog) -> None:
    promise(b"1", b"2")
    OutboxEntry.objects.filter(value=b"1").update(claimed_until=timezone.now() + timedelta(seconds=60))
    assert relay_records(MemoryWriter(log)) == 0
    with pytest.raises(Unavailable):
        relay_records(MemoryWriter(log), place=HERE, deadline_s=0)

    OutboxEntry.objects.filter(value=b"1").update(claimed_until=timezone.now() - timedelta(minutes=5))
    assert relay_records(MemoryWriter(log)) == 2
    assert values(log) == [b"1", b"2"]
    assert {row.claimed_until for row in OutboxEntry.objects.all()} == {None}


def test_what_another_is_relaying_is_left_to_it_or_with_a_place_waited_for() -> None:
    promise(b"1")
    busy, idle = SilentWriter(), SilentWriter()
    with ThreadPoolExecutor(2) as pool:
        relaying = in_thread(pool, lambda: relay_records(busy))
        wait_until(lambda: busy.reports)
        assert relay_records(idle) == 0

        began = threading.Event()

        def relay_here() -> int:
            began.set()
            return relay_records(idle, place=HERE)

        waits = in_thread(pool, relay_here)
        assert began.wait(10)
        assert not waits.done()
        busy.speak()
        assert (relaying.result(10), waits.result(10)) == (1, 0)

    assert idle.reports == []
    assert not is_waiting(HERE)
