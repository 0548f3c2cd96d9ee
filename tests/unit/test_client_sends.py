"""Messages that the client sends: window, order, names, retries, and what no frame can carry."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from klatsch_client.drafts import Draft, Failed, Sent
from klatsch_client.errors import Refused
from klatsch_client.sends import ANSWER_S, Sends
from klatsch_client.state import State
from klatsch_client.unfinished import Unfinished
from klatsch_client.uuid7 import Uuid7s
from tests.unit.client_sends import due, err, longest, ok, outcome_of


def _sends(count: int, window: int | None) -> Sends:
    drafts = [Draft(f"c{number}", f"text {number}", to="bob") for number in range(count)]
    sends = Sends(lambda number: drafts[number], window=window, uniform=longest)
    for number, draft in enumerate(drafts):
        sends.add(number, draft)
    return sends


def test_what_is_written_is_what_the_protocol_asks_for() -> None:
    draft = Draft("c", "grüße", conversation="one", reply_to="m")
    sends = Sends(lambda _number: draft)
    sends.add(0, draft)
    body = {"client_id": "c", "content": "grüße", "conversation": "one", "reply_to": "m"}
    assert [json.loads(text) for text in sends.take_due(0)] == [{"id": 1, "op": "send", "d": body}]


def test_at_most_a_window_is_tried_at_once_and_no_more_than_the_server_takes() -> None:
    sends = _sends(9, window=5)
    sends.limited(3, 65_536)
    assert [name for _, name in due(sends)] == ["c0", "c1", "c2"]
    assert due(sends) == []
    assert isinstance(outcome_of(sends.take_answer(ok(2), 0)), Sent)
    assert [name for _, name in due(sends)] == ["c3"]


def test_with_a_window_of_one_each_waits_until_the_one_before_is_final() -> None:
    sends = _sends(2, window=1)
    assert due(sends) == [(1, "c0")]
    assert sends.take_answer(err(1, "unknown", temporary=True, after_s=1), 10) is None
    assert due(sends, 10.9) == []
    assert sends.next_due_s(10.9) == pytest.approx(11.1)
    assert due(sends, 11.1) == [(2, "c0")]
    sends.lose_connection()
    assert due(sends, 12) == [(3, "c0")]
    outcome = outcome_of(sends.take_answer(err(3, "forbidden", temporary=False), 12))
    assert outcome == Failed(Draft("c0", "text 0", to="bob"), "forbidden", "why")
    assert due(sends, 12) == [(4, "c1")]


def test_a_lost_connection_makes_all_in_flight_due_again_in_their_order_under_the_same_names() -> None:
    sends = _sends(4, window=None)
    assert len(due(sends)) == sends.in_flight == 4
    sends.take_answer(ok(2), 0)
    sends.lose_connection()
    assert sends.in_flight == 0
    assert due(sends) == [(5, "c0"), (6, "c2"), (7, "c3")]
    assert sends.take_answer(ok(1), 0) is None, "the answer of a lost connection counts no more"


def test_pauses_between_tries_grow_and_are_bounded_and_come_after_what_the_server_asks() -> None:
    sends = _sends(1, window=None)
    pauses = []
    now_s = 0.0
    for frame in range(1, 9):
        due(sends, now_s)
        sends.take_answer(err(frame, "unavailable", temporary=True, after_s=2), now_s)
        due_s = sends.next_due_s(now_s)
        assert due_s is not None
        pauses.append(round(due_s - now_s - 2, 6))
        now_s = due_s
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_an_answer_that_does_not_come_in_time_is_overdue() -> None:
    sends = _sends(1, window=None)
    due(sends, 100)
    assert not sends.is_overdue(100 + ANSWER_S - 0.1)
    assert sends.next_due_s(100) == 100 + ANSWER_S
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
    sends = Sends(unfinished.named, window=1, uniform=longest)
    for text in ("one", "two"):
        draft = Draft("", text, to="bob")
        sends.add(unfinished.add(draft, lambda: next(names)), draft)
    assert [draft.client_id for draft in unfinished] == ["", ""]
    assert due(sends) == [(1, "first")]
    sends.lose_connection()
    assert due(sends) == [(2, "first")]
    assert sends.take_answer(err(2, "unknown", temporary=True), 0) is None
    assert due(sends, 10) == [(3, "first")]
    outcome = outcome_of(sends.take_answer(ok(3), 10))
    assert isinstance(outcome, Sent)
    assert outcome.draft == Draft("first", "one", to="bob")
    assert [draft.client_id for draft in unfinished] == ["first", ""]
    assert unfinished.finish(0)
    assert not unfinished.finish(0)
    assert due(sends, 10) == [(4, "second")]


def test_a_draft_that_is_saved_before_it_is_written_is_named_then_and_written_under_that_name() -> None:
    state, names = State(), iter(["first", "second"])
    sends = Sends(state.unfinished.named)
    draft = Draft("", "hi", to="bob")
    sends.add(state.unfinished.add(draft, lambda: next(names)), draft)
    saved = State.from_json(state.to_json())
    assert [draft.client_id for draft in saved.unfinished] == ["first"]
    assert due(sends) == [(1, "first")]


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
        waiting += due(sends, now_s)
        assert len(waiting) <= window
        if not waiting:
            now_s = sends.next_due_s(now_s) or 0
            continue
        frame, name = waiting.pop(random.randrange(len(waiting)))
        if name not in logged and random.random() < 1 / 2:
            logged.append(name)
        if random.random() < 1 / 4:  # whether it is in the log or not
            sends.lose_connection()
            waiting.clear()
        elif name in logged:
            outcome: Any = outcome_of(sends.take_answer(ok(frame), now_s))
            outcomes.append(outcome.draft.client_id)
        else:
            assert sends.take_answer(err(frame, "unknown", temporary=True), now_s) is None
    assert sorted(outcomes) == sorted(logged) == sorted(f"c{number}" for number in range(count))
    assert window > 1 or logged == [f"c{number}" for number in range(count)]
