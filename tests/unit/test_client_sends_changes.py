"""Changes and marks that the client sends: their frames, their order, and how often."""

import json
from typing import Any

import pytest

from klatsch_client.drafts import Change, Done, Draft, Failed, Marked, Marking, Unsent
from klatsch_client.frames import Accepted, MarkedUpTo, Rejected
from klatsch_client.positions import Position
from klatsch_client.sends import Sends
from klatsch_client.state import State
from klatsch_client.unfinished import Unfinished
from tests.unit.client_sends import due, err, longest, ok

_PLACE = Position(1, 5, 0)


def _started(*drafts: Unsent, window: int | None = None) -> tuple[Sends, Unfinished]:
    unfinished = Unfinished()
    sends = Sends(unfinished.named, window=window, uniform=longest)
    for draft in drafts:
        sends.add(unfinished.add(draft, str), draft)
    return sends, unfinished


def _change(name: str, message: str, **more: Any) -> Change:
    return Change(name, "edit", message, _PLACE, "one", **{"content": name, **more})


def test_changes_and_marks_are_written_as_the_protocol_asks_for() -> None:
    sends, _ = _started(
        _change("c1", "m1", base=Position(1, 7, 0)),
        Change("c2", "delete", "m2", _PLACE, "one"),
        Change("c3", "react", "m3", _PLACE, "one", emoji="👍", on=False),
        Change("c4", "pin", "m4", _PLACE, "", on=True),
        Marking("one", read=Position(1, 9, 0)),
    )
    place = "1:0:5"
    assert [json.loads(text) for text in sends.take_due(0)] == [
        {"id": 1, "op": "edit", "d": {"client_id": "c1", "message": "m1", "position": place, "content": "c1",
                                      "base": "1:0:7"}},
        {"id": 2, "op": "delete", "d": {"client_id": "c2", "message": "m2", "position": place}},
        {"id": 3, "op": "react", "d": {"client_id": "c3", "message": "m3", "position": place, "emoji": "👍",
                                       "on": False}},
        {"id": 4, "op": "pin", "d": {"client_id": "c4", "message": "m4", "position": place, "on": True}},
        {"id": 5, "op": "mark", "d": {"conversation": "one", "read": "1:0:9"}},
    ]  # fmt: skip


def test_changes_of_one_message_wait_for_each_other_so_that_a_new_try_overtakes_none() -> None:
    sends, _ = _started(_change("c1", "m1"), _change("c2", "m1"), _change("c3", "m2"))
    assert due(sends) == [(1, "c1"), (2, "c3")]
    sends.take_answer(err(1, "unknown", temporary=True, after_s=1), 10)
    assert due(sends, 10.5) == []
    assert sends.next_due_s(10.5) == pytest.approx(11.1)
    assert due(sends, 11.1) == [(3, "c1")]
    sends.lose_connection()
    assert due(sends, 12) == [(4, "c1"), (5, "c3")]
    ended = sends.take_answer(ok(4), 12)
    assert ended == (0, Done(_change("c1", "m1"), Position(1, 4, 0), duplicate=False))
    assert due(sends, 12) == [(6, "c2")]


def test_what_the_server_alone_knows_is_in_the_outcome() -> None:
    sends, _ = _started(_change("c1", "m1"))
    sends.take_due(0)
    told = Accepted(1, "c", Position(1, 4, 0), False, ("bob",), "now")
    ended = sends.take_answer(told, 1)
    assert ended == (0, Done(_change("c1", "m1"), Position(1, 4, 0), False, ("bob",), "now"))


def test_a_refusal_says_what_was_edited_meanwhile() -> None:
    sends, _ = _started(_change("c1", "m1"))
    sends.take_due(0)
    refusal = Rejected(1, "conflict", "why", False, None, Position(1, 8, 0))
    assert sends.take_answer(refusal, 0) == (0, Failed(_change("c1", "m1"), "conflict", "why", Position(1, 8, 0)))


def test_an_answer_to_something_else_is_none() -> None:
    sends, _ = _started(Draft("c", "text", to="bob"), Marking("one", read=_PLACE))
    sends.take_due(0)
    assert sends.take_answer(MarkedUpTo(1, None, None), 0) is None
    assert sends.take_answer(ok(2), 0) is None
    assert sends.in_flight == 2


def test_marks_of_a_conversation_are_written_once_a_second_at_most() -> None:
    sends, unfinished = _started(Marking("one", read=_PLACE), Marking("two", read=_PLACE))
    assert len(sends.take_due(10)) == 2
    later = Marking("one", read=Position(1, 6, 0))
    sends.add(unfinished.add(later, str), later)
    assert sends.take_due(10.1) == []
    assert sends.take_answer(MarkedUpTo(1, None, _PLACE), 10.2) == (
        0,
        Marked(Marking("one", read=_PLACE), None, _PLACE),
    )
    assert sends.take_due(11.1) == []
    assert len(sends.take_due(11.2)) == 1
    sends.take_answer(MarkedUpTo(3, None, later.read), 11.3)
    last = Marking("one", read=Position(1, 7, 0))
    sends.add(unfinished.add(last, str), last)
    assert sends.take_due(12.2) == []
    assert len(sends.take_due(12.3)) == 1


def test_a_mark_that_rests_or_is_refused_for_now_holds_up_no_send_in_a_window_of_one() -> None:
    later = Marking("one", read=Position(1, 6, 0))
    sends, unfinished = _started(Marking("one", read=_PLACE), later, Draft("c1", "hi", to="bob"), window=1)
    assert len(sends.take_due(10)) == 1
    sends.take_answer(MarkedUpTo(1, None, _PLACE), 10)
    assert [json.loads(text)["op"] for text in sends.take_due(10)] == ["send"]
    assert sends.next_due_s(10) == 11
    assert [json.loads(text)["op"] for text in sends.take_due(11)] == ["mark"]
    sends.take_answer(err(3, "unavailable", temporary=True, after_s=60), 11)
    sends.take_answer(ok(2), 11)
    last = Draft("c2", "bye", to="bob")
    sends.add(unfinished.add(last, str), last)
    assert [json.loads(text)["op"] for text in sends.take_due(11)] == ["send"]


def test_all_that_is_unfinished_is_saved_and_restored_in_its_order() -> None:
    drafts: list[Unsent] = [
        Draft("c1", "text", to="bob"),
        _change("c2", "m1", base=_PLACE),
        Marking("one", delivered=_PLACE),
        Change("c3", "react", "m1", _PLACE, "", emoji="👍", on=False),
    ]
    state = State()
    state.unfinished = Unfinished(drafts)
    assert list(State.from_json(state.to_json()).unfinished) == drafts
