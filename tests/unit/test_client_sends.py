"""What the client sends: window, order, retries, and what no frame can carry."""

import json
import math
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from klatsch_client.drafts import Change, Done, Draft, Failed, Marked, Marking, Outcome, Sent, Unsent
from klatsch_client.errors import Refused
from klatsch_client.frames import Accepted, MarkedUpTo, Rejected
from klatsch_client.positions import Position
from klatsch_client.sends import ANSWER_S, Sends
from klatsch_client.signals import Signals
from klatsch_client.state import State
from klatsch_client.unfinished import Unfinished
from klatsch_client.uuid7 import Uuid7s


def _longest(_low: float, high: float) -> float:
    return high


def _sends(count: int, window: int | None) -> Sends:
    drafts = [Draft(f"c{number}", f"text {number}", to="bob") for number in range(count)]
    sends = Sends(lambda number: drafts[number], window=window, uniform=_longest)
    for number, draft in enumerate(drafts):
        sends.add(number, draft)
    return sends


def _due(sends: Sends, now_s: float = 0) -> list[tuple[int, str]]:
    """The frame ids and client_ids of what is written now."""
    frames = [json.loads(text) for text in sends.take_due(now_s)]
    return [(frame["id"], frame["d"]["client_id"]) for frame in frames]


def _ok(frame: int) -> Accepted:
    return Accepted(frame, f"m{frame}", Position(1, frame, 0), duplicate=False)


def _outcome(ended: tuple[int, Outcome] | None) -> Outcome:
    assert ended is not None
    return ended[1]


def _err(frame: int, code: str, *, temporary: bool, after_s: float | None = None) -> Rejected:
    return Rejected(frame, code, "why", temporary, after_s)


def test_what_is_written_is_what_the_protocol_asks_for() -> None:
    draft = Draft("c", "grüße", conversation="one", reply_to="m")
    sends = Sends(lambda _number: draft)
    sends.add(0, draft)
    body = {"client_id": "c", "content": "grüße", "conversation": "one", "reply_to": "m"}
    assert [json.loads(text) for text in sends.take_due(0)] == [{"id": 1, "op": "send", "d": body}]


def test_at_most_a_window_is_tried_at_once_and_no_more_than_the_server_takes() -> None:
    sends = _sends(9, window=5)
    sends.limited(3, 65_536)
    assert [name for _, name in _due(sends)] == ["c0", "c1", "c2"]
    assert _due(sends) == []
    assert isinstance(_outcome(sends.take_answer(_ok(2), 0)), Sent)
    assert [name for _, name in _due(sends)] == ["c3"]


def test_with_a_window_of_one_each_waits_until_the_one_before_is_final() -> None:
    sends = _sends(2, window=1)
    assert _due(sends) == [(1, "c0")]
    assert sends.take_answer(_err(1, "unknown", temporary=True, after_s=1), 10) is None
    assert _due(sends, 10.9) == []
    assert sends.next_due_s() == pytest.approx(11.1)
    assert _due(sends, 11.1) == [(2, "c0")]
    sends.lose_connection()
    assert _due(sends, 12) == [(3, "c0")]
    outcome = _outcome(sends.take_answer(_err(3, "forbidden", temporary=False), 12))
    assert outcome == Failed(Draft("c0", "text 0", to="bob"), "forbidden", "why")
    assert _due(sends, 12) == [(4, "c1")]


def test_a_lost_connection_makes_all_in_flight_due_again_in_their_order_under_the_same_names() -> None:
    sends = _sends(4, window=None)
    assert len(_due(sends)) == sends.in_flight == 4
    sends.take_answer(_ok(2), 0)
    sends.lose_connection()
    assert sends.in_flight == 0
    assert _due(sends) == [(5, "c0"), (6, "c2"), (7, "c3")]
    assert sends.take_answer(_ok(1), 0) is None, "the answer of a lost connection counts no more"


def test_pauses_between_tries_grow_and_are_bounded_and_come_after_what_the_server_asks() -> None:
    sends = _sends(1, window=None)
    pauses = []
    now_s = 0.0
    for frame in range(1, 9):
        _due(sends, now_s)
        sends.take_answer(_err(frame, "unavailable", temporary=True, after_s=2), now_s)
        due_s = sends.next_due_s()
        assert due_s is not None
        pauses.append(round(due_s - now_s - 2, 6))
        now_s = due_s
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_an_answer_that_does_not_come_in_time_is_overdue() -> None:
    sends = _sends(1, window=None)
    _due(sends, 100)
    assert not sends.is_overdue(100 + ANSWER_S - 0.1)
    assert sends.next_due_s() == 100 + ANSWER_S
    assert sends.is_overdue(100 + ANSWER_S)


def test_what_no_frame_can_carry_is_refused_at_once_and_not_sent() -> None:
    sends = _sends(0, window=None)
    with pytest.raises(Refused) as too_long:
        sends.check(Draft("c", "x" * 65_536, to="bob"))
    with pytest.raises(Refused) as invalid:
        sends.check(Draft("c", "\ud800", to="bob"))
    assert (too_long.value.code, invalid.value.code) == ("too_long", "invalid_content")


def test_the_name_that_a_draft_gets_later_has_room_in_a_frame() -> None:
    names = Uuid7s()
    for size in range(65_300, 65_536):
        unfinished = Unfinished()
        sends = Sends(unfinished.named)
        draft = Draft("", "x" * size, to="bob")
        try:
            sends.check(draft)
        except Refused:
            break
        sends.add(unfinished.add(draft, lambda: names.make(0)), draft)
        [text] = sends.take_due(0)
        assert len(text.encode()) <= 65_536
    else:
        pytest.fail("nothing was too long")


def test_a_draft_is_named_when_it_is_first_written_and_keeps_that_name_through_every_new_try() -> None:
    unfinished, names = Unfinished(), iter(["first", "second"])
    sends = Sends(unfinished.named, window=1, uniform=_longest)
    for text in ("one", "two"):
        draft = Draft("", text, to="bob")
        sends.add(unfinished.add(draft, lambda: next(names)), draft)
    assert [draft.client_id for draft in unfinished] == ["", ""]
    assert _due(sends) == [(1, "first")]
    sends.lose_connection()
    assert _due(sends) == [(2, "first")]
    assert sends.take_answer(_err(2, "unknown", temporary=True), 0) is None
    assert _due(sends, 10) == [(3, "first")]
    outcome = _outcome(sends.take_answer(_ok(3), 10))
    assert isinstance(outcome, Sent)
    assert outcome.draft == Draft("first", "one", to="bob")
    assert [draft.client_id for draft in unfinished] == ["first", ""]
    assert unfinished.finish(0)
    assert not unfinished.finish(0)
    assert _due(sends, 10) == [(4, "second")]


def test_a_draft_that_is_saved_before_it_is_written_is_named_then_and_written_under_that_name() -> None:
    state, names = State(), iter(["first", "second"])
    sends = Sends(state.unfinished.named)
    draft = Draft("", "hi", to="bob")
    sends.add(state.unfinished.add(draft, lambda: next(names)), draft)
    saved = State.from_json(state.to_json())
    assert [draft.client_id for draft in saved.unfinished] == ["first"]
    assert _due(sends) == [(1, "first")]


@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(1, 12))
def test_with_any_failures_each_has_one_outcome_and_a_window_of_one_keeps_the_order(
    seed: int, window: int, count: int
) -> None:
    random = Random(seed)
    sends, now_s = _sends(count, window), 0.0
    logged: list[str] = []
    outcomes: list[str] = []
    waiting: list[tuple[int, str]] = []
    while len(sends):
        waiting += _due(sends, now_s)
        assert len(waiting) <= window
        if not waiting:
            now_s = sends.next_due_s() or 0
            continue
        frame, name = waiting.pop(random.randrange(len(waiting)))
        if name not in logged and random.random() < 1 / 2:
            logged.append(name)
        if random.random() < 1 / 4:  # whether it is in the log or not
            sends.lose_connection()
            waiting.clear()
        elif name in logged:
            outcome: Any = _outcome(sends.take_answer(_ok(frame), now_s))
            outcomes.append(outcome.draft.client_id)
        else:
            assert sends.take_answer(_err(frame, "unknown", temporary=True), now_s) is None
    assert sorted(outcomes) == sorted(logged) == sorted(f"c{number}" for number in range(count))
    assert window > 1 or logged == [f"c{number}" for number in range(count)]


_PLACE = Position(1, 5, 0)


def _started(*drafts: Unsent, window: int | None = None) -> tuple[Sends, Unfinished]:
    unfinished = Unfinished()
    sends = Sends(unfinished.named, window=window, uniform=_longest)
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
    assert _due(sends) == [(1, "c1"), (2, "c3")]
    sends.take_answer(_err(1, "unknown", temporary=True, after_s=1), 10)
    assert _due(sends, 10.5) == []
    assert sends.next_due_s() == pytest.approx(11.1)
    assert _due(sends, 11.1) == [(3, "c1")]
    sends.lose_connection()
    assert _due(sends, 12) == [(4, "c1"), (5, "c3")]
    ended = sends.take_answer(_ok(4), 12)
    assert ended == (0, Done(_change("c1", "m1"), Position(1, 4, 0), duplicate=False))
    assert _due(sends, 12) == [(6, "c2")]


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
    assert sends.take_answer(_ok(2), 0) is None
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


def test_what_holds_for_a_connection_is_said_again_on_the_next_and_typing_is_not() -> None:
    signals = Signals()
    signals.open(["one"])
    signals.watch(["bob", "carol"])
    signals.type("one", 0, on=True)
    asked = [json.loads(text) for text in signals.take_due(0)]
    assert asked == [
        {"id": "open", "op": "open", "d": {"conversations": ["one"]}},
        {"id": "presence", "op": "presence", "d": {"users": ["bob", "carol"]}},
        {"op": "typing", "d": {"conversation": "one", "on": True}},
    ]
    assert signals.take_due(1) == []
    signals.type("one", 2, on=True)
    assert signals.take_due(2) == [], "once in 3 s"
    signals.type("one", 2.1, on=False)
    signals.type("one", 2.2, on=True)
    assert [json.loads(text)["d"]["on"] for text in signals.take_due(3)] == [True]
    signals.type("two", 3, on=True)
    signals.lose_connection()
    assert [json.loads(text) for text in signals.take_due(4)] == asked[:2]


def test_what_cannot_be_shown_now_is_asked_for_again_and_what_never_can_is_not() -> None:
    signals = Signals()
    signals.open(["one"])
    signals.take_due(0)
    late = Rejected("open", "rate_limited", "why", True, 2)
    assert signals.take_answer(late, 10) is None
    assert signals.next_due_s() == 12
    assert len(signals.take_due(12)) == 1
    never = Rejected("open", "bad_request", "why", False, None)
    assert signals.take_answer(never, 13) == never
    assert signals.next_due_s() == math.inf
