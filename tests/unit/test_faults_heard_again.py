"""The checker finds a person who stays refused after being added again, unblocked or made an admin again."""

from dataclasses import dataclass
from uuid import UUID

import pytest
from msgspec import structs

from faults.checker import check
from faults.evidence import About, Evidence
from faults.folding import PINNED
from faults.heard_again import BACK_S, heard_again
from faults.history import (
    Answered,
    Blocked,
    Blocking,
    Changed,
    Changing,
    Event,
    Invoked,
    Refused,
    RoleChanged,
    RoleChanging,
    Wanted,
)

ANA, BOB, ROOM, ELSEWHERE = (str(UUID(int=number)) for number in range(1, 5))
PEOPLE = {"ana": ANA, "bob": BOB}
OUT, BACK = 10.0, 20.0
"""When Bob is shut out, and when the request that undoes it is answered; it was made half a second before."""


@dataclass(frozen=True)
class Kind:
    """A way to shut Bob out: what the one who does it notes, and the code of what is refused."""

    turns: tuple[Event, ...]
    code: str
    of_pins: bool = False


KINDS = {
    "added again": Kind(
        (
            Changing(OUT - 0.5, ROOM, BOB, active=False), Changed(OUT, ROOM, BOB, active=False),
            Changing(BACK - 0.5, ROOM, BOB, active=True), Changed(BACK, ROOM, BOB, active=True),
        ),
        "not_a_member",
    ),
    "unblocked": Kind(
        (
            Blocking(OUT - 0.5, ROOM, BOB, on=True), Blocked(OUT, ROOM, BOB, on=True),
            Blocking(BACK - 0.5, ROOM, BOB, on=False), Blocked(BACK, ROOM, BOB, on=False),
        ),
        "blocked",
    ),
    "made an admin again": Kind(
        (
            RoleChanging(OUT - 0.5, ROOM, BOB, "member"), RoleChanged(OUT, ROOM, BOB, "member"),
            RoleChanging(BACK - 0.5, ROOM, BOB, "admin"), RoleChanged(BACK, ROOM, BOB, "admin"),
        ),
        "forbidden",
        of_pins=True,
    ),
}  # fmt: skip


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


def tries(kind: Kind, at: float, conversation: str = ROOM) -> Event:
    name = f"try at {at}"
    if kind.of_pins:
        return Wanted(at, 1, name, conversation, "message", PINNED, "on")
    return Invoked(at, 1, name, conversation, "hash")


def refused(kind: Kind, at: float, conversation: str = ROOM) -> list[Event]:
    return [tries(kind, at, conversation), Refused(at + 0.1, 1, f"try at {at}", kind.code, temporary=False)]


def accepted(kind: Kind, at: float, conversation: str = ROOM) -> list[Event]:
    answer = Answered(at + 0.1, 1, f"try at {at}", f"id at {at}", "1:0:7", duplicate=False)
    return [tries(kind, at, conversation), answer]


def found(
    kind: Kind, bobs: list[Event], *, turns: tuple[Event, ...] = (), faults: tuple[tuple[float, float, float], ...] = ()
) -> int:
    histories = {"ana#0": [*kind.turns, *turns], "bob#0": bobs}
    return len(list(heard_again(histories, About(1, PEOPLE, faults=list(faults)))))


def test_a_person_who_stays_refused_is_found(kind: Kind) -> None:
    assert found(kind, [*refused(kind, 12), *refused(kind, 21), *refused(kind, 30)]) == 1


def test_the_whole_checker_tells_of_a_person_who_stays_refused(kind: Kind) -> None:
    histories: dict[str, list[Event]] = {"ana#0": [*kind.turns], "bob#0": refused(kind, 21)}
    verdict = check(Evidence(About(1, PEOPLE), [], [], histories))
    assert [(one.invariant, one.what) for one in verdict.contradictions] == [("I7", "mixed up")]
    assert f"bob#0: still refused in {ROOM}" in verdict.contradictions[0].sentence


def test_a_person_who_is_heard_after_a_first_refusal_is_not(kind: Kind) -> None:
    assert found(kind, [*refused(kind, 12), *refused(kind, 20.2), *accepted(kind, BACK + BACK_S - 0.2)]) == 0


def test_a_person_who_is_heard_too_late_is_found(kind: Kind) -> None:
    assert found(kind, [*refused(kind, 21), *accepted(kind, BACK + BACK_S)]) == 1


def test_being_heard_elsewhere_is_not_enough(kind: Kind) -> None:
    assert found(kind, [*refused(kind, 21), *accepted(kind, 22, ELSEWHERE)]) == 1


def test_what_was_sent_before_the_answer_counts_for_nothing(kind: Kind) -> None:
    assert found(kind, [tries(kind, 19.9), *refused(kind, 21), *accepted(kind, 19.9)[1:]]) == 1


def test_a_refusal_while_shut_out_says_nothing_of_the_time_after(kind: Kind) -> None:
    assert found(kind, [*refused(kind, 12), *refused(kind, 19)]) == 0


def test_another_fault_puts_the_bound_off_until_it_must_be_recovered_from(kind: Kind) -> None:
    own, bobs = (9.5, BACK, BACK_S), [*refused(kind, 21), *accepted(kind, 34)]
    assert found(kind, bobs, faults=(own, (22.0, 24.0, 12.0))) == 0
    assert found(kind, bobs, faults=(own, (22.0, 24.0, 9.0))) == 1
    assert found(kind, bobs, faults=(own, (25.5, 30.0, 12.0))) == 1


def test_faults_that_begin_after_the_bound_do_not_put_it_off_one_after_the_other(kind: Kind) -> None:
    faults = tuple((began, began + 2.0, 5.0) for began in (22.0, 28.0, 34.0, 40.0))
    assert found(kind, [*refused(kind, 21), *accepted(kind, 45)], faults=faults) == 1


def test_a_person_who_is_shut_out_again_before_the_bound_ends_is_not_found(kind: Kind) -> None:
    again = tuple(structs.replace(turn, at=turn.at + 12) for turn in kind.turns[:2])
    assert found(kind, refused(kind, 20.5), turns=again) == 0
    assert found(kind, [*refused(kind, 20.5), *refused(kind, 30)]) == 1


def test_another_refusal_is_none_of_the_faults(kind: Kind) -> None:
    other = Refused(21.1, 1, "try at 21", "gone", temporary=False)
    assert found(kind, [tries(kind, 21), other]) == 0
