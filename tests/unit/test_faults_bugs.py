"""The catalogue of planted bugs is one that can be hunted, and a hunt says what was missed."""

import inspect
from pathlib import Path

import pytest

from faults.bugs import planting
from faults.bugs.catalogue import BUGS, Bug
from faults.bugs.hunt import hunt
from faults.checker import Verdict
from faults.contradiction import Contradiction
from faults.run import KINDS
from faults.trial import Outcome, Trial
from tests.unit.test_faults_ledger import FAULT, RUN

BUG = Bug("a_bug", "it shows one twice", ("network cut",), frozenset({"I5"}))
LIKE_IT = Bug("another", "it loses one", ("network cut",), frozenset({"I1"}))
FOUND = Contradiction("I5", "doubled", "shown twice")


def outcome(*contradictions: Contradiction, acknowledged: int = 10) -> Outcome:
    return Outcome(Verdict(acknowledged, list(contradictions)), [FAULT, RUN])


def test_there_are_at_least_twelve_bugs_each_under_faults_that_there_are() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 12
    for bug in BUGS:
        assert set(bug.only) <= KINDS.keys()
        assert bug.breaks <= {"I1", "I2", "I3", "I4", "I5", "I6"}


def test_each_bug_has_its_function_and_each_function_its_bug() -> None:
    functions = {
        name for name, value in vars(planting).items()
        if inspect.isfunction(value) and value.__module__ == planting.__name__ and not name.startswith("_")
    }  # fmt: skip
    assert functions == {bug.name for bug in BUGS}


def test_bugs_that_share_their_faults_share_the_run_without_them() -> None:
    trials: list[Trial] = []

    def hold(trial: Trial, _: Path) -> Outcome:
        trials.append(trial)
        return outcome(FOUND, Contradiction("I1", "lost", "lost one")) if trial.planted else outcome()

    found = list(hunt([BUG, LIKE_IT], 1, 0.1, hold))
    assert [is_right for _, is_right in found] == [True, True, True]
    assert [(trial.bug, trial.planted) for trial in trials] == [(BUG, False), (BUG, True), (LIKE_IT, True)]


@pytest.mark.parametrize(
    ("without", "with_it", "right"),
    [
        (outcome(), outcome(FOUND), [True, True]),
        (outcome(), outcome(), [True, False]),
        (outcome(), outcome(Contradiction("I1", "lost", "something else")), [True, False]),
        (outcome(), outcome(FOUND, acknowledged=0), [True, False]),
        (outcome(FOUND), outcome(FOUND), [False, True]),
        (outcome(acknowledged=0), outcome(FOUND), [False, True]),
        (Outcome(Verdict(10, []), [RUN]), outcome(FOUND), [False, True]),
    ],
)
def test_a_hunt_says_what_was_missed_and_what_was_red_without_a_bug(
    without: Outcome, with_it: Outcome, right: list[bool]
) -> None:
    found = list(hunt([BUG], 1, 0.1, lambda trial, _: with_it if trial.planted else without))
    assert [is_right for _, is_right in found] == right


def test_the_documents_have_each_bug() -> None:
    proof = (Path(__file__).resolve().parents[2] / "docs" / "proof.md").read_text()
    assert [bug.name for bug in BUGS if f"| `{bug.name}` | {bug.what} |" not in proof] == []
