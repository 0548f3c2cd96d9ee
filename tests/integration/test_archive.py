"""The archive on the real PostgreSQL: a batch is stored exactly once, with its offsets, or not at all (D5, D6)."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from django.db import connection as django_connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from klatsch.archive.models import ConversationState, DeadLetter, LogOffset, MembershipInterval, Message
from klatsch.archive.progress import ARCHIVED_CHANNEL
from klatsch.archive.removals import read_removals
from klatsch.conversations.access import Access
from klatsch.conversations.models import Conversation
from klatsch.eventlog.log import Entry, Record
from klatsch.persister import statements
from klatsch.persister.batch import Batch, MessageRow, sort_records
from klatsch.persister.statements import Connection, Fenced
from klatsch.persister.storing import Archive, Stored
from klatsch.processes.wiring import connect_archive
from klatsch.records.judge import Memberships, StandingAt
from klatsch.records.messages import MessagePosted, digest
from tests.integration.shelf import EPOCH, Shelf, open_epoch
from tests.support.kinds import WITH_REWRITTEN, rewrite
from tests.support.records import (
    ANA,
    BOB,
    CLEO,
    COFFEE,
    TEA,
    Somebody,
    added,
    change_of,
    entry_of,
    in_group,
    members,
    message,
    posted,
    records_of,
    removed,
    standing,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("world")]


def contents(conversation: UUID = TEA) -> list[tuple[int, str]]:
    """Number and content of what the archive has of a conversation."""
    rows = Message.objects.filter(conversation=conversation).order_by("seq")
    return list(rows.values_list("seq", "content"))


def next_offset(partition: int = 0, epoch: int = EPOCH) -> int:
    return LogOffset.objects.get(epoch=epoch, partition=partition).next_offset


def letters() -> list[tuple[int, str]]:
    return list(DeadLetter.objects.order_by("offset").values_list("offset", "reason"))


def standing_at(event: MessagePosted, partition: int, offset: int) -> Record:
    """The record of a message at that place."""
    [record] = records_of(entry_of(event))
    return msgspec.structs.replace(record, partition=partition, offset=offset)


def said(content: str, sender: Somebody = ANA, group: UUID = TEA, **fields: Any) -> Entry:
    """A message, or one that no gateway would have let pass."""
    event = posted(in_group(sender, group), content, client_id=uuid4().hex)
    return entry_of(msgspec.structs.replace(event, **fields))


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
    access = Access.of(conversation=TEA, kind="direct", sender=(ANA.id, "ana"), receiver=(BOB.id, "bob"))
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


NO_DATA, NO_ROW = "no data", "no row"
REFUSED = [
    ("data", said(NO_DATA), "sqlstate_22012"),
    ("a row", said(NO_ROW), "sqlstate_23514"),
    ("data of somebody else", said(NO_DATA, BOB), "sqlstate_22012"),
    ("a row of somebody else", said(NO_ROW, BOB), "sqlstate_23514"),
]


@pytest.fixture(autouse=True)
def _picky(world: None) -> Iterator[None]:
    """Makes PostgreSQL refuse two contents, as data (class 22) and as a row (class 23): decoding refuses all else."""
    with django_connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE messaging_message ADD CONSTRAINT picky CHECK "
            f"(content <> '{NO_ROW}' AND 1 / (CASE content WHEN '{NO_DATA}' THEN 0 ELSE 1 END) = 1)"
        )
    yield
    with django_connection.cursor() as cursor:
        cursor.execute("ALTER TABLE messaging_message DROP CONSTRAINT picky")


@pytest.mark.parametrize(("bad", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
@pytest.mark.parametrize("around", [0, 1, 7])
def test_a_row_that_postgresql_refuses_is_found_and_its_neighbours_are_stored_with_it(
    shelf: Shelf, bad: Entry, reason: str, around: int
) -> None:
    before, after = ([said(f"{side} {n}") for n in range(around)] for side in ("before", "after"))
    assert shelf.put(*before, bad, *after) == 2 * around

    assert [seq for seq, _ in contents()] == list(range(1, 2 * around + 1))
    assert letters() == [(around, reason)]
    assert next_offset() == 2 * around + 1
    assert shelf.put(said("and on")) == 1


def test_every_refused_row_of_a_batch_is_found(shelf: Shelf) -> None:
    bad = [entry for _, entry, _ in REFUSED]
    assert shelf.put(bad[0], said("1"), bad[3], bad[1], said("2"), bad[2]) == 2

    assert contents() == [(1, "1"), (2, "2")]
    assert [offset for offset, _ in letters()] == [0, 2, 3, 5]


def test_refused_rows_and_copies_in_one_batch_are_each_what_they_are(shelf: Shelf) -> None:
    known = said("1")
    shelf.put(known)
    assert shelf.put(known, REFUSED[0][1], said("2"), known) == 1

    assert contents() == [(1, "1"), (2, "2")]
    assert letters() == [(2, "sqlstate_22012")]


def test_a_fenced_batch_with_a_refused_row_leaves_no_dead_letter(shelf: Shelf) -> None:
    LogOffset.objects.update(next_offset=9)
    with pytest.raises(Fenced):
        shelf.put(said("1"), REFUSED[0][1])

    assert (contents(), letters()) == ([], [])


@pytest.mark.parametrize("client_id", ["NULL", "null", "-", "_", "0", "x" * 64])
def test_any_client_id_is_stored_as_it_is(shelf: Shelf, client_id: str) -> None:
    shelf.put(message(in_group(ANA), client_id=client_id))

    assert (Message.objects.get().client_id, letters()) == (client_id, [])


HARD = ["", "NULL", "null", '"', "\\", '\\"', "{", "}", "{}", ",", "a,b", "{a,b}", "\\N", "'", "''", "$1", "%s", "\n"]


def test_text_that_array_literals_are_made_of_is_stored_verbatim(shelf: Shelf) -> None:
    hard = [text for text in HARD if text] + [" leading and trailing ", "\t\r\n", "\\x00", "🫖\u200d", "\ufeff"]
    assert shelf.put(*(said(text) for text in hard)) == len(hard)

    assert [content for _, content in contents()] == hard


characters = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
pieces = st.lists(st.text(characters, max_size=20) | st.sampled_from(HARD), min_size=1, max_size=6)
texts = pieces.map(lambda several: "".join(several) or "x")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(texts, min_size=1, max_size=5))
def test_any_text_is_stored_verbatim(shelf: Shelf, several: list[str]) -> None:
    entries = [said(text) for text in several]
    shelf.put(*entries)

    ids = [msgspec.json.decode(entry.value, type=MessagePosted).id for entry in entries]
    stored = {str(m.pk): m.content for m in Message.objects.filter(pk__in=ids)}
    assert [stored[one] for one in ids] == several


ORIGINAL = posted(in_group(ANA), "hi", client_id="one")


def test_a_change_makes_the_message_what_it_says(shelf: Shelf) -> None:
    shelf.put(entry_of(ORIGINAL))
    shelf.put(change_of(ORIGINAL, "ho", position="1:0:0"))

    stored = Message.objects.get()
    assert (stored.content, stored.offset, stored.seq) == ("ho", 0, 1)
    assert (stored.changed_epoch, stored.changed_offset) == (EPOCH, 1)
    assert stored.edited_at is not None


def test_a_kind_that_the_table_has_since_today_is_stored_by_what_its_row_says(archive: Archive) -> None:
    said, first, other, last = records_of(
        entry_of(ORIGINAL),
        rewrite(ORIGINAL, "1", ANA, "one"),
        change_of(ORIGINAL, "whole", position="1:0:0"),
        rewrite(ORIGINAL, "2", ANA, "two"),
    )
    archive.store(sort_records([said], Memberships(), WITH_REWRITTEN), {0: 0})
    archive.store(sort_records([first, other, last], Memberships(), WITH_REWRITTEN), {0: 1})

    stored = Message.objects.get()
    assert (stored.content, stored.changed_offset, stored.seq) == ("2", 3, 1)


def test_a_change_is_applied_only_when_it_is_newer(shelf: Shelf) -> None:
    shelf.put(entry_of(ORIGINAL), change_of(ORIGINAL, "late", position="1:0:0"))
    Message.objects.update(changed_offset=99)
    shelf.put(change_of(ORIGINAL, "overtaken", position="1:0:0"))
    assert contents() == [(1, "late")]

    Message.objects.update(changed_epoch=0, changed_offset=99)
    shelf.put(change_of(ORIGINAL, "newest", position="1:0:0"))
    assert contents() == [(1, "newest")]


def test_of_several_changes_in_a_batch_the_last_one_stands(shelf: Shelf) -> None:
    shelf.put(entry_of(ORIGINAL), *(change_of(ORIGINAL, text, position="1:0:0") for text in ("1", "2", "3")))

    assert (contents(), Message.objects.get().changed_offset) == ([(1, "3")], 3)


def test_a_change_of_nothing_that_is_archived_is_nothing(shelf: Shelf) -> None:
    shelf.put(change_of(ORIGINAL, "ho", position="1:0:0"))

    assert (contents(), next_offset()) == ([], 1)


def damaged_change(**fields: Any) -> Entry:
    change = change_of(ORIGINAL, "ho", position="1:0:0")
    value = msgspec.json.encode(msgspec.json.decode(change.value) | fields)
    return msgspec.structs.replace(change, value=value)


@pytest.mark.parametrize(
    "bad",
    [
        damaged_change(content=NO_DATA),
        damaged_change(content=NO_ROW),
    ],
    ids=["data", "a row"],
)
def test_a_change_that_postgresql_refuses_is_found_and_its_neighbours_are_stored_with_it(
    shelf: Shelf, bad: Entry
) -> None:
    other = posted(in_group(BOB), "2", client_id="two")
    shelf.put(entry_of(ORIGINAL))
    assert shelf.put(bad, entry_of(other), change_of(other, "2 changed", position="1:0:2")) == 1

    assert contents() == [(1, "hi"), (2, "2 changed")]
    assert [offset for offset, _ in letters()] == [1]
    assert letters()[0][1].startswith("sqlstate_2")
    assert next_offset() == 4


def test_a_refused_change_does_not_hide_the_one_before_it(shelf: Shelf) -> None:
    good = change_of(ORIGINAL, "good", position="1:0:0")
    shelf.put(entry_of(ORIGINAL))
    shelf.put(good, damaged_change(content=NO_DATA))

    assert (contents(), letters()) == ([(1, "good")], [(2, "sqlstate_22012")])


def test_a_refused_message_and_a_refused_change_are_both_found(shelf: Shelf) -> None:
    shelf.put(entry_of(ORIGINAL))
    assert shelf.put(REFUSED[0][1], damaged_change(content=NO_DATA), said("2")) == 1

    assert [offset for offset, _ in letters()] == [1, 2]


def test_a_last_seq_that_somebody_else_moved_fences_the_batch_and_the_next_attempt_goes_on_from_there(
    connection: Connection, shelf: Shelf
) -> None:
    shelf.put(said("1"))
    late = ORIGINAL
    with connect_archive("retry") as other:
        row = MessageRow(standing_at(late, 2, 7), late)
        statements.insert_messages(other, EPOCH, [row], [statements.count_late_message(other, EPOCH, row)])
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
    assert statements.count_late_message(connection, EPOCH, earlier) == 3
    connection.commit()
    assert ConversationState.objects.get(pk=TEA).last_message == last

    assert statements.count_late_message(connection, EPOCH, later) == 4
    connection.commit()
    state = ConversationState.objects.get(pk=TEA)
    assert (str(state.last_message), state.last_offset, state.last_seq) == (ORIGINAL.id, 9, 4)


def test_standings_become_intervals_once(shelf: Shelf) -> None:
    shelf.put(added(ANA), removed(ANA, 2))
    shelf.put(removed(ANA, 2), added(ANA, 3))

    rows = MembershipInterval.objects.order_by("version").values_list("version", "active", "offset")
    assert list(rows) == [(1, True, 0), (2, False, 1), (3, True, 3)]


def test_who_was_removed_is_known_by_their_highest_version(connection: Connection, shelf: Shelf) -> None:
    shelf.put(added(ANA), removed(ANA, 2), removed(BOB, 2), added(BOB, 3), added(CLEO))
    found = read_removals(connection, EPOCH, [0, 1, 2])

    assert sorted(found) == [
        StandingAt(str(TEA), ANA.user_id, 2, False, 0, 1, "member"),
        StandingAt(str(TEA), BOB.user_id, 3, True, 0, 3, "member"),
    ]
    assert read_removals(connection, EPOCH, [1]) == []
    assert read_removals(connection, 2, [0]) == []
    assert [row[1] for row in read_removals(connection, EPOCH, [0], since={0: 2})] == [BOB.user_id]


def test_roles_and_blocks_are_known_by_the_highest_version(connection: Connection, shelf: Shelf) -> None:
    admin = msgspec.structs.replace(standing(ANA, 2, active=True), role="admin")
    shelf.put(members(admin, msgspec.structs.replace(standing(BOB, 2, active=True), blocked=True)))
    assert [(row.user_id, row.role, row.blocked) for row in sorted(read_removals(connection, EPOCH, [0]))] == [
        (ANA.user_id, "admin", False),
        (BOB.user_id, "member", True),
    ]


def test_a_judge_who_reads_on_from_a_place_learns_what_was_true_there(connection: Connection, shelf: Shelf) -> None:
    shelf.put(removed(ANA, 2), added(ANA, 3), removed(ANA, 4), removed(BOB, 2))

    def known(begin: int) -> list[tuple[str, int, bool]]:
        found = read_removals(connection, EPOCH, [0, 1], before={0: begin, 1: 9})
        return sorted((one.user_id, one.version, one.active) for one in found)

    assert known(0) == []
    assert known(1) == [(ANA.user_id, 2, False)]
    assert known(2) == [(ANA.user_id, 3, True)]
    assert known(3) == [(ANA.user_id, 4, False)]
    assert known(4) == [(ANA.user_id, 4, False), (BOB.user_id, 2, False)]


def test_who_waits_is_told_when_the_batch_is_committed(shelf: Shelf) -> None:
    with connect_archive("listener") as listener:
        listener.autocommit = True
        listener.execute(f"LISTEN {ARCHIVED_CHANNEL}")
        shelf.put(said("1"))
        [notice] = listener.notifies(timeout=30, stop_after=1)

    assert notice.payload == "0:1"


def test_what_is_known_of_conversations_is_bounded(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("klatsch.persister.storing._REMEMBERED_MOST", 1)
    for number in range(4):
        shelf.put(said(str(number)), said(str(number), group=COFFEE))
        assert len(shelf.archive._known.seqs) + len(shelf.archive._known.people) <= 3

    assert contents(COFFEE) == [(1, "0"), (2, "1"), (3, "2"), (4, "3")]


# Random batches against a plain model: a list of what should be there.

GROUPS = (TEA, COFFEE)
accesses = st.builds(in_group, st.sampled_from([ANA, BOB]), st.sampled_from(GROUPS))
entries = st.one_of(
    st.builds(lambda access, name, body: ("say", access, f"name-{name}", body), accesses, st.integers(0, 4), texts),
    st.builds(lambda who, group: ("move", who, group), st.sampled_from([ANA, BOB]), st.sampled_from(GROUPS)),
    st.just(("refused",)),
    st.just(("poison",)),
    st.just(("stranger",)),
)
batches = st.lists(st.lists(entries, min_size=1, max_size=8), min_size=1, max_size=4)


class Model:
    """What the archive must come to, in the plainest way."""

    def __init__(self) -> None:
        self.versions: dict[tuple[UUID, UUID], int] = {}
        self.messages: dict[UUID, list[str]] = {group: [] for group in GROUPS}
        self.ids: set[str] = set()
        self.dead: list[int] = []
        self.offset = 0

    def take(self, step: Any) -> Entry:
        entry = getattr(self, f"_{step[0]}")(*step[1:])
        self.offset += 1
        assert isinstance(entry, Entry)
        return entry

    def _say(self, access: Access, name: str, body: str) -> Entry:
        event = posted(access, body, client_id=name)
        group = UUID(access.conversation)
        is_out = self.versions.get((group, UUID(access.sender_id)), 1) % 2 == 0
        if event.id not in self.ids and not is_out:
            self.ids.add(event.id)
            self.messages[group].append(event.content)
        return entry_of(event)

    def _move(self, who: Somebody, group: UUID) -> Entry:
        version = self.versions[group, who.id] = self.versions.get((group, who.id), 1) + 1
        return (added if version % 2 else removed)(who, version, conversation=group)

    def _refused(self) -> Entry:
        self.dead.append(self.offset)
        return said(NO_DATA, CLEO)

    def _poison(self) -> Entry:
        self.dead.append(self.offset)
        return Entry(b"somewhere", b"x")

    def _stranger(self) -> Entry:
        self.dead.append(self.offset)
        return said("x", group=uuid4())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches)
def test_random_batches_come_to_what_a_plain_model_says(connection: Connection, steps: Any) -> None:
    for table in (Message, ConversationState, DeadLetter, MembershipInterval):
        table.objects.all().delete()
    LogOffset.objects.update(next_offset=0)
    shelf, model = Shelf(Archive(connection, EPOCH)), Model()
    for batch in steps:
        shelf.put(*(model.take(step) for step in batch))

    for group in GROUPS:
        assert contents(group) == list(enumerate(model.messages[group], start=1))
        state = ConversationState.objects.filter(pk=group).first()
        assert (state.last_seq if state else 0) == len(model.messages[group])
    assert [offset for offset, _ in letters()] == model.dead
    assert next_offset() == model.offset


def test_an_empty_batch_is_possible_where_nothing_was_read(archive: Archive) -> None:
    assert archive.store(Batch(), {}) == Stored(rows=[], copies=0, dead=[])
