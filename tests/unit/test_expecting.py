"""The answer to a change while the archive is behind: the message as it will be."""

from typing import Any

import msgspec
import pytest

from klatsch.archive.message_view import NAMES_MOST, MessageView, view_of_posted
from klatsch.messaging.changing import Delete, Edit, Pin, React, Wish
from klatsch.messaging.expecting import expect_view
from klatsch.messaging.mentions import Mention
from tests.support.changes import facts_of
from tests.support.records import ANA, BOB, in_group, posted

SAID = posted(in_group(BOB), "hi", client_id="one")
NOW = "2026-11-23T20:00:01.000Z"


def message(**fields: Any) -> MessageView:
    encoded = {
        name: msgspec.Raw(msgspec.json.encode(value)) if isinstance(value, dict | list) else value
        for name, value in fields.items()
    }
    return msgspec.structs.replace(view_of_posted(SAID, "1:0:0"), **encoded)


def expected(before: MessageView, wish: Wish, *, pinned: bool = False, own: tuple[str, ...] = ()) -> dict[str, Any]:
    facts = facts_of(SAID, ANA, pinned=pinned, own_emojis=own)
    after = msgspec.json.encode(expect_view(before, wish, facts, position="1:0:9", now=NOW))
    shown: dict[str, Any] = msgspec.json.decode(after)
    was = msgspec.json.decode(msgspec.json.encode(before))
    return {name: value for name, value in shown.items() if value != was[name]}


CROWD = [f"p{number}" for number in range(NAMES_MOST)]


@pytest.mark.parametrize(
    ("before", "wish", "after"),
    [
        (
            message(),
            Edit("@bob!", mentions=[Mention("bob", BOB.user_id)]),
            {"content": "@bob!", "mentions": ["bob"], "edited_at": NOW},
        ),
        (
            message(reactions={"👍": ["bob"]}, reaction_counts={"👍": 1}, mentions=["bob"], pinned_at=NOW),
            Delete(),
            {"content": "", "deleted": True, "mentions": [], "reactions": {}, "reaction_counts": {}, "pinned_at": None},
        ),
        (
            message(reactions={"👍": ["bob"]}, reaction_counts={"👍": 1}),
            React("👍", on=True),
            {"reactions": {"👍": ["bob", "ana"]}, "reaction_counts": {"👍": 2}},
        ),
        (
            message(reactions={"👍": CROWD}, reaction_counts={"👍": NAMES_MOST}),
            React("👍", on=True),
            {"reaction_counts": {"👍": NAMES_MOST + 1}},
        ),
        (message(), Pin(on=True), {"pinned_at": NOW}),
    ],
)
def test_a_change_is_expected_whole(before: MessageView, wish: Wish, after: dict[str, Any]) -> None:
    assert expected(before, wish) == after | {"changed": "1:0:9"}


def test_what_is_taken_back_is_gone() -> None:
    before = message(reactions={"👍": ["ana"]}, reaction_counts={"👍": 1}, pinned_at=NOW)
    reaction = expected(before, React("👍", on=False), own=("👍",))
    assert (reaction["reactions"], reaction["reaction_counts"]) == ({}, {})
    assert expected(before, Pin(on=False), pinned=True)["pinned_at"] is None


@pytest.mark.parametrize("wish", [React("👍", on=True), React("🎉", on=False), Pin(on=True)])
def test_what_changes_nothing_leaves_the_message_as_it_is(wish: Wish) -> None:
    before = message(reactions={"👍": ["ana"]}, reaction_counts={"👍": 1}, pinned_at=NOW)
    assert expected(before, wish, pinned=True, own=("👍",)) == {}
