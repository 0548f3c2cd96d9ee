"""Edits, deletions, reactions and pins in the archive: each folded once, in the log's order (D18)."""

from uuid import uuid4

import msgspec
import pytest

from klatsch.archive.histories import list_messages
from klatsch.archive.models import (
    Change,
    ConversationState,
    DeadLetter,
    LogOffset,
    Mention,
    Message,
    MessageVersion,
    Reaction,
)
from klatsch.persister.statements import Connection
from klatsch.persister.storing import Archive
from klatsch.records.members import Membership
from klatsch.records.messages import MessagePosted
from tests.integration.shelf import EPOCH, OTHER, SAID, Shelf, put_two_messages, view
from tests.support.changes import deleted, edited, pinned, reacted
from tests.support.records import (
    ANA,
    BOB,
    CLEO,
    COFFEE,
    NOW_MS,
    TEA,
    entry_of,
    in_group,
    members,
    posted,
    removed,
    standing,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("world")]


@pytest.fixture
def shelf(shelf: Shelf) -> Shelf:
    return put_two_messages(shelf)


def versions(message: MessagePosted = SAID) -> list[tuple[int, str]]:
    rows = MessageVersion.objects.filter(message_id=message.id).order_by("offset")
    return list(rows.values_list("offset", "content"))


def test_an_edit_changes_the_text_and_keeps_every_version(shelf: Shelf) -> None:
    shelf.put(edited(SAID, "hi!"))
    shelf.put(edited(SAID, "hi?"), edited(SAID, "hi."))

    message = view()
    assert (message["content"], message["changed"], message["position"]) == ("hi.", "1:0:4", "1:0:0")
    assert message["edited_at"] is not None
    assert versions() == [(0, "hi"), (2, "hi!"), (3, "hi?"), (4, "hi.")]


def test_a_copy_of_an_edit_undoes_nothing_in_the_same_batch_or_later(shelf: Shelf) -> None:
    first, second = edited(SAID, "first", client_id="a"), edited(SAID, "second", client_id="b")
    shelf.put(first, second, first)
    shelf.put(first)
    assert view()["content"] == "second"
    assert versions() == [(0, "hi"), (2, "first"), (3, "second")]


def test_an_edit_that_had_not_seen_another_edit_is_void(shelf: Shelf) -> None:
    shelf.put(edited(SAID, "one", base="1:0:0"), edited(SAID, "two", base="1:0:0"))
    shelf.put(edited(SAID, "three", base="1:0:0"))
    assert view()["content"] == "one"
    shelf.put(reacted(SAID, "👍", BOB), edited(SAID, "four", base="1:0:2"))
    assert view()["content"] == "four", "a reaction in between is no conflict"


def test_a_deletion_leaves_a_tombstone_and_nothing_else(shelf: Shelf) -> None:
    shelf.put(edited(SAID, "hi @cleo", mentions=(CLEO,)), reacted(SAID, "👍", BOB), pinned(SAID, BOB), deleted(SAID))
    shelf.put(edited(SAID, "back again"), reacted(SAID, "👍", CLEO), pinned(SAID, CLEO))

    message = view()
    assert (message["content"], message["deleted"], message["changed"]) == ("", True, "1:0:5")
    assert (message["reactions"], message["reaction_counts"], message["mentions"]) == ({}, {}, [])
    assert message["pinned_at"] is None
    assert Message.objects.get(pk=SAID.id).content == ""
    for table in (MessageVersion, Mention, Reaction):
        assert not table.objects.filter(message_id=SAID.id).exists(), table
    assert message["seq"] == 1, "its number stays"


def test_a_late_edit_does_not_bring_a_deleted_text_back(shelf: Shelf) -> None:
    shelf.put(deleted(SAID), edited(SAID, "back again"))
    assert (view()["content"], view()["deleted"]) == ("", True)


def test_reactions_are_a_set_in_the_order_of_time(shelf: Shelf) -> None:
    shelf.put(reacted(SAID, "👍", BOB), reacted(SAID, "👍", ANA), reacted(SAID, "🎉", CLEO))
    shelf.put(reacted(SAID, "👍", BOB, on=False), reacted(SAID, "👍", CLEO), reacted(SAID, "👍", BOB))
    message = view()
    assert message["reactions"] == {"👍": ["ana", "cleo", "bob"], "🎉": ["cleo"]}
    assert message["reaction_counts"] == {"👍": 3, "🎉": 1}
    shelf.put(reacted(SAID, "🎉", CLEO, on=False))
    assert view()["reactions"] == {"👍": ["ana", "cleo", "bob"]}


def test_what_changes_nothing_is_remembered_but_moves_nothing(shelf: Shelf) -> None:
    shelf.put(reacted(SAID, "👍", BOB))
    shelf.put(reacted(SAID, "👍", BOB, on=True, was_on=False), reacted(SAID, "🎉", BOB, on=False, was_on=False))
    assert view()["changed"] == "1:0:2"
    assert list(Change.objects.order_by("offset").values_list("offset", "effective")) == [
        (2, True), (3, False), (4, False)
    ]  # fmt: skip


def test_a_pin_is_put_and_taken_off(shelf: Shelf) -> None:
    shelf.put(pinned(SAID, ANA), pinned(OTHER, ANA))
    assert view()["pinned_at"] is not None
    shelf.put(pinned(SAID, BOB, on=False))
    assert (view()["pinned_at"], view(OTHER)["pinned_at"] is not None) == (None, True)


def test_mentions_follow_the_text(shelf: Shelf) -> None:
    mentioning = msgspec.structs.replace(
        posted(in_group(ANA), "@bob", client_id="three"), mentions=["bob"], mention_ids=[BOB.user_id]
    )
    shelf.put(entry_of(mentioning))
    assert view(mentioning)["mentions"] == ["bob"]
    assert list(Mention.objects.values_list("user_id", "seq")) == [(BOB.id, 3)]
    shelf.put(edited(mentioning, "@cleo", mentions=(CLEO,)))
    assert view(mentioning)["mentions"] == ["cleo"]
    assert list(Mention.objects.values_list("user_id", "conversation_id", "seq")) == [(CLEO.id, TEA, 3)]


def test_after_a_removal_or_a_block_nothing_of_that_person_counts(shelf: Shelf) -> None:
    blocked = msgspec.structs.replace(standing(CLEO, 2, active=True), blocked=True)
    shelf.put(removed(ANA), members(blocked), edited(SAID, "after"), reacted(SAID, "👍", CLEO))
    assert (view()["content"], view()["reactions"]) == ("hi", {})


def test_a_demoted_admin_deletes_and_pins_nothing_and_an_author_does(shelf: Shelf) -> None:
    def role(version: int, name: str) -> Membership:
        return msgspec.structs.replace(standing(BOB, version, active=True), role=name)

    shelf.put(members(role(2, "admin")), pinned(SAID, BOB), members(role(3, "member")), deleted(SAID, BOB))
    assert (view()["deleted"], view()["pinned_at"] is not None) == (False, True)
    shelf.put(pinned(SAID, BOB, on=False), deleted(OTHER, BOB))
    assert (view()["pinned_at"] is not None, view(OTHER)["deleted"]) == (True, True)


def test_a_change_whose_check_was_more_than_a_minute_ago_is_void(shelf: Shelf) -> None:
    shelf.put(edited(SAID, "too late", at_ms=NOW_MS - 60_001), edited(SAID, "too early", at_ms=NOW_MS + 60_001))
    assert view()["content"] == "hi"
    shelf.put(edited(SAID, "in time", at_ms=NOW_MS - 60_000))
    assert view()["content"] == "in time"


def test_a_change_of_a_message_that_is_not_there_is_a_dead_letter(shelf: Shelf) -> None:
    nowhere = posted(in_group(ANA), "?", client_id="never sent")
    elsewhere = msgspec.structs.replace(SAID, conversation=str(COFFEE))
    shelf.put(edited(nowhere, "!"), edited(elsewhere, "!"))
    assert list(DeadLetter.objects.order_by("offset").values_list("offset", "reason")) == [
        (2, "unknown_message"), (3, "unknown_message")
    ]  # fmt: skip


def test_a_message_and_its_changes_may_come_in_one_batch(shelf: Shelf) -> None:
    """Stores all at once, as when the archive is built anew from the log."""
    new = posted(in_group(ANA), "new", client_id="new")
    shelf.put(entry_of(new), edited(new, "newer"), reacted(new, "👍", BOB), pinned(new, BOB))
    message = view(new)
    assert (message["content"], message["reactions"], message["changed"]) == ("newer", {"👍": ["bob"]}, "1:0:5")
    assert versions(new) == [(2, "new"), (3, "newer")]


def test_one_client_id_is_one_thing_whether_a_message_or_a_change(shelf: Shelf) -> None:
    client_id = uuid4().hex
    shelf.put(edited(SAID, "edited", client_id=client_id))
    shelf.put(entry_of(posted(in_group(ANA), "a message", client_id=client_id)))
    assert Message.objects.count() == 2
    shelf.put(edited(OTHER, "edited", client_id="one", by=ANA))
    assert (view()["content"], view(OTHER)["content"]) == ("edited", "yes")


def test_a_change_is_stored_exactly_once_however_the_batches_are_cut(connection: Connection) -> None:
    entries = [
        entry_of(SAID), edited(SAID, "1", client_id="e1"), reacted(SAID, "👍", BOB, client_id="r1"),
        edited(SAID, "2", base="1:0:0", client_id="e2"), pinned(SAID, BOB), reacted(SAID, "👍", BOB, client_id="r1"),
        reacted(SAID, "👍", BOB, on=False), edited(SAID, "3", base="1:0:1", client_id="e3"), deleted(SAID, CLEO),
        edited(SAID, "4"),
    ]  # fmt: skip
    found = []
    for size in (1, 3, 10):
        _empty()
        shelf = Shelf(Archive(connection, EPOCH))
        for first in range(0, len(entries) - 2, size):
            shelf.put(*entries[first : min(first + size, len(entries) - 2)])
        found.append((view(), versions(), list(Change.objects.order_by("offset").values_list("offset", "effective"))))
        shelf.put(*entries[-2:])
        assert view()["deleted"]
    assert found[0] == found[1] == found[2]
    assert found[0][0]["content"] == "3"


def test_a_reply_shows_the_beginning_of_its_original_as_it_is_now(shelf: Shelf) -> None:
    reply = posted(in_group(BOB), "reply", client_id="reply", reply_to=SAID.id)
    shelf.put(entry_of(reply), edited(SAID, "x" * 300))
    assert view(reply)["reply_preview"] == {"id": SAID.id, "sender": "ana", "content": "x" * 200, "deleted": False}
    shelf.put(deleted(SAID))
    assert view(reply)["reply_preview"] == {"id": SAID.id, "sender": "ana", "content": "", "deleted": True}
    assert view(OTHER)["reply_preview"] is None


def test_a_reply_to_a_message_of_another_conversation_shows_nothing_of_it(shelf: Shelf) -> None:
    """Stores a reply as of a process of an older version, which did not check replies."""
    reply = posted(in_group(BOB, COFFEE), "reply", client_id="reply", reply_to=SAID.id)
    shelf.put(entry_of(reply))
    [shown] = list_messages(conversation_id=COFFEE, limit=50)
    assert (shown.reply_to, bytes(shown.reply_preview)) == (SAID.id, b"null")


def _empty() -> None:
    for table in (Message, MessageVersion, Reaction, Mention, Change, ConversationState):
        table.objects.all().delete()
    LogOffset.objects.update(next_offset=0)
