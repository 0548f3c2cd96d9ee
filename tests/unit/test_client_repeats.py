"""Marks that were answered a moment before a connection was lost: which of them are sent again, and when."""

import pytest

from klatsch_client.drafts import Marking
from klatsch_client.events import Marker, Member, Members, Reset
from klatsch_client.frames import PushBody
from klatsch_client.positions import Position
from klatsch_client.repeats import Repeats

_READ = Marking("one", read=Position(1, 8, 0))
_ELSEWHERE = Marking("two", read=Position(1, 9, 0))


def _left(user: str, *, active: bool = False) -> Members:
    return Members("one", "group", None, (Member(user, active, None, 2),))


def _flagged(flag: Position | None) -> Marker:
    return Marker("one", "ana", None, None, flag, tells_flag=True)


def _begin() -> Repeats:
    repeats = Repeats()
    repeats.answered(_READ, 100.0)
    repeats.answered(_ELSEWHERE, 130.0)
    return repeats


def test_only_the_marks_of_the_last_minute_are_repeated_and_once() -> None:
    repeats = _begin()
    repeats.lose_connection(160.1)
    assert (repeats.take(), repeats.take()) == ([_ELSEWHERE], [])
    repeats.lose_connection(160.2)
    assert repeats.take() == []


def test_what_was_held_for_a_connection_that_brought_no_replay_is_held_for_the_next() -> None:
    repeats = _begin()
    repeats.lose_connection(140.0)
    repeats.lose_connection(1_000.0)
    assert repeats.take() == [_READ, _ELSEWHERE]


@pytest.mark.parametrize("is_held", [False, True], ids=["before the connection was lost", "since"])
@pytest.mark.parametrize(
    "what", [_flagged(Position(1, 4, 0)), _left("ana"), Reset(("one",), "too_far_behind", "1.0.0:0")]
)
def test_what_a_push_has_overtaken_is_not_repeated(what: PushBody, is_held: bool) -> None:  # noqa: FBT001
    repeats = _begin()
    if is_held:
        repeats.lose_connection(140.0)
    repeats.see(what, "ana")
    if not is_held:
        repeats.lose_connection(140.0)
    assert repeats.take() == [_ELSEWHERE]


@pytest.mark.parametrize(
    "what", [_flagged(None), Marker("one", "bob", Position(1, 9, 0), None), _left("bob"), _left("ana", active=True)]
)
def test_other_pushes_overtake_no_mark(what: PushBody) -> None:
    repeats = _begin()
    repeats.see(what, "ana")
    repeats.lose_connection(140.0)
    assert repeats.take() == [_READ, _ELSEWHERE]
