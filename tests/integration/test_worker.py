"""The worker: goes on where PostgreSQL says, and what PostgreSQL does not take now is tried again, for ever (D5)."""

import threading
from collections.abc import Callable, Iterator, Sequence
from uuid import UUID, uuid4

import psycopg
import pytest

from klatsch.archive.models import DeadLetter, LogOffset, Message
from klatsch.conversations.models import Conversation
from klatsch.core.metrics import FENCED, STATEMENTS_REFUSED
from klatsch.eventlog.log import Entry, OffsetGone, Record
from klatsch.eventlog.memory import MemoryLog
from klatsch.eventlog.partitions import partition_of
from klatsch.persister.batch import sort_records
from klatsch.persister.statements import Connection
from klatsch.persister.storing import Archive
from klatsch.processes.wiring import connect_archive
from klatsch.records.judge import Memberships
from tests.integration.people import make_person
from tests.integration.persisters import Persister, impatient, slow_inserts
from tests.support.records import ANA, BOB, PEOPLE, TEA, Somebody, in_group, message, removed
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

PARTITIONS = 4


@pytest.fixture(autouse=True)
def world(transactional_db: None) -> None:
    for somebody in PEOPLE:
        make_person(somebody.name, id=somebody.id)
    Conversation.objects.create(id=TEA, kind="group", title="Tea")
    LogOffset.objects.bulk_create(LogOffset(epoch=1, partition=p, next_offset=0) for p in range(PARTITIONS))


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog(PARTITIONS)


@pytest.fixture
def start(log: MemoryLog) -> Iterator[Callable[..., Persister]]:
    """Starts persisters, and stops them when the test ends."""
    started: list[Persister] = []

    def start_one(connect: Callable[[], Connection] | None = None) -> Persister:
        started.append(Persister(log, connect))
        return started[-1]

    yield start_one
    for persister in started:
        persister.stop()


def say(log: MemoryLog, *contents: str, sender: Somebody = ANA, group: UUID = TEA) -> list[Record]:
    return [log.append(message(in_group(sender, group), content)) for content in contents]


def stored(group: UUID = TEA) -> list[tuple[int, str]]:
    return list(Message.objects.filter(conversation=group).order_by("seq").values_list("seq", "content"))


def await_stored(count: int, group: UUID = TEA) -> None:
    wait_until(lambda: Message.objects.filter(conversation=group).count() >= count)


def await_offset(next_offset: int) -> None:
    wait_until(lambda: LogOffset.objects.get(partition=tea_partition()).next_offset == next_offset)


def tea_partition() -> int:
    return partition_of(str(TEA).encode(), PARTITIONS)


def move_offset(next_offset: int) -> None:
    LogOffset.objects.filter(partition=tea_partition()).update(next_offset=next_offset)


Start = Callable[..., Persister]


def test_what_is_said_is_stored(log: MemoryLog, start: Start) -> None:
    start()
    say(log, "1", "2")
    await_stored(2)

    assert stored() == [(1, "1"), (2, "2")]


def test_a_persister_goes_on_where_postgresql_says(log: MemoryLog, start: Start) -> None:
    first = start()
    say(log, "1", "2")
    await_stored(2)
    first.stop()
    say(log, "3")
    second = start()
    await_stored(3)

    assert second.assigned[0][tea_partition()] == 2
    assert stored() == [(1, "1"), (2, "2"), (3, "3")]


def test_what_postgresql_has_passed_is_not_read_again(log: MemoryLog, start: Start) -> None:
    say(log, "passed", "2")
    move_offset(1)
    start()
    await_stored(1)

    assert stored() == [(1, "2")]


def store_as_another(records: Sequence[Record], offset: int) -> None:
    """Stores these as another persister."""
    with connect_archive("another") as connection:
        Archive(connection, 1).store(sort_records(records, Memberships()), {tea_partition(): offset})


def test_who_is_fenced_reads_the_offsets_anew_and_goes_on(log: MemoryLog, start: Start) -> None:
    persister = start()
    wait_until(lambda: persister.assigned)
    fenced = FENCED._value.get()
    entries = [message(in_group(ANA), content) for content in ("1", "2")]
    twin = MemoryLog(PARTITIONS)
    store_as_another([twin.append(entry) for entry in entries], 0)
    for entry in entries:
        log.append(entry)
    wait_until(lambda: FENCED._value.get() > fenced)
    say(log, "3")
    await_stored(3)

    assert stored() == [(1, "1"), (2, "2"), (3, "3")]
    assert FENCED._value.get() == fenced + 1


def test_who_is_fenced_learns_anew_who_was_removed(log: MemoryLog, start: Start) -> None:
    persister = start()
    wait_until(lambda: persister.assigned)
    entries = [removed(ANA), message(in_group(ANA), "void"), message(in_group(BOB), "stands")]
    twin = MemoryLog(PARTITIONS)
    store_as_another([twin.append(entries[0])], 0)
    for entry in entries:
        log.append(entry)
    await_stored(1)

    assert stored() == [(1, "stands")]


def test_a_new_persister_knows_who_was_removed_before_it(log: MemoryLog, start: Start) -> None:
    first = start()
    log.append(removed(ANA))
    say(log, "1", sender=BOB)
    await_stored(1)
    first.stop()
    start()
    say(log, "void")
    say(log, "2", sender=BOB)
    await_stored(2)

    assert stored() == [(1, "1"), (2, "2")]


def test_a_new_persister_remembers_only_removals_that_the_log_still_holds(log: MemoryLog, start: Start) -> None:
    first = start()
    log.append(removed(ANA))
    [kept] = say(log, "1", sender=BOB)
    log.append(removed(BOB))
    await_offset(kept.offset + 2)
    first.stop()
    log.drop_before(kept.partition, kept.offset)
    second = start()
    wait_until(lambda: second.assigned)

    assert second.worker._memberships.size == 1


def test_a_poison_record_is_a_dead_letter_and_the_next_ones_are_stored(log: MemoryLog, start: Start) -> None:
    start()
    say(log, "1")
    log.append(Entry(b"somewhere", b"\xff", place=str(TEA).encode()))
    say(log, "2")
    await_stored(2)

    assert [letter.reason for letter in DeadLetter.objects.all()] == ["unknown_key"]


def test_a_postgresql_that_is_away_at_first_is_waited_for(log: MemoryLog, start: Start) -> None:
    refusals = iter([True, True, False])

    def connect() -> Connection:
        if next(refusals, False):
            raise psycopg.OperationalError("connection refused")
        return connect_archive("tests")

    say(log, "1")
    start(connect)
    await_stored(1)

    assert stored() == [(1, "1")]


def test_a_connection_that_is_cut_loses_nothing_and_repeats_nothing(log: MemoryLog, start: Start) -> None:
    persister = start()
    with connect_archive("killer") as killer:
        killer.autocommit = True
        for number in range(30):
            say(log, str(number))
            if number % 10 == 5:
                wait_until(lambda: persister.backends)
                killer.execute("SELECT pg_terminate_backend(%s)", (persister.backends[-1],))
        await_stored(30)

    assert stored() == [(number + 1, str(number)) for number in range(30)]


def test_a_batch_that_takes_longer_than_a_transaction_may_is_stored_in_parts(
    log: MemoryLog, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("klatsch.persister.worker._LONG_S", 0.4)
    say(log, *map(str, range(60)))
    with slow_inserts(20):
        start(impatient)
        await_stored(60)

    assert stored() == [(number + 1, str(number)) for number in range(60)]


def test_tables_of_another_version_are_waited_for_and_told_with_their_sqlstate(log: MemoryLog, start: Start) -> None:
    undefined_column = STATEMENTS_REFUSED.labels("42703")
    refused = undefined_column._value.get()
    with connect_archive("migration") as migration:
        migration.autocommit = True
        migration.execute("ALTER TABLE messaging_message RENAME COLUMN seq TO number")
        try:
            start()
            say(log, "1")
            wait_until(lambda: undefined_column._value.get() > refused)
        finally:
            migration.execute("ALTER TABLE messaging_message RENAME COLUMN number TO seq")
    await_stored(1)

    assert stored() == [(1, "1")]


def test_a_stop_while_postgresql_is_away_ends_the_worker(log: MemoryLog, start: Start) -> None:
    asked = threading.Event()

    def connect() -> Connection:
        asked.set()
        raise psycopg.OperationalError("connection refused")

    persister = start(connect)
    assert asked.wait(10)
    persister.stop()

    assert persister.failed is None


def test_an_offset_that_the_log_does_not_hold_ends_the_worker_rather_than_being_skipped(
    log: MemoryLog, start: Start
) -> None:
    move_offset(5)
    persister = start()
    wait_until(lambda: persister.failed)

    assert isinstance(persister.failed, OffsetGone)


def test_two_persisters_share_the_log_and_when_one_leaves_the_other_takes_it_all(log: MemoryLog, start: Start) -> None:
    groups = [uuid4() for _ in range(8)]
    for group in groups:
        Conversation.objects.create(id=group, kind="group")
    one, other = start(), start()
    for number in range(10):
        for group in groups:
            say(log, str(number), group=group)
        if number == 5:
            wait_until(lambda: one.assigned and other.assigned)
            other.stop()
    for group in groups:
        await_stored(10, group)
        assert stored(group) == [(number + 1, str(number)) for number in range(10)]
