"""Changes from while a client was away come as `state`: each message once, as it then is (D7, D18)."""

import pytest

from klatsch.archive.changes import Asked, Place, find_changes, read_page
from klatsch.archive.message_view import MessageView
from tests.integration.shelf import EPOCH, OTHER, SAID, Shelf, put_two_messages, view
from tests.support.changes import deleted, edited, pinned, reacted
from tests.support.records import ANA, BOB, CLEO, TEA

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("ana_and_bob_in_tea")]

AWAY = 2
"""The offset from which on the client missed everything: after both messages."""


@pytest.fixture
def shelf(shelf: Shelf) -> Shelf:
    return put_two_messages(shelf)


def replayed(shelf: Shelf) -> list[MessageView]:
    asked = [Asked(str(TEA), 0, AWAY, shelf.next_offset)]
    found = find_changes(user_id=ANA.id, epoch=EPOCH, asked=asked, each_most=50, most=99)
    page = read_page(user_id=ANA.id, epoch=EPOCH, asked=found.asked, after=Place(-1, -1))
    assert page.reached is None
    return page.messages


def told(shelf: Shelf) -> dict[str, tuple[str, str]]:
    return {message.id: (message.content, message.changed) for message in replayed(shelf)}


def test_without_a_change_nothing_is_told(shelf: Shelf) -> None:
    assert replayed(shelf) == []


def test_an_old_message_is_told_once_with_all_its_changes(shelf: Shelf) -> None:
    shelf.put(edited(SAID, "@cleo", mentions=(CLEO,)), reacted(SAID, "👍", BOB), pinned(SAID, BOB))
    [state] = replayed(shelf)
    shown = view()
    assert (state.content, state.changed, state.position) == ("@cleo", "1:0:4", "1:0:0")
    assert (bytes(state.mentions), bytes(state.reaction_counts)) == (b'["cleo"]', '{"👍": 1}'.encode())
    assert shown["reactions"] == {"👍": ["bob"]}
    assert (state.edited_at, state.pinned_at) == (shown["edited_at"], shown["pinned_at"])
    assert state.edited_at
    assert state.pinned_at


@pytest.mark.parametrize("change", ["reaction", "pin", "edit"])
def test_one_change_of_any_kind_is_told_and_what_changes_nothing_is_not(shelf: Shelf, change: str) -> None:
    made = {"reaction": reacted(SAID, "👍", BOB), "pin": pinned(SAID, BOB), "edit": edited(SAID, "hi!")}[change]
    shelf.put(made, reacted(OTHER, "🎉", BOB, on=False, was_on=False))
    assert told(shelf) == {SAID.id: ("hi!" if change == "edit" else "hi", "1:0:2")}


def test_a_deletion_is_told_as_a_tombstone(shelf: Shelf) -> None:
    shelf.put(edited(SAID, "hi!"), reacted(SAID, "👍", BOB), pinned(SAID, BOB), deleted(SAID))
    [state] = replayed(shelf)
    assert (state.content, state.deleted, state.changed, state.seq) == ("", True, "1:0:5", 1)
    assert (bytes(state.reactions), bytes(state.mentions), state.pinned_at) == (b"{}", b"[]", None)


def test_what_was_taken_back_meanwhile_is_told_as_it_is_now(shelf: Shelf) -> None:
    shelf.put(reacted(SAID, "👍", BOB), pinned(SAID, BOB))
    shelf.put(reacted(SAID, "👍", BOB, on=False), pinned(SAID, BOB, on=False))
    [state] = replayed(shelf)
    assert (bytes(state.reactions), state.pinned_at, state.changed) == (b"{}", None, "1:0:5")
