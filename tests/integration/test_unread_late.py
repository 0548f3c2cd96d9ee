"""Unread counts around messages that a retry stored late, between or after newer ones (D5, D19)."""

import random
from dataclasses import dataclass, field
from uuid import UUID

import msgspec
import pytest

from klatsch.archive.models import DeadLetter
from klatsch.archive.overview import ConversationView, get_conversation
from klatsch.eventlog.log import Entry
from klatsch.persister.dead_letters import retry_dead_letter
from tests.integration.shelf import EPOCH, Shelf
from tests.support.changes import edited
from tests.support.records import (
    ANA,
    BOB,
    TEA,
    Somebody,
    added,
    entry_of,
    fresh_client_id,
    in_group,
    marked,
    posted,
    removed,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("ana_and_bob_in_tea")]


def tea(user_id: UUID = BOB.id) -> ConversationView:
    return get_conversation(user_id=user_id, conversation_id=TEA)


def counts(user_id: UUID = BOB.id) -> tuple[int | str, int]:
    """Returns the numbers of unread messages and mentions."""
    view = tea(user_id)
    return view.unread, view.mentions


def said(sender: Somebody = ANA, *, to_bob: bool = False) -> Entry:
    event = posted(in_group(sender), "hi", client_id=fresh_client_id())
    named = {"mentions": ["bob"], "mention_ids": [BOB.user_id]} if to_bob else {}
    return entry_of(msgspec.structs.replace(event, **named))


class Lost(Entry, frozen=True):
    """An entry that the persister cannot store when it meets it."""


def lost(*, to_bob: bool = False) -> Entry:
    entry = said(to_bob=to_bob)
    return Lost(entry.key, entry.value, entry.judge)


def put(shelf: Shelf, *entries: Entry) -> None:
    """Stores the entries, of which the last is not lost; the lost ones become dead letters."""
    records = shelf.records(*entries)
    held = [record for record, entry in zip(records, entries, strict=True) if not isinstance(entry, Lost)]
    for record in records:
        if record not in held:
            DeadLetter.objects.create(
                epoch=EPOCH,
                partition=record.partition,
                offset=record.offset,
                key=record.key,
                value=record.value,
                judge=record.judge,
                reason="sqlstate_23514",
                detail="",
            )
    shelf.archive._known.seqs.clear()  # a retry may have moved the conversation
    shelf.store(held)


def retry(*offsets: int) -> None:
    letters = DeadLetter.objects.filter(offset__in=offsets) if offsets else DeadLetter.objects.all()
    for letter in letters.order_by("offset"):
        retry_dead_letter(letter.pk)


def late_in_the_middle(shelf: Shelf) -> None:
    """Fills Bob's group with messages at 2, 3, 4, 7 and 8, and three late ones of which two mention Bob: 5, 6 and 9."""
    everybody = (added(ANA), added(BOB))
    lines = (said(), said(), said(), lost(to_bob=True), lost(to_bob=True), said(), said(), lost(), said())
    put(shelf, *everybody, *lines)
    retry()


@pytest.mark.parametrize(
    ("read", "wanted"), [(3, (7, 2)), (4, (6, 2)), (5, (5, 1)), (6, (4, 0)), (7, (3, 0)), (8, (2, 0)), (9, (1, 0))]
)
def test_what_is_unread_stands_after_the_marker_whenever_it_was_stored(
    shelf: Shelf, read: int, wanted: tuple[int, int]
) -> None:
    late_in_the_middle(shelf)
    put(shelf, marked(BOB, read=f"1:0:{read}"))
    assert counts() == wanted
    put(shelf, said(to_bob=True))
    assert counts() == (wanted[0] + 1, wanted[1] + 1)


def test_late_messages_before_the_marker_are_not_unread(shelf: Shelf) -> None:
    put(shelf, added(ANA), added(BOB), said(), lost(to_bob=True), lost(), said(), marked(BOB, read="1:0:5"))
    retry()
    assert counts() == (0, 0)
    put(shelf, said())
    assert counts() == (1, 0)


def test_late_messages_after_the_marker_are_unread(shelf: Shelf) -> None:
    put(shelf, added(ANA), added(BOB), said(), lost(to_bob=True), said(), marked(BOB, read="1:0:2"))
    retry()
    assert counts() == (2, 1)


@pytest.mark.parametrize(("flag", "wanted"), [(4, (7, 2)), (5, (6, 2)), (6, (5, 1)), (7, (4, 0)), (9, (2, 0))])
def test_a_flag_counts_from_its_place_on_late_messages_too(shelf: Shelf, flag: int, wanted: tuple[int, int]) -> None:
    late_in_the_middle(shelf)
    put(shelf, marked(BOB, read="1:0:10"), marked(BOB, unread_from=f"1:0:{flag}", own_only=True))
    assert counts() == wanted


def test_who_is_added_after_a_late_message_begins_at_zero(shelf: Shelf) -> None:
    put(shelf, added(ANA), said(), lost(to_bob=True), added(BOB), said())
    retry()
    assert counts() == (1, 0)
    put(shelf, said(), lost(to_bob=True), removed(BOB), said(), added(BOB, 3), said())
    retry()
    assert counts() == (1, 0)


def test_who_is_added_between_messages_that_are_stored_late_has_those_after_unread(shelf: Shelf) -> None:
    put(shelf, added(ANA), said(), lost(to_bob=True), added(BOB), lost(to_bob=True), said())
    retry()
    assert counts() == (2, 1)


def test_an_edit_of_a_late_message_mentions_in_its_place(shelf: Shelf) -> None:
    late = posted(in_group(ANA), "hi", client_id=fresh_client_id())
    entry = entry_of(late)
    put(shelf, added(ANA), added(BOB), said(), Lost(entry.key, entry.value, entry.judge), said(), said())
    retry()
    put(shelf, marked(BOB, read="1:0:4"), edited(late, "hi, @bob", mentions=(BOB,)))
    assert counts() == (1, 0)
    put(shelf, marked(BOB, unread_from="1:0:3", own_only=True))
    assert counts() == (3, 1)


@dataclass(slots=True)
class Truth:
    """The messages that Bob has unread, by their places in the log alone."""

    messages: dict[int, tuple[Somebody, bool]] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)
    begin: int = 1
    read: int = -1
    flag: int | None = None

    def counts(self) -> tuple[int, int]:
        after = max(self.read, self.begin)
        if self.flag is not None:
            after = min(after, self.flag - 1)
        unread = [one for offset, one in self.messages.items() if offset > after and offset not in self.lost]
        return sum(sender != BOB for sender, _ in unread), sum(to_bob for _, to_bob in unread)

    def last(self) -> int:
        return max((offset for offset in self.messages if offset not in self.lost), default=-1)


@pytest.mark.parametrize("seed", range(8))
def test_after_any_order_of_messages_retries_and_marks_the_counts_are_those_of_the_log(shelf: Shelf, seed: int) -> None:
    chance, truth = random.Random(seed), Truth()
    put(shelf, added(ANA), added(BOB))
    for _ in range(60):
        offset = shelf.next_offset
        act = chance.choice(("say", "say", "lose", "lose", "retry", "read", "read", "flag", "unflag", "again"))
        to_bob = chance.random() < 0.5
        if act == "say":
            sender = chance.choice((ANA, BOB))
            to_bob = to_bob and sender is ANA
            put(shelf, said(sender, to_bob=to_bob))
            truth.messages[offset] = (sender, to_bob)
        elif act == "lose":
            put(shelf, lost(to_bob=to_bob), said())
            truth.messages |= {offset: (ANA, to_bob), offset + 1: (ANA, False)}
            truth.lost.add(offset)
        elif act == "retry" and truth.lost:
            found = chance.choice(sorted(truth.lost))
            retry(found)
            truth.lost.remove(found)
        elif act == "read":
            read = min(chance.randrange(offset), truth.last())
            put(shelf, marked(BOB, read=f"1:0:{read}"))
            if read > truth.read:
                truth.read, truth.flag = read, None
        elif act in ("flag", "unflag"):
            truth.flag = chance.randrange(offset) if act == "flag" else None
            put(shelf, marked(BOB, unread_from=f"1:0:{truth.flag}" if act == "flag" else None, own_only=True))
        elif act == "again" and chance.random() < 0.3:
            put(shelf, removed(BOB, 2 * offset), added(BOB, 2 * offset + 1))
            truth.begin = offset + 1
        assert counts() == truth.counts(), (act, offset)
