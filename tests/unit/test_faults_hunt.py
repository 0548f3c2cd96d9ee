"""Judges runs without a bug, on outcomes made by hand."""

import shutil
from pathlib import Path

import pytest

from faults.bugs.catalogue import Bug
from faults.bugs.hunt import Try, hunt
from faults.checker import Verdict
from faults.contradiction import Contradiction
from faults.ledger import FaultLine, RunLine
from faults.trial import Outcome, Trial

BUG = Bug("any", "any bug", only=("gateway killed",), breaks=frozenset({"I1"}))
FAULT = FaultLine(
    run="r", number=1, kind="gateway killed", target="gateway-a", at_s=1.0, lasted_s=3.0, overlaps=None,
    sends_in_flight=4, reconnects_in_flight=0, evidence="pid 7 gone", bit=True, recovered_s=2.0, after_heal_s=0.0,
    limit_s=5.0,
)  # fmt: skip


def hunted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undrained: str) -> list[Try]:
    """Returns the runs without the bug, which ends `undrained`, and with it, which is found."""

    def hold(trial: Trial, _: Path) -> Outcome:
        run = RunLine(
            run="r", seed=1, began="2026-11-24T12:00:00+00:00", commit="abc", seconds=60.0, faults=1, acknowledged=9,
            lost=0, doubled=0, reordered=0, strangers=0, mixed_up=0, seen={}, undrained=undrained,
        )  # fmt: skip
        found = [Contradiction("I1", "lost", "m1 is lost")] if trial.planted else []
        return Outcome(Verdict(9, found), [FAULT, run])

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return list(hunt([BUG], 1, 0.1, hold))


def test_a_run_without_a_bug_that_drained_and_one_that_finds_the_bug_are_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without, planted = hunted(tmp_path, monkeypatch, "")
    assert (without.is_right, planted.is_right) == (True, True)
    assert "WRONG" not in without.row
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_a_bug_that_did_not_drain_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without, planted = hunted(tmp_path, monkeypatch, "3 messages are not archived")
    assert (without.is_right, planted.is_right) == (False, True)
    assert "WRONG: green" in without.row
    assert "3 messages are not archived" in without.row
    [kept] = tmp_path.iterdir()
    assert str(kept) in without.row
    shutil.rmtree(kept)
