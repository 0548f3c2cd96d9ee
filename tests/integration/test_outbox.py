"""The outbox: what a transaction promised reaches the log at least once, in the order promised (D9)."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from klatsch.core.errors import Unavailable
from klatsch.eventlog import outbox
from klatsch.eventlog.log import Entry, Report
from klatsch.eventlog.memory import MemoryLog, MemoryWriter
from klatsch.eventlog.models import OutboxEntry
from klatsch.eventlog.outbox import (
    RELAY_MOST,
    forget_relayed,
    is_waiting,
    promise_record,
    relay_records,
    relaying_promises,
)
from klatsch.eventlog.partitions import partition_of
from tests.integration.promises import HERE, THERE, SilentWriter, promise, values

pytestmark = pytest.mark.django_db


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


def waiting() -> list[bytes]:
    return [bytes(row.value) for row in OutboxEntry.objects.filter(relayed_at=None).order_by("id")]


def test_what_was_promised_is_in_the_log_once_relayed_in_the_order_promised(log: MemoryLog) -> None:
    promise(b"1", b"2", b"3")
    assert is_waiting(HERE)

    assert relay_records(MemoryWriter(log)) == 3
    assert values(log) == [b"1", b"2", b"3"]
    assert not is_waiting(HERE)


@pytest.mark.parametrize("places", [(HERE,), (HERE, THERE)])
def test_what_a_block_promised_is_relayed_when_it_is_over(log: MemoryLog, places: tuple[bytes, ...]) -> None:
    with relaying_promises(lambda: MemoryWriter(log)):
        for place in places:
            promise(b"1", place=place)
        assert waiting() == [b"1"] * len(places)

    assert waiting() == []
    assert [record.value for partition in log.records for record in partition] == [b"1"] * len(places)


def test_what_a_block_has_relayed_itself_or_not_promised_asks_for_no_log(log: MemoryLog) -> None:
    def no_log() -> MemoryWriter:
        raise AssertionError("asked for")

    promise(b"another's", place=THERE)
    with relaying_promises(no_log):
        promise(b"1")
        relay_records(MemoryWriter(log), place=HERE)

    assert (values(log), waiting()) == ([b"1"], [b"another's"])


def test_a_log_that_does_not_answer_is_no_reason_to_refuse_what_was_committed() -> None:
    def no_log() -> MemoryWriter:
        raise Unavailable("Away.")

    with relaying_promises(no_log):
        promise(b"1")

    assert waiting() == [b"1"]


def test_a_record_keeps_its_key_and_header_and_goes_to_the_partition_of_its_place(log: MemoryLog) -> None:
    promise_record(key=b"members:x", value=b"value", place=THERE, judge=b"judge")
    relay_records(MemoryWriter(log))

    [record] = log.records[partition_of(THERE, log.partitions)]
    assert (record.key, record.value, record.judge) == (b"members:x", b"value", b"judge")


def test_what_was_relayed_is_not_relayed_again(log: MemoryLog) -> None:
    promise(b"1")
    relay_records(MemoryWriter(log))

    assert relay_records(MemoryWriter(log)) == 0
    assert values(log) == [b"1"]


def test_a_promise_of_a_transaction_that_was_undone_is_none(log: MemoryLog) -> None:
    with transaction.atomic():
        promise(b"1")
        transaction.set_rollback(True)

    assert relay_records(MemoryWriter(log)) == 0


def test_with_a_place_only_its_records_are_relayed(log: MemoryLog) -> None:
    promise(b"here")
    promise(b"there", place=THERE)

    assert relay_records(MemoryWriter(log), place=THERE) == 1
    assert (values(log, THERE), waiting()) == ([b"there"], [b"here"])
    assert (is_waiting(HERE), is_waiting(THERE)) == (True, False)


def test_a_failing_log_leaves_them_waiting(log: MemoryLog) -> None:
    promise(b"1", b"2")
    writer = MemoryWriter(log)
    writer.broken = True
    with pytest.raises(Unavailable):
        relay_records(writer)
    assert waiting() == [b"1", b"2"]

    writer.broken = False
    assert relay_records(writer) == 2
    assert values(log) == [b"1", b"2"]


def test_a_log_that_fails_half_way_leaves_the_rest_waiting(log: MemoryLog) -> None:
    promise(b"1", b"2", b"3")
    writer = MemoryWriter(log)
    writer.room = 1
    with pytest.raises(Unavailable):
        relay_records(writer)
    assert (values(log), waiting()) == ([b"1"], [b"2", b"3"])

    writer.room = None
    relay_records(writer)
    assert values(log) == [b"1", b"2", b"3"]


def test_a_record_does_not_overtake_one_for_which_the_log_was_full_a_moment_before(log: MemoryLog) -> None:
    class FullOnce(MemoryWriter):
        def append(self, entry: Entry, report: Callable[[Report], None] | None = None) -> None:
            self.room = 0 if self.room is None and entry.value == b"1" else 9
            super().append(entry, report)

    promise(b"1", b"2")
    writer = FullOnce(log)
    with pytest.raises(Unavailable):
        relay_records(writer)
    relay_records(writer)

    assert values(log) == [b"1", b"2"]


def test_a_log_that_does_not_report_in_time_leaves_them_waiting(log: MemoryLog) -> None:
    promise(b"1")
    with pytest.raises(Unavailable) as caught:
        relay_records(SilentWriter(), deadline_s=0.01)

    assert caught.value.retry_after == 1
    assert waiting() == [b"1"]


def test_what_has_no_report_yet_is_taken_by_nobody_else_before_its_claim_is_over(log: MemoryLog) -> None:
    promise(b"1")
    with pytest.raises(Unavailable):
        relay_records(SilentWriter(), deadline_s=0.01)  # its producer may still send it
    promise(b"2")
    assert relay_records(MemoryWriter(log)) == 0

    OutboxEntry.objects.filter(value=b"1").update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert relay_records(MemoryWriter(log)) == 2
    assert values(log) == [b"1", b"2"]


def test_what_came_into_the_log_after_its_relay_had_given_up_is_not_appended_again(log: MemoryLog) -> None:
    promise(b"1")
    writer = SilentWriter()
    with pytest.raises(Unavailable):
        relay_records(writer, deadline_s=0.01)
    writer.speak()
    promise(b"2")

    assert relay_records(MemoryWriter(log)) == 1
    assert (values(log), waiting()) == ([b"2"], [])


def test_one_relay_takes_no_more_than_its_bound(log: MemoryLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "RELAY_MOST", 2)
    promise(b"1", b"2", b"3")

    assert [relay_records(MemoryWriter(log)) for _ in range(3)] == [2, 1, 0]
    assert values(log) == [b"1", b"2", b"3"]
    assert RELAY_MOST == 500


@pytest.mark.parametrize("waits", [1, 2, 4, 5])
def test_with_a_place_a_relay_goes_on_until_all_its_records_are_in_the_log(
    log: MemoryLog, monkeypatch: pytest.MonkeyPatch, waits: int
) -> None:
    monkeypatch.setattr(outbox, "RELAY_MOST", 2)
    wanted = [str(number).encode() for number in range(waits)]
    promise(*wanted)
    promise(b"elsewhere", place=THERE)

    assert relay_records(MemoryWriter(log), place=HERE) == waits
    assert values(log) == wanted
    assert waiting() == [b"elsewhere"]


def test_what_was_relayed_more_than_a_week_ago_is_forgotten() -> None:
    promise(b"old", b"new", b"waiting")
    now = timezone.now()
    for value, days in ((b"old", 8), (b"new", 6)):
        OutboxEntry.objects.filter(value=value).update(relayed_at=now - timedelta(days=days))
    OutboxEntry.objects.update(created_at=now - timedelta(days=30))
    forget_relayed()

    assert {bytes(row.value) for row in OutboxEntry.objects.all()} == {b"new", b"waiting"}
