"""The archive on the real PostgreSQL: a batch is stored exactly once, with its offsets, or not at all (D5, D6)."""

from uuid import uuid4

import msgspec
import pytest

from klatsch.accounts.queries import Person
from klatsch.archive.models import ConversationState, DeadLetter, LogOffset, Message
from klatsch.archive.progress import ARCHIVED_CHANNEL
from klatsch.conversations.access import Access
from klatsch.conversations.models import Conversation
from klatsch.eventlog.log import Entry, Record
from klatsch.persister import state_statements, statements
from klatsch.persister.batch import Batch, MessageRow, sort_records
from klatsch.persister.statements import Connection, Fenced
from klatsch.persister.storing import Archive, Stored
from klatsch.processes.wiring import connect_archive
from klatsch.records.judge import Memberships
from klatsch.records.messages import MessagePosted, digest
from tests.integration.shelf import EPOCH, Shelf, contents, letters, next_offset, open_epoch, said
from tests.support.records import (
    ANA,
    BOB,
    COFFEE,
    TEA,
    Somebody,
    entry_of,
    in_group,
    message,
    posted,
    records_of,
    removed,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("world")]


def standing_at(event: MessagePosted, partition: int, offset: int) -> Record:
    """Returns the record of a message at that place."""
    [record] = records_of(entry_of(event))
    return msgspec.structs.replace(record, partition=partition, offset=offset)


def test_a_message_is_stored_with_all_that_its_record_says(shelf: Shelf) -> None:
    entry = said("hi", reply_to=str(COFFEE))
    assert shelf.put(said("before"), entry) == 2

    event = msgspec.json.decode(entry.value, type=MessagePosted)
    stored = Message.objects.get(pk=event.id)
    assert (stored.client_id, stored.conversation_id, stored.sender_id, stored.receiver_id) == (
        *(event.client_id, TEA),
        *(ANA.id, None),
    )
    assert (stored.content, stored.reply_to, bytes(stored.digest)) == ("hi", COFFEE, digest("hi", str(COFFEE)))
    assert (stored.epoch, stored.partition, stored.offset, stored.seq) == (EPOCH, 0, 1, 2)
    assert (stored.changed_epoch, stored.changed_offset) == (EPOCH, 1)
    assert stored.sent_at.isoformat(timespec="milliseconds") == event.sent_at.replace("Z", "+00:00")
    assert (stored.edited_at, stored.deleted, stored.reactions) == (None, False, {})


def test_a_receiver_is_stored_with_a_direct_message(shelf: Shelf) -> None:
    access = Access.of(conversation=TEA, kind="direct", sender=Person(ANA.id, "ana"), receiver=Person(BOB.id, "bob"))
    shelf.put(message(access))

    assert Message.objects.get().receiver_id == BOB.id


def test_rows_and_offsets_move_together(shelf: Shelf) -> None:
    shelf.put(said("1"), said("2", group=COFFEE))

    assert next_offset() == 2
    state = ConversationState.objects.get(pk=TEA)
    assert (state.last_seq, state.epoch, state.partition, state.last_offset) == (1, EPOCH, 0, 0)
    assert state.last_message == Message.objects.get(conversation=TEA).pk


def test_the_same_batch_twice_is_fenced_and_stored_once(shelf: Shelf) -> None:
    records = shelf.records(said("1"), said("2"))
    shelf.store(records)
    shelf.next_offset = 0
    with pytest.raises(Fenced):
        shelf.store(records)

    assert contents() == [(1, "1"), (2, "2")]
    assert next_offset() == 2


def test_a_batch_is_fenced_when_another_has_moved_one_of_its_offsets_and_nothing_of_it_is_stored(
    archive: Archive,
) -> None:
    LogOffset.objects.filter(partition=1).update(next_offset=5)
    entry = said("1")
    records = [Record(p, 0, entry.key, entry.value, entry.judge) for p in (0, 1)]
    with pytest.raises(Fenced):
        archive.store(sort_records(records, Memberships()), {0: 0, 1: 0})

    assert contents() == []
    assert [next_offset(p) for p in range(3)] == [0, 5, 0]


def test_a_zombie_loses_whatever_it_has_read(connection: Connection, archive: Archive) -> None:
    with connect_archive("zombie") as other:
        zombie, heir = Shelf(Archive(other, EPOCH)), Shelf(archive)
        zombie.put(said("1"))
        heir.next_offset = 1
        heir.put(said("2"))
        with pytest.raises(Fenced):
            zombie.put(said("2 of the zombie"))

    assert contents() == [(1, "1"), (2, "2")]


def test_a_batch_of_no_messages_moves_the_offset_too(shelf: Shelf) -> None:
    assert shelf.put(removed(ANA), said("void")) == 0
    assert (next_offset(), contents()) == (2, [])


def test_an_epoch_has_offsets_of_its_own(connection: Connection, shelf: Shelf) -> None:
    open_epoch(2)
    shelf.put(said("first epoch"))
    Shelf(Archive(connection, 2)).put(said("second epoch"))

    assert (next_offset(epoch=1), next_offset(epoch=2)) == (1, 1)
    assert contents() == [(1, "first epoch"), (2, "second epoch")]
    assert ConversationState.objects.get(pk=TEA).epoch == 2


def test_copies_are_skipped_and_numbers_stay_dense(shelf: Shelf) -> None:
    one, two, three = said("1"), said("2"), said("3")
    assert shelf.put(one, two) == 2
    assert shelf.put(two, three, one) == 1
    assert shelf.put(one, two, three) == 0

    assert contents() == [(1, "1"), (2, "2"), (3, "3")]
    assert list(Message.objects.order_by("seq").values_list("offset", flat=True)) == [0, 1, 3]
    assert next_offset() == 8


def test_a_copy_with_another_body_changes_nothing(shelf: Shelf) -> None:
    shelf.put(message(in_group(ANA), "stands", client_id="one"))
    shelf.put(message(in_group(ANA), "falls", client_id="one"))

    assert contents() == [(1, "stands")]


def test_numbers_are_dense_in_each_conversation(shelf: Shelf) -> None:
    shelf.put(said("t1"), said("c1", group=COFFEE), said("t2"))
    shelf.put(said("c2", group=COFFEE), said("t3"), said("c3", group=COFFEE))

    assert contents(TEA) == [(1, "t1"), (2, "t2"), (3, "t3")]
    assert contents(COFFEE) == [(1, "c1"), (2, "c2"), (3, "c3")]


def test_who_names_no_conversation_or_no_person_of_ours_is_a_dead_letter(shelf: Shelf) -> None:
    nowhere, nobody = uuid4(), Somebody(uuid4(), "nobody")
    assert shelf.put(said("1"), said("x", group=nowhere), said("y", nobody), said("2")) == 2

    assert contents() == [(1, "1"), (2, "2")]
    assert letters() == [(1, "unknown_conversation"), (2, "unknown_sender")]
    assert next_offset() == 4


def test_a_conversation_that_comes_to_be_later_is_found_then(shelf: Shelf) -> None:
    late = uuid4()
    shelf.put(said("too early", group=late))
    Conversation.objects.create(id=late, kind="group")
    shelf.put(said("now", group=late))

    assert contents(late) == [(1, "now")]


def test_a_dead_letter_keeps_the_record_as_it_is(shelf: Shelf) -> None:
    [record] = shelf.records(Entry(b"somewhere", b"\xff\0{", b"\0judge"))
    shelf.store([record])

    letter = DeadLetter.objects.get()
    assert (letter.epoch, letter.partition, letter.offset, letter.reason) == (EPOCH, 0, 0, "unknown_key")
    assert (bytes(letter.key), bytes(letter.value), bytes(letter.judge)) == (record.key, record.value, record.judge)
    assert letter.detail
    assert letter.retried_at is None


@pytest.mark.parametrize("client_id", ["NULL", "null", "-", "_", "0", "x" * 64])
def test_any_client_id_is_stored_as_it_is(shelf: Shelf, client_id: str) -> None:
    shelf.put(message(in_group(ANA), client_id=client_id))

    assert (Message.objects.get().client_id, letters()) == (client_id, [])


ORIGINAL = posted(in_group(ANA), "hi", client_id="one")


def test_a_last_seq_that_somebody_else_moved_fences_the_batch_and_the_next_attempt_goes_on_from_there(
    connection: Connection, shelf: Shelf
) -> None:
    shelf.put(said("1"))
    late = ORIGINAL
    with connect_archive("retry") as other:
        row = MessageRow(standing_at(late, 2, 7), late)
        statements.insert_messages(other, EPOCH, [row], [state_statements.count_late_message(other, EPOCH, row)])
    records = shelf.records(said("3"))
    with pytest.raises(Fenced):
        shelf.store(records)
    assert next_offset() == 1

    assert shelf.store(records) == 1
    assert contents() == [(1, "1"), (2, "hi"), (3, "3")]


def test_a_conversations_first_message_that_somebody_else_stored_fences_too(shelf: Shelf) -> None:
    shelf.put(said("c1", group=COFFEE))
    shelf.archive._known.seqs[str(TEA)] = 0
    ConversationState.objects.create(
        conversation_id=TEA,
        last_seq=4,
        last_message=TEA,
        last_sent_at="2026-11-23T20:00Z",
        epoch=1,
        partition=0,
        last_offset=0,
    )
    records = shelf.records(said("5"))
    with pytest.raises(Fenced):
        shelf.store(records)

    assert shelf.store(records) == 1
    assert contents() == [(5, "5")]


def test_a_late_message_becomes_the_last_one_only_where_it_stands_after_the_present_one(
    connection: Connection, shelf: Shelf
) -> None:
    shelf.put(said("0"), said("1"))
    last = ConversationState.objects.get(pk=TEA).last_message
    earlier, later = (MessageRow(standing_at(ORIGINAL, 0, offset), ORIGINAL) for offset in (0, 9))
    assert state_statements.count_late_message(connection, EPOCH, earlier) == 3
    connection.commit()
    assert ConversationState.objects.get(pk=TEA).last_message == last

    assert state_statements.count_late_message(connection, EPOCH, later) == 4
    connection.commit()
    state = ConversationState.objects.get(pk=TEA)
    assert (str(state.last_message), state.last_offset, state.last_seq) == (ORIGINAL.id, 9, 4)


def test_who_waits_is_told_when_the_batch_is_committed(shelf: Shelf) -> None:
    with connect_archive("listener") as listener:
        listener.autocommit = True
        listener.execute(f"LISTEN {ARCHIVED_CHANNEL}")
        shelf.put(said("1"))
        [notice] = listener.notifies(timeout=30, stop_after=1)

    assert notice.payload == "0:1"


def test_a_batch_of_a_thousand_partitions_is_told_in_as_many_notifications_as_postgresql_wants(
    connection: Connection,
) -> None:
    partitions, begin = range(1_000), 1_000_000
    LogOffset.objects.bulk_create(LogOffset(epoch=2, partition=p, next_offset=begin) for p in partitions)
    told: set[str] = set()
    with connect_archive("listener") as listener:
        listener.autocommit = True
        listener.execute(f"LISTEN {ARCHIVED_CHANNEL}")
        batch = Batch(next_offsets=dict.fromkeys(partitions, begin + 1))
        Archive(connection, 2).store(batch, dict.fromkeys(partitions, begin))
        for notice in listener.notifies(timeout=30):
            told |= set(notice.payload.split(","))
            if len(told) == len(partitions):
                break

    assert told == {f"{partition}:{begin + 1}" for partition in partitions}


def test_what_is_known_of_conversations_is_bounded(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("klatsch.persister.storing._REMEMBERED_MOST", 1)
    for number in range(4):
        shelf.put(said(str(number)), said(str(number), group=COFFEE))
        assert len(shelf.archive._known.seqs) + len(shelf.archive._known.people) <= 3

    assert contents(COFFEE) == [(1, "0"), (2, "1"), (3, "2"), (4, "3")]


def test_an_empty_batch_is_possible_where_nothing_was_read(archive: Archive) -> None:
    assert archive.store(Batch(), {}) == Stored(rows=[], copies=0, dead=[])
