"""Shows that each planted bug is found: by a run under faults or a test that must fail, and not without the bug."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from faults.bugs.catalogue import Bug
from faults.trial import Outcome, Trial, hold
from tests.support.process import ROOT

_TALKS = 10
_PER_SECOND = 150.0
_TEST_MOST_S = 900.0
_FAILED = 1
"""The status of pytest when tests ran and some failed; others say that none ran."""
_NAME, _FOUND_BY, _SEED, _TIME = 27, 56, 6, 7

Hold = Callable[[Trial, Path], Outcome]


class Try(NamedTuple):
    """One run with a bug or without any: the rows of the table, and whether it came out as it must."""

    row: str
    is_right: bool


@dataclass(frozen=True, slots=True)
class _Found:
    """The findings of a run. `first` is the contradiction, or the line of the failed test, that counts."""

    is_red: bool
    is_valid: bool
    numbers: str
    first: str
    took_s: float


def heading() -> str:
    return f"{'bug':{_NAME}} {'found by':{_FOUND_BY}} {'seed':>{_SEED}} {'time':>{_TIME}}  outcome"


def hunt(bugs: Sequence[Bug], seed: int, minutes: float, hold: Hold = hold) -> Iterator[Try]:
    """Yields a row for each run, as it ends. Bugs that share faults and settings share the run without a bug."""
    green: set[tuple[object, ...]] = set()
    for bug in bugs:
        config = bug.only, bug.settings, bug.brokers, bug.test
        for planted in (True,) if config in green else (False, True):
            found = _test(bug, seed, planted=planted) if bug.test else _run(hold, bug, seed, minutes, planted=planted)
            yield _row(bug, seed, found, planted=planted)
        green.add(config)


def _run(hold: Hold, bug: Bug, seed: int, minutes: float, *, planted: bool) -> _Found:
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="klatsch-bug-"))
    folder.chmod(0o755)
    trial = Trial(
        seed=seed, minutes=minutes, talks=_TALKS, per_second=_PER_SECOND, ledger=folder / "ledger.jsonl", only=bug.only,
        brokers=bug.brokers, bug=bug, planted=planted,
    )  # fmt: skip
    outcome = hold(trial, folder)
    contradictions = outcome.verdict.contradictions
    counted = Counter(found.invariant for found in contradictions)
    numbers = ", ".join(f"{count} × {invariant}" for invariant, count in sorted(counted.items())) or "nothing"
    first = next((str(found) for found in contradictions if found.invariant in bug.breaks), "")
    is_valid = outcome.verdict.acknowledged > 0 and outcome.bites > 0 and not outcome.shortcomings
    numbers = f"{numbers} in {outcome.verdict.acknowledged:,} messages and {outcome.bites} faults"
    if (contradictions or not is_valid) and not planted:
        numbers = "; ".join([numbers, *outcome.shortcomings, f"all of it is kept in {folder}"])
    else:
        shutil.rmtree(folder, ignore_errors=True)
    is_red = bool(bug.breaks & counted.keys()) if planted else bool(contradictions)
    return _Found(is_red, is_valid or planted, numbers, first, time.monotonic() - began)


def _test(bug: Bug, seed: int, *, planted: bool) -> _Found:
    """Runs the test in a process of its own, with the bug or without."""
    began = time.monotonic()
    plugin = ("-p", "faults.bugs.planted_in_tests", f"--hypothesis-seed={seed}", "-o", f"timeout={_TEST_MOST_S:.0f}")
    planting = {"PLANTED_BUG": bug.name if planted else "", "HYPOTHESIS_PROFILE": "bugs"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--tb=line", *plugin, bug.test], cwd=ROOT, text=True,
        env=os.environ | planting, capture_output=True, check=False,
    )  # fmt: skip
    said = [line for line in done.stdout.splitlines() if line.strip()]
    numbers = said[-1].strip("= ") if said else done.stderr[-200:]
    first = next((line for line in said if "Error" in line), "") if planted else ""
    is_valid = done.returncode in {0, _FAILED}
    return _Found(done.returncode != 0, is_valid, numbers, first, time.monotonic() - began)


def _row(bug: Bug, seed: int, found: _Found, *, planted: bool) -> Try:
    is_right = found.is_valid and found.is_red == planted
    by = bug.test.rpartition("/")[2] if bug.test else f"checker: {', '.join(bug.only)}"
    if bug.brokers > 1:
        by += f", {bug.brokers} brokers"
    colour = "red" if found.is_red else "green"
    said = f"{colour if is_right else f'WRONG: {colour}'}, {found.numbers}"
    row = f"{bug.name if planted else '(none)':{_NAME}} {by:{_FOUND_BY}} {seed:{_SEED}} {found.took_s:{_TIME - 2}.0f} s"
    first = f"\n    {found.first}" if found.first else ""
    return Try(f"{row}  {said}{first}", is_right)
