"""The checker of histories turns red on each contradiction, and is silent where there is none."""

from typing import Any

import pytest

from tests.e2e.client import Attempt
from tests.e2e.histories import Row, Told, contradictions


def a_row(number: int, **changed: Any) -> Row:
    row = Row(f"id-{number}", f"client-{number}", f"text {number}", f"1:3:{number * 10}", number)
    return row._replace(**changed)


def an_attempt(number: int, *, duplicate: bool = False, **changed: Any) -> Attempt:
    ok = {"id": f"id-{number}", "position": f"1:3:{number * 10}", "duplicate": duplicate, **changed}
    return Attempt(f"client-{number}", f"text {number}", number, {"re": number, "ok": ok}, number + 0.5)


def a_push(number: int, **changed: Any) -> dict[str, Any]:
    return {"id": f"id-{number}", "position": f"1:3:{number * 10}", "content": f"text {number}", **changed}


ROWS = [a_row(1), a_row(2), a_row(3)]
SENDER = Told([an_attempt(1), an_attempt(2)], [a_push(3)])
RECEIVER = Told([], [a_push(1), a_push(2), a_push(3)])


def test_a_sender_and_a_receiver_who_were_told_all_contradict_nothing() -> None:
    assert list(contradictions(ROWS, [SENDER, RECEIVER])) == []


def test_an_answer_that_nobody_got_contradicts_nothing() -> None:
    unanswered = Attempt("client-9", "text 9", 9)
    assert list(contradictions(ROWS, [Told([*SENDER.attempts, unanswered], SENDER.pushed)])) == []


@pytest.mark.parametrize(
    ("rows", "told", "sentence"),
    [
        ([a_row(1), a_row(2, id="id-1"), a_row(3)], [], "a id is archived twice"),
        ([a_row(1), a_row(2, position="1:3:10"), a_row(3)], [], "a position is archived twice"),
        ([a_row(1), a_row(2), a_row(3, seq=4)], [], "the numbers are not dense"),
        (ROWS, [Told([an_attempt(4)], RECEIVER.pushed)], "acknowledged and not archived"),
        (ROWS, [Told([an_attempt(1, position="1:3:11")], RECEIVER.pushed)], "acknowledged as something else"),
        (ROWS, [Told([], [*RECEIVER.pushed, a_push(4)])], "shown and not archived"),
        (ROWS, [Told([], [a_push(1), a_push(2, content="other"), a_push(3)])], "shown as something else"),
        (ROWS, [Told([], [a_push(1), a_push(3), a_push(2)])], "shown twice or out of order"),
        (ROWS, [Told([], [a_push(1), a_push(1), a_push(2), a_push(3)])], "shown twice or out of order"),
        (ROWS, [Told([], [a_push(1), a_push(3)])], "never told of"),
        ([a_row(2), a_row(1)], [Told([an_attempt(1), an_attempt(2, position="1:3:5")], [])], "acknowledged before"),
    ],
)
def test_each_contradiction_is_found(rows: list[Row], told: list[Told], sentence: str) -> None:
    assert any(found.startswith(sentence) for found in contradictions(rows, told))
