"""`make faults`: hurts a real Klatsch for some minutes by a seed, and says whether anything was lost, doubled or shown
to strangers.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import uvloop

from faults.checker import Verdict, check
from faults.evidence import load_evidence
from faults.ledger import read_ledger, recount, shortcomings
from faults.run import KINDS, Run
from faults.world import World

_LEDGER = "faults-ledger.jsonl"
_SHOWN = 20


def main() -> int:
    arguments = _arguments()
    if arguments.what == "recount":
        return _recount(Path(arguments.path or _default_ledger()))
    if arguments.what == "check":
        return _tell(check(load_evidence(Path(arguments.path))))
    return _run(arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument(
        "what", nargs="?", choices=["run", "recount", "check"], default="run",
        help="run (the default); recount the ledger PATH; check the evidence in the folder PATH again",
    )  # fmt: skip
    parser.add_argument("path", nargs="?", help="the ledger, or the folder")
    parser.add_argument("--seed", type=int, default=None, help="of the plan; by default a new one, which is printed")
    parser.add_argument("--minutes", type=float, default=5.0, help="how long faults come (5)")
    parser.add_argument("--talks", type=int, default=24, help="conversations of two, beside four groups (24)")
    parser.add_argument("--rate", type=float, default=300.0, help="messages a second, over all (300)")
    parser.add_argument("--ledger", type=Path, default=None, help=f"default: {_LEDGER} in KLATSCH_DATA")
    parser.add_argument("--only", help=f"some kinds, separated by commas, of: {', '.join(KINDS)}")
    parser.add_argument("--keep", action="store_true", help="keep the histories and dumps of a run without fault, too")
    return parser.parse_args()


def _default_ledger() -> Path:
    return Path(os.environ.get("KLATSCH_DATA") or ".klatsch") / _LEDGER


def _run(arguments: argparse.Namespace) -> int:
    seed = random.SystemRandom().randrange(10**6) if arguments.seed is None else arguments.seed
    ledger = arguments.ledger or _default_ledger()
    folder = Path(tempfile.mkdtemp(prefix="klatsch-faults-"))
    folder.chmod(0o755)
    print(f"seed {seed}, {arguments.minutes:g} minutes, ledger {ledger}, in {folder}", flush=True)
    world = World(folder)
    holds = False
    try:
        world.start_servers()
        verdict, short = uvloop.run(_go(world, arguments, seed, ledger))
        status = _tell(verdict)
        for sentence in short:
            print(sentence)
        holds = status == 0 and not short
    finally:
        world.close_servers()
        if holds and not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"All of it is kept in {folder}; check it again with: python -m faults check {folder / 'evidence'}")
    return 0 if holds else 1


async def _go(world: World, arguments: argparse.Namespace, seed: int, ledger: Path) -> tuple[Verdict, list[str]]:
    await world.fill(arguments.talks)
    run = Run(world, seed=seed, per_second=arguments.rate, ledger=ledger, commit=_commit())
    try:
        verdict = await run.go(arguments.minutes * 60, arguments.only)
    finally:
        for proxy in world.proxies:
            proxy.close()
        await world.rest.close()
    return verdict, list(shortcomings(run.lines))


def _tell(verdict: Verdict) -> int:
    for found in verdict.contradictions[:_SHOWN]:
        print(found)
    if len(verdict.contradictions) > _SHOWN:
        print(f"and {len(verdict.contradictions) - _SHOWN} more")
    print(f"{verdict.acknowledged:,} messages acknowledged, {len(verdict.contradictions)} contradictions")
    return 0 if verdict.holds else 1


def _recount(ledger: Path) -> int:
    lines = read_ledger(ledger)
    for said in recount(lines):
        print(said)
    found = list(shortcomings(lines))
    for sentence in found:
        print(sentence)
    return 1 if found or not lines else 0


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
