"""Runs a trial from its start to its verdict: the servers, the people, the faults, and the end of all of them."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import uvloop

from faults.bugs.catalogue import Bug
from faults.checker import Verdict
from faults.ledger import FaultLine, Line, shortcomings
from faults.run import Run
from faults.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The plan of a run; one seed always gives one plan. `only` names some kinds of faults, or all.

    It has `faults` at the least, however many minutes they take. With `kills` it lasts until so many brokers were
    killed, instead. With a bug, its settings are those of the processes, and where it is `planted` they have it.
    """

    seed: int
    minutes: float
    talks: int
    per_second: float
    ledger: Path
    only: tuple[str, ...] | None = None
    brokers: int = 1
    faults: int = 0
    kills: int = 0
    bug: Bug | None = None
    planted: bool = False


class Outcome(NamedTuple):
    """The checker's verdict, and the ledger's lines."""

    verdict: Verdict
    lines: list[Line]

    @property
    def shortcomings(self) -> list[str]:
        """Returns why the run has failed or proves nothing, besides the verdict."""
        return list(shortcomings(self.lines))

    @property
    def bites(self) -> int:
        """Returns the number of its faults that were felt."""
        return sum(isinstance(line, FaultLine) and line.bit for line in self.lines)


def hold(trial: Trial, folder: Path) -> Outcome:
    """Runs the trial to its end. Everything of it is in `folder`, and no process of it is left."""
    world = World(folder, trial.brokers, trial.bug, planted=trial.planted)
    try:
        world.start_servers()
        return uvloop.run(_go(world, trial))
    finally:
        world.close_servers()


async def _go(world: World, trial: Trial) -> Outcome:
    await world.fill(trial.talks)
    run = Run(world, seed=trial.seed, per_second=trial.per_second, ledger=trial.ledger, commit=_commit())
    try:
        return Outcome(await run.go(trial.minutes * 60, trial.only, least=trial.faults, kills=trial.kills), run.lines)
    finally:
        for proxy in world.proxies:
            proxy.close()
        await world.rest.close()


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip()
