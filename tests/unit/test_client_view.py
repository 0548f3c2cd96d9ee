"""What an application shows: the server's state, with one's own pending changes over it."""

from dataclasses import replace
from typing import Any

import pytest

from klatsch_client import (
    Change,
    Changed,
    Deleted,
    Draft,
    Edited,
    Marker,
    Marking,
    Member,
    Members,
    Message,
    Pinned,
    Presence,
    Reacted,
    ReplyPreview,
    Sent,
    Typing,
    View,
)
from klatsch_client.positions import Position

_MOMENT = "2026-11-24T00:00:00.000Z"


def _at(offset: int) -> Position:
    return Position(1, offset, 0)


def _message(offset: int, **more: Any) -> Message:
    message = Message(f"m{offset}", "c", "one", "bob", "ana", "as written", _MOMENT, _at(offset), _at(offset))
    return replace(message, **more)


def _edited(offset: int, content: str, message: str = "m1") -> Edited:
    return Edited(message, "one", _at(offset), content, (), _MOMENT, "bob")


def _reacted(offset: int, user: str, *, on: bool = True, message: str = "m1") -> Reacted:
    return Reacted(message, "one", _at(offset), "👍", on, user)


class Shown:
    """A view of ana's, with what she has not got an answer to."""

    def __init__(self, **options: Any) -> None:
        self.now_s = 0.0
        self.drafts: list[Draft | Change | Marking] = []
        self.changes: list[str | None] = []
        self.view = View(on_change=self.changes.append, **options)
        self.view.bind(lambda: self.now_s, user=lambda: "ana", now=lambda: _MOMENT, drafts=self.drafts)

    def message(self, message_id: str = "m1") -> Message:
        message = self.view.message(message_id)
        assert message is not None
        return message


@pytest.fixture
def shown() -> Shown:
    shown = Shown()
    shown.view.apply(_message(1))
    return shown


def test_a_change_counts_once_and_only_above_what_the_message_holds_already(shown: Shown) -> None:
    shown.view.apply(_edited(5, "newer"))
    shown.view.apply(_edited(3, "older"))
    shown.view.apply(_reacted(4, "bob"))
    shown.view.add([_message(1, content="from a page", changed=_at(2))])
    assert (shown.message().content, shown.message().reactions, shown.message().changed) == ("newer", {}, _at(5))
    shown.view.apply(Changed(_message(1, content="whole", changed=_at(10))))
    shown.view.apply(_reacted(11, "bob"))
    assert (shown.message().content, shown.message().reactions) == ("whole", {"👍": ["bob"]})
    assert shown.changes == ["one"] * 6


def test_a_row_of_the_same_place_has_what_a_push_has_not(shown: Shown) -> None:
    shown.view.add([_message(1, seq=7)])
    assert shown.message().seq == 7
    shown.view.apply(Changed(_message(1, changed=_at(2))))
    assert shown.message().seq == 7


def test_a_page_that_was_under_way_while_a_message_was_changed_brings_no_old_state(shown: Shown) -> None:
    shown.view.apply(_edited(5, "edited", "m2"))
    shown.view.apply(_reacted(6, "bob", message="m2"))
    assert shown.view.message("m2") is None
    shown.view.add([_message(2, content="already edited", changed=_at(5))])
    assert (shown.message("m2").content, shown.message("m2").reactions) == ("already edited", {"👍": ["bob"]})
    assert shown.message("m2").changed == _at(6)


def test_of_changes_to_messages_that_are_not_here_only_a_bounded_number_is_kept(shown: Shown) -> None:
    for number in range(10, 2_000):
        shown.view.apply(_edited(number + 1, "edited", f"m{number}"))
    shown.view.add([_message(10), _message(1_999)])
    assert (shown.message("m10").content, shown.message("m1999").content) == ("as written", "edited")


def test_of_many_changes_to_one_message_that_is_not_here_only_a_bounded_number_is_kept_the_last_ones(
    shown: Shown,
) -> None:
    for number in range(10, 2_010):
        shown.view.apply(_reacted(number, f"user{number}", message="m9"))
    shown.view.apply(_edited(2_010, "edited", "m8"))
    shown.view.add([_message(8), _message(9)])
    assert (shown.message("m8").content, shown.message("m9").reaction_counts) == ("edited", {"👍": 999})


def test_a_deleted_message_is_a_tombstone_for_good(shown: Shown) -> None:
    full = _message(
        1, mentions=("ana",), reactions={"👍": ["bob"]}, reaction_counts={"👍": 1}, pinned_at=_MOMENT, seq=3
    )
    shown.view.add([full])
    shown.view.apply(Deleted("m1", "one", _at(4), "bob", _MOMENT))
    wiped = replace(full, content="", deleted=True, changed=_at(4))
    wiped = replace(wiped, mentions=(), reactions={}, reaction_counts={}, pinned_at=None)
    assert shown.message() == wiped
    for late in (_edited(5, "back"), _reacted(6, "bob"), Pinned("m1", "one", _at(7), True, "bob", _MOMENT)):
        shown.view.apply(late)
    assert shown.message() == replace(wiped, changed=_at(7))


def test_reactions_are_in_the_order_of_time_and_counted_also_beyond_those_that_are_listed(shown: Shown) -> None:
    for offset, (user, on) in enumerate([("bob", True), ("ana", True), ("bob", False), ("bob", True)], 2):
        shown.view.apply(_reacted(offset, user, on=on))
    assert (shown.message().reactions, shown.message().reaction_counts) == ({"👍": ["ana", "bob"]}, {"👍": 2})
    many = [f"user{number}" for number in range(50)]
    shown.view.add([_message(2, reactions={"👍": many}, reaction_counts={"👍": 70})])
    shown.view.apply(_reacted(3, "bob", message="m2"))
    assert (shown.message("m2").reactions, shown.message("m2").reaction_counts) == ({"👍": many}, {"👍": 71})
    shown.view.apply(_reacted(4, "carol", on=False, message="m2"))
    shown.view.apply(_reacted(5, "user0", on=False, message="m2"))
    assert (shown.message("m2").reactions, shown.message("m2").reaction_counts) == ({"👍": many[1:]}, {"👍": 69})


def test_what_is_pending_is_seen_at_once_and_no_more_when_it_is_refused(shown: Shown) -> None:
    edit = Change("c1", "edit", "m1", _at(1), "one", content="mine")
    react = Change("c2", "react", "m1", _at(1), "one", emoji="👍", on=True)
    shown.drafts += [edit, Draft("c3", "a send", to="bob"), react]
    assert (shown.message().content, shown.message().reactions) == ("mine", {"👍": ["ana"]})
    assert shown.message().pending == (edit, react)
    assert shown.view.messages("one") == [shown.message()]
    shown.drafts.remove(edit)
    assert (shown.message().content, shown.message().pending) == ("as written", (react,))
    assert shown.message().changed == _at(1)


def test_what_others_change_shows_through_what_is_pending(shown: Shown) -> None:
    edit = Change("c1", "edit", "m1", _at(1), "one", content="mine")
    shown.drafts.append(edit)
    shown.view.apply(_reacted(2, "bob"))
    shown.view.apply(_edited(3, "from another device"))
    assert (shown.message().content, shown.message().reactions) == ("mine", {"👍": ["bob"]})
    shown.drafts.clear()
    assert shown.message().content == "from another device"
    shown.drafts.append(edit)
    shown.view.apply(Deleted("m1", "one", _at(4), "carol", _MOMENT))
    assert (shown.message().content, shown.message().deleted, shown.message().pending) == ("", True, ())


def test_a_reply_shows_the_beginning_of_the_original_as_it_is_now(shown: Shown) -> None:
    old = ReplyPreview("m1", "bob", "as written", deleted=False)
    shown.view.add([_message(2, reply_to="m1", reply_preview=old), _message(3, reply_to="elsewhere")])
    shown.view.apply(_edited(4, "x" * 300))
    assert shown.message("m2").reply_preview == ReplyPreview("m1", "bob", "x" * 200, deleted=False)
    shown.view.apply(Deleted("m1", "one", _at(5), "bob", _MOMENT))
    assert shown.message("m2").reply_preview == ReplyPreview("m1", "bob", "", deleted=True)
    assert shown.message("m3").reply_preview is None


def test_a_quote_follows_its_original_also_of_one_that_is_not_here(shown: Shown) -> None:
    old = ReplyPreview("old", "bob", "first", deleted=False)
    shown.view.add([_message(5, reply_to="old", reply_preview=old), _message(6)])
    shown.view.apply(_edited(7, "x" * 300, "old"))
    assert shown.message("m5").reply_preview == replace(old, content="x" * 200)
    shown.view.apply(Deleted("old", "one", _at(8), "bob", _MOMENT))
    assert shown.message("m5").reply_preview == replace(old, content="", deleted=True)
    shown.view.apply(_edited(7, "told again", "old"))
    assert shown.message("m5").reply_preview == replace(old, content="", deleted=True)
    assert shown.message("m6").reply_preview is None


def test_a_quote_follows_an_original_that_came_whole_also_once_that_is_not_here_any_more() -> None:
    shown = Shown(most=2)
    old = ReplyPreview("m1", "bob", "as written", deleted=False)
    shown.view.add([_message(1), _message(5, reply_to="m1", reply_preview=old)])
    shown.view.apply(Changed(_message(1, changed=_at(7), content="", deleted=True)))
    shown.view.add([_message(6)])
    assert shown.view.message("m1") is None
    assert shown.message("m5").reply_preview == replace(old, content="", deleted=True)


def test_what_the_server_has_told_of_a_message_of_ones_own_is_not_undone_by_its_late_answer(shown: Shown) -> None:
    mine = _message(5, sender="ana", receiver="bob", sent_at="as the server has it", mentions=("carol",))
    shown.view.apply(mine)
    sent = Sent(Draft("c", "as written", to="bob"), "m5", _at(5), duplicate=True)
    shown.view.apply(sent)
    assert shown.message("m5") == mine


def test_what_one_sends_is_in_its_conversation_as_soon_as_that_is_known() -> None:
    shown = Shown()
    shown.view.apply(Sent(Draft("c", "hi @bob.", to="bob"), "mine", _at(1), duplicate=False))
    shown.view.apply(Sent(Draft("c", "in a group", conversation="two"), "other", _at(2), duplicate=False))
    assert (shown.message("mine").conversation, shown.message("mine").mentions) == ("", ("bob",))
    assert shown.view.direct("bob") is None
    shown.view.apply(_message(3))
    assert [message.id for message in shown.view.messages("one")] == ["mine", "m3"]
    assert shown.view.direct("bob") == "one"
    assert [message.receiver for message in shown.view.messages("two")] == [None]


def test_the_first_push_of_a_direct_conversation_says_with_whom_it_is_and_takes_what_was_sent_before() -> None:
    shown = Shown()
    shown.view.apply(Sent(Draft("c", "hi", to="bob"), "m1", _at(1), duplicate=False))
    assert shown.view.direct("bob") is None
    members = tuple(Member(user, active=True, role=None, version=1) for user in ("ana", "bob"))
    shown.view.apply(Members("group", "group", "Tea", members))
    assert shown.view.direct("bob") is None
    shown.view.apply(Members("one", "direct", None, members))
    assert shown.view.direct("bob") == "one"
    assert [message.content for message in shown.view.messages("one")] == ["hi"]


def test_markers_only_go_up_and_show_what_is_still_to_be_marked(shown: Shown) -> None:
    for marker in (
        Marker("one", "bob", _at(9), _at(3)),
        Marker("one", "bob", _at(4), _at(5)),
        Marker("one", "bob", None, None),
    ):
        shown.view.apply(marker)
    shown.view.apply(Marker("one", "ana", None, _at(2)))
    shown.drafts.append(Marking("one", read=_at(7)))
    assert shown.view.markers("one") == {
        "bob": Marker("one", "bob", _at(9), _at(5)),
        "ana": Marker("one", "ana", None, _at(7)),
    }
    shown.drafts.clear()
    assert shown.view.markers("one")["ana"].read == _at(2)


def test_ones_own_flag_is_shown_until_it_is_taken_back_or_a_higher_read_comes(shown: Shown) -> None:
    def flag_after(*markers: Marker) -> Position | None:
        for marker in markers:
            shown.view.apply(marker)
        return shown.view.markers("one")["ana"].unread_from

    flagged = Marker("one", "ana", None, None, _at(2), tells_flag=True)
    assert flag_after(Marker("one", "ana", None, _at(5)), flagged, Marker("one", "ana", _at(6), _at(5))) == _at(2)
    assert shown.view.markers("one")["ana"].read == _at(5)
    assert flag_after(Marker("one", "ana", None, None, None, tells_flag=True)) is None
    assert flag_after(flagged, Marker("one", "ana", None, _at(6))) is None


def test_a_flag_that_is_told_again_after_the_read_that_took_it_away_is_not_shown(shown: Shown) -> None:
    flagged = Marker("one", "ana", None, None, _at(2), tells_flag=True, position=_at(10))
    read = Marker("one", "ana", None, _at(9), position=_at(11))
    again = replace(flagged, unread_from=_at(3), position=_at(12))
    for told, flag in (((flagged, read), None), ((flagged, read), None), ((again, flagged, read), _at(3))):
        for marker in told:
            shown.view.apply(marker)
        assert shown.view.markers("one")["ana"].unread_from == flag


def test_a_flag_is_shown_whatever_else_of_a_later_place_was_told_before_it(shown: Shown) -> None:
    shown.view.apply(Marker("one", "ana", None, _at(5), position=_at(9)))
    shown.view.apply(Marker("one", "ana", _at(8), _at(5), position=_at(11)))
    shown.view.apply(Marker("one", "ana", None, None, _at(2), tells_flag=True, position=_at(10)))
    assert shown.view.markers("one")["ana"].unread_from == _at(2)


def test_typing_ends_by_itself_when_it_is_said_and_with_the_connection(shown: Shown) -> None:
    shown.view.apply(Typing("one", "bob"))
    shown.now_s = 7.9
    shown.view.apply(Typing("one", "carol"))
    assert shown.view.typing("one") == ["bob", "carol"]
    shown.now_s = 8.1
    assert shown.view.typing("one") == ["carol"]
    shown.view.apply(Typing("one", "carol", on=False))
    assert shown.view.typing("one") == []
    shown.view.apply(Typing("one", "bob"))
    shown.view.apply(_message(2))
    assert shown.view.typing("one") == [], "what was typed has come"
    shown.view.apply(Typing("one", "bob"))
    shown.view.apply(Presence(("bob",), ("carol",), whole=True))
    assert [shown.view.is_online(name) for name in ("bob", "carol", "dan")] == [True, False, None]
    shown.view.apply(Presence((), ("bob",)))
    assert shown.view.is_online("bob") is False
    shown.view.lose_connection()
    assert (shown.view.typing("one"), shown.view.is_online("carol")) == ([], None)


def test_a_conversation_that_one_has_left_is_forgotten_and_so_are_the_messages_that_came_first() -> None:
    shown = Shown(most=3)
    shown.view.add([_message(offset) for offset in range(1, 6)])
    assert [message.id for message in shown.view.messages("one")] == ["m3", "m4", "m5"]
    bob, ana = (Member(name, active=False, role=None, version=2) for name in ("bob", "ana"))
    shown.view.apply(Members("one", "group", None, (bob,)))
    assert len(shown.view.messages("one")) == 3
    shown.view.apply(Members("one", "group", None, (ana,)))
    assert shown.view.messages("one") == []
