"""Proves that the checker can fail: a run with each bug, which it must find, and a run without any."""

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from faults.bugs.catalogue import Bug
from faults.trial import Outcome, Trial, hold

_TALKS = 10
_PER_SECOND = 150.0


Hold = Callable[[Trial, Path], Outcome]


def hunt(bugs: Sequence[Bug], seed: int, minutes: float, hold: Hold = hold) -> Iterator[tuple[str, bool]]:
    """A sentence for each run, as it ends, and whether it came out as it must.

    Bugs that share faults and settings share the run without them, which is made once.
    """
    green: set[tuple[object, ...]] = set()
    for bug in bugs:
        config = bug.only, bug.settings, bug.brokers
        if config not in green:
            green.add(config)
            yield _clean(bug, *_timed(hold, bug, seed, minutes, planted=False))
        yield _caught(bug, *_timed(hold, bug, seed, minutes, planted=True))


def _timed(hold: Hold, bug: Bug, seed: int, minutes: float, *, planted: bool) -> tuple[Outcome, float]:
    began = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="klatsch-bug-"))
    folder.chmod(0o755)
    trial = Trial(
        seed=seed, minutes=minutes, talks=_TALKS, per_second=_PER_SECOND, ledger=folder / "ledger.jsonl", only=bug.only,
        brokers=bug.brokers, bug=bug, planted=planted,
    )  # fmt: skip
    outcome = hold(trial, folder)
    shutil.rmtree(folder, ignore_errors=True)
    return outcome, time.monotonic() - began


def _clean(bug: Bug, outcome: Outcome, took: float) -> tuple[str, bool]:
    holds = outcome.verdict.holds and outcome.bites > 0
    said = f"without a bug, under {', '.join(bug.only)}: {_numbers(outcome)} ({took:.0f} s)"
    return f"{'green' if holds else 'NOT GREEN'}  {said}", holds


def _caught(bug: Bug, outcome: Outcome, took: float) -> tuple[str, bool]:
    found = Counter(c.invariant for c in outcome.verdict.contradictions)
    caught = bool(bug.breaks & found.keys()) and outcome.verdict.acknowledged > 0
    named = ", ".join(f"{count} × {invariant}" for invariant, count in sorted(found.items())) or "nothing"
    first = next((str(c) for c in outcome.verdict.contradictions if c.invariant in bug.breaks), "")
    said = f"{bug.name} ({bug.what}): {_numbers(outcome)}: {named} ({took:.0f} s)\n       {first}"
    return f"{'red  ' if caught else 'MISSED'}  {said}", caught


def _numbers(outcome: Outcome) -> str:
    acknowledged, contradictions = outcome.verdict
    return f"{outcome.bites} faults bit, {acknowledged:,} acknowledged, {len(contradictions)} contradictions"
