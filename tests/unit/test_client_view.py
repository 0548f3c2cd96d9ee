"""A view shows the server's state, with the person's own pending changes over it."""

from dataclasses import replace

from klatsch_client import Change, Changed, Deleted, Draft, Member, Members, Pinned, ReplyPreview, Sent
from tests.unit.client_shown import MOMENT, Shown, at, edited, reacted, said
from tests.unit.client_shown import shown as shown  # noqa: PLC0414 - the fixture


def test_a_change_counts_once_and_only_above_what_the_message_holds_already(shown: Shown) -> None:
    shown.view.apply(edited(5, "newer"))
    shown.view.apply(edited(3, "older"))
    shown.view.apply(reacted(4, "bob"))
    shown.view.add([said(1, content="from a page", changed=at(2))])
    assert (shown.message().content, shown.message().reactions, shown.message().changed) == ("newer", {}, at(5))
    shown.view.apply(Changed(said(1, content="whole", changed=at(10))))
    shown.view.apply(reacted(11, "bob"))
    assert (shown.message().content, shown.message().reactions) == ("whole", {"👍": ["bob"]})
    assert shown.changes == ["one"] * 6


def test_a_row_of_the_same_place_has_what_a_push_has_not(shown: Shown) -> None:
    shown.view.add([said(1, seq=7)])
    assert shown.message().seq == 7
    shown.view.apply(Changed(said(1, changed=at(2))))
    assert shown.message().seq == 7


def test_a_page_that_was_under_way_while_a_message_was_changed_brings_no_old_state(shown: Shown) -> None:
    shown.view.apply(edited(5, "edited", "m2"))
    shown.view.apply(reacted(6, "bob", message="m2"))
    assert shown.view.message("m2") is None
    shown.view.add([said(2, content="already edited", changed=at(5))])
    assert (shown.message("m2").content, shown.message("m2").reactions) == ("already edited", {"👍": ["bob"]})
    assert shown.message("m2").changed == at(6)


def test_of_changes_to_messages_that_are_not_here_only_a_bounded_number_is_kept(shown: Shown) -> None:
    for number in range(10, 2_000):
        shown.view.apply(edited(number + 1, "edited", f"m{number}"))
    shown.view.add([said(10), said(1_999)])
    assert (shown.message("m10").content, shown.message("m1999").content) == ("as written", "edited")


def test_of_many_changes_to_one_message_that_is_not_here_only_a_bounded_number_is_kept_the_last_ones(
    shown: Shown,
) -> None:
    for number in range(10, 2_010):
        shown.view.apply(reacted(number, f"user{number}", message="m9"))
    shown.view.apply(edited(2_010, "edited", "m8"))
    shown.view.add([said(8), said(9)])
    assert (shown.message("m8").content, shown.message("m9").reaction_counts) == ("edited", {"👍": 999})


def test_a_deleted_message_is_a_tombstone_for_good(shown: Shown) -> None:
    full = said(1, mentions=("ana",), reactions={"👍": ["bob"]}, reaction_counts={"👍": 1}, pinned_at=MOMENT, seq=3)
    shown.view.add([full])
    shown.view.apply(Deleted("m1", "one", at(4), "bob", MOMENT))
    wiped = replace(full, content="", deleted=True, changed=at(4))
    wiped = replace(wiped, mentions=(), reactions={}, reaction_counts={}, pinned_at=None)
    assert shown.message() == wiped
    for late in (edited(5, "back"), reacted(6, "bob"), Pinned("m1", "one", at(7), True, "bob", MOMENT)):
        shown.view.apply(late)
    assert shown.message() == replace(wiped, changed=at(7))


def test_a_message_that_is_pinned_already_keeps_the_time_of_its_pin(shown: Shown) -> None:
    later = "2026-11-25T00:00:00.000Z"
    for offset, (on, at_time) in enumerate([(True, MOMENT), (True, later)], 2):
        shown.view.apply(Pinned("m1", "one", at(offset), on, "bob", at_time))
    assert (shown.message().pinned_at, shown.message().changed) == (MOMENT, at(3))
    for offset, on in enumerate([False, True], 4):
        shown.view.apply(Pinned("m1", "one", at(offset), on, "bob", later))
    assert shown.message().pinned_at == later


def test_reactions_are_in_the_order_of_time_and_counted_also_beyond_those_that_are_listed(shown: Shown) -> None:
    for offset, (user, on) in enumerate([("bob", True), ("ana", True), ("bob", False), ("bob", True)], 2):
        shown.view.apply(reacted(offset, user, on=on))
    assert (shown.message().reactions, shown.message().reaction_counts) == ({"👍": ["ana", "bob"]}, {"👍": 2})
    many = [f"user{number}" for number in range(50)]
    shown.view.add([said(2, reactions={"👍": many}, reaction_counts={"👍": 70})])
    shown.view.apply(reacted(3, "bob", message="m2"))
    assert (shown.message("m2").reactions, shown.message("m2").reaction_counts) == ({"👍": many}, {"👍": 71})
    shown.view.apply(reacted(4, "carol", on=False, message="m2"))
    shown.view.apply(reacted(5, "user0", on=False, message="m2"))
    assert (shown.message("m2").reactions, shown.message("m2").reaction_counts) == ({"👍": many[1:]}, {"👍": 69})


def test_what_is_pending_is_seen_at_once_and_no_more_when_it_is_refused(shown: Shown) -> None:
    edit = Change("c1", "edit", "m1", at(1), "one", content="mine")
    react = Change("c2", "react", "m1", at(1), "one", emoji="👍", on=True)
    shown.drafts += [edit, Draft("c3", "a send", to="bob"), react]
    assert (shown.message().content, shown.message().reactions) == ("mine", {"👍": ["ana"]})
    assert shown.message().pending == (edit, react)
    assert shown.view.messages("one") == [shown.message()]
    shown.drafts.remove(edit)
    assert (shown.message().content, shown.message().pending) == ("as written", (react,))
    assert shown.message().changed == at(1)


def test_what_others_change_shows_through_what_is_pending(shown: Shown) -> None:
    edit = Change("c1", "edit", "m1", at(1), "one", content="mine")
    shown.drafts.append(edit)
    shown.view.apply(reacted(2, "bob"))
    shown.view.apply(edited(3, "from another device"))
    assert (shown.message().content, shown.message().reactions) == ("mine", {"👍": ["bob"]})
    shown.drafts.clear()
    assert shown.message().content == "from another device"
    shown.drafts.append(edit)
    shown.view.apply(Deleted("m1", "one", at(4), "carol", MOMENT))
    assert (shown.message().content, shown.message().deleted, shown.message().pending) == ("", True, ())


def test_a_reply_shows_the_beginning_of_the_original_as_it_is_now(shown: Shown) -> None:
    old = ReplyPreview("m1", "bob", "as written", deleted=False)
    shown.view.add([said(2, reply_to="m1", reply_preview=old), said(3, reply_to="elsewhere")])
    shown.view.apply(edited(4, "x" * 300))
    assert shown.message("m2").reply_preview == ReplyPreview("m1", "bob", "x" * 200, deleted=False)
    shown.view.apply(Deleted("m1", "one", at(5), "bob", MOMENT))
    assert shown.message("m2").reply_preview == ReplyPreview("m1", "bob", "", deleted=True)
    assert shown.message("m3").reply_preview is None


def test_a_quote_follows_its_original_also_of_one_that_is_not_here(shown: Shown) -> None:
    old = ReplyPreview("old", "bob", "first", deleted=False)
    shown.view.add([said(5, reply_to="old", reply_preview=old), said(6)])
    shown.view.apply(edited(7, "x" * 300, "old"))
    assert shown.message("m5").reply_preview == replace(old, content="x" * 200)
    shown.view.apply(Deleted("old", "one", at(8), "bob", MOMENT))
    assert shown.message("m5").reply_preview == replace(old, content="", deleted=True)
    shown.view.apply(edited(7, "told again", "old"))
    assert shown.message("m5").reply_preview == replace(old, content="", deleted=True)
    assert shown.message("m6").reply_preview is None


def test_a_quote_follows_an_original_that_came_whole_also_once_that_is_not_here_any_more() -> None:
    shown = Shown(most=2)
    old = ReplyPreview("m1", "bob", "as written", deleted=False)
    shown.view.add([said(1), said(5, reply_to="m1", reply_preview=old)])
    shown.view.apply(Changed(said(1, changed=at(7), content="", deleted=True)))
    shown.view.add([said(6)])
    assert shown.view.message("m1") is None
    assert shown.message("m5").reply_preview == replace(old, content="", deleted=True)


def test_what_the_server_has_told_of_a_message_of_ones_own_is_not_undone_by_its_late_answer(shown: Shown) -> None:
    mine = said(5, sender="ana", receiver="bob", sent_at="as the server has it", mentions=("carol",))
    shown.view.apply(mine)
    sent = Sent(Draft("c", "as written", to="bob"), "m5", at(5), duplicate=True)
    shown.view.apply(sent)
    assert shown.message("m5") == mine


def test_what_one_sends_is_in_its_conversation_as_soon_as_that_is_known() -> None:
    shown = Shown()
    shown.view.apply(Sent(Draft("c", "hi @bob.", to="bob"), "mine", at(1), duplicate=False))
    shown.view.apply(Sent(Draft("c", "in a group", conversation="two"), "other", at(2), duplicate=False))
    assert (shown.message("mine").conversation, shown.message("mine").mentions) == ("", ("bob",))
    assert shown.view.direct("bob") is None
    shown.view.apply(said(3))
    assert [message.id for message in shown.view.messages("one")] == ["mine", "m3"]
    assert shown.view.direct("bob") == "one"
    assert [message.receiver for message in shown.view.messages("two")] == [None]


def test_the_first_push_of_a_direct_conversation_says_with_whom_it_is_and_takes_what_was_sent_before() -> None:
    shown = Shown()
    shown.view.apply(Sent(Draft("c", "hi", to="bob"), "m1", at(1), duplicate=False))
    assert shown.view.direct("bob") is None
    members = tuple(Member(user, active=True, role=None, version=1) for user in ("ana", "bob"))
    shown.view.apply(Members("group", "group", "Tea", members))
    assert shown.view.direct("bob") is None
    shown.view.apply(Members("one", "direct", None, members))
    assert shown.view.direct("bob") == "one"
    assert [message.content for message in shown.view.messages("one")] == ["hi"]


def test_a_conversation_that_one_has_left_is_forgotten_and_so_are_the_messages_that_came_first() -> None:
    shown = Shown(most=3)
    shown.view.add([said(offset) for offset in range(1, 6)])
    assert [message.id for message in shown.view.messages("one")] == ["m3", "m4", "m5"]
    bob, ana = (Member(name, active=False, role=None, version=2) for name in ("bob", "ana"))
    shown.view.apply(Members("one", "group", None, (bob,)))
    assert len(shown.view.messages("one")) == 3
    shown.view.apply(Members("one", "group", None, (ana,)))
    assert shown.view.messages("one") == []
