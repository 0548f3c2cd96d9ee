"""`make faults`: hurts a real Klatsch for some minutes by a seed, and says whether anything was lost, doubled or shown
to strangers.
"""

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path

from faults.bugs.catalogue import BUGS, BY_NAME
from faults.bugs.hunt import heading, hunt
from faults.checker import Verdict, check
from faults.evidence import load_evidence
from faults.ledger import read_ledger, recount, shortcomings
from faults.restarts import Restarts
from faults.run import KINDS
from faults.trial import Trial, hold
from klatsch.embedded.data_folder import default_folder
from tests.support.process import ROOT

_LEDGER = "faults-ledger.jsonl"
_MINUTES = 5.0
_BUGS_MINUTES = 0.3
_BUGS_SEED = 1
_NAMES = {
    "run": (0, 0),
    "bugs": (0, len(BUGS)),
    "recount": (0, 1),
    "check": (1, 1),
    "kills": (1, 1),
    "restarts": (2, 2),
}
_KILLS = {1: "kafka killed again", 3: "leader killed again"}
"""The kind of fault that kills a broker half of the times twice, by the number of brokers."""
_SHOWN = 20


def main() -> int:
    arguments = _arguments()
    if arguments.what == "recount":
        return _recount(Path(arguments.names[0]) if arguments.names else _default_ledger())
    if arguments.what == "check":
        return _tell(check(load_evidence(Path(arguments.names[0]))))
    if arguments.what == "restarts":
        return _restart(arguments)
    return _hunt(arguments) if arguments.what == "bugs" else _run(arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument(
        "what", nargs="?", choices=list(_NAMES), default="run",
        help="run (the default); plant all or some bugs, each of which must be found; recount the ledger of that name; "
        "check the evidence in that folder again; kill brokers under load, half of the times twice: KILLS; "
        "restart the broker under readers alone: ROUNDS READERS",
    )  # fmt: skip
    parser.add_argument("names", nargs="*", metavar="name", help="the bugs, the ledger, the folder, or numbers")
    parser.add_argument("--seed", type=int, default=None, help="of the plan; by default a new one, which is printed")
    parser.add_argument(
        "--minutes", type=float, help=f"how long faults come ({_MINUTES:g}; for each bug {_BUGS_MINUTES:g})"
    )
    parser.add_argument("--faults", type=int, default=0, help="at the least, however many minutes they take (0)")
    parser.add_argument("--talks", type=int, default=24, help="conversations of two, beside four groups (24)")
    parser.add_argument("--rate", type=float, default=300.0, help="messages a second, over all (300)")
    parser.add_argument("--ledger", type=Path, default=None, help=f"default: {_LEDGER} in KLATSCH_DATA")
    parser.add_argument("--brokers", type=int, choices=[1, 3], default=1, help="1 (the default) or 3")
    parser.add_argument("--only", help=f"some kinds, separated by commas, of: {', '.join(KINDS)}")
    parser.add_argument("--keep", action="store_true", help="keep the histories and dumps of a run without fault, too")
    arguments = parser.parse_args()
    least, most = _NAMES[arguments.what]
    if not least <= len(arguments.names) <= most:
        parser.error(f"{arguments.what} takes {least} to {most} names")
    if arguments.what == "bugs" and (unknown := set(arguments.names) - BY_NAME.keys()):
        parser.error(f"no such bug: {', '.join(sorted(unknown))}; there are: {', '.join(BY_NAME)}")
    return arguments


def _default_ledger() -> Path:
    return default_folder(ROOT) / _LEDGER


def _run(arguments: argparse.Namespace) -> int:
    kills = int(arguments.names[0]) if arguments.what == "kills" else 0
    only = _KILLS[arguments.brokers] if kills else arguments.only
    trial = Trial(
        seed=random.SystemRandom().randrange(10**6) if arguments.seed is None else arguments.seed,
        minutes=_MINUTES if arguments.minutes is None else arguments.minutes,
        talks=arguments.talks,
        per_second=arguments.rate,
        ledger=arguments.ledger or _default_ledger(),
        only=tuple(only.split(",")) if only else None,
        brokers=arguments.brokers,
        faults=arguments.faults,
        kills=kills,
    )
    folder = Path(tempfile.mkdtemp(prefix="klatsch-faults-"))
    folder.chmod(0o755)
    lasting = f"{kills} kills" if kills else f"{trial.minutes:g} minutes"
    print(f"seed {trial.seed}, {lasting}, ledger {trial.ledger}, in {folder}", flush=True)
    holds = False
    try:
        outcome = hold(trial, folder)
        if kills:
            print(*recount(outcome.lines), sep="\n")
        status, short = _tell(outcome.verdict), outcome.shortcomings
        for sentence in short:
            print(sentence)
        holds = status == 0 and not short
    finally:
        if holds and not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            print(f"All of it is kept in {folder}; check it again with: python -m faults check {folder / 'evidence'}")
    return 0 if holds else 1


def _restart(arguments: argparse.Namespace) -> int:
    rounds, readers = map(int, arguments.names)
    with tempfile.TemporaryDirectory(prefix="klatsch-restarts-", ignore_cleanup_errors=True) as folder:
        return Restarts(Path(folder), readers, arguments.seed or 1, arguments.brokers).run(rounds)


def _hunt(arguments: argparse.Namespace) -> int:
    bugs = [BY_NAME[name] for name in arguments.names] or BUGS
    seed = _BUGS_SEED if arguments.seed is None else arguments.seed
    print(heading(), flush=True)
    count = wrong = 0
    for row, is_right in hunt(bugs, seed, _BUGS_MINUTES if arguments.minutes is None else arguments.minutes):
        print(row, flush=True)
        count += 1
        wrong += not is_right
    print(f"{len(bugs)} bugs, {count} runs, {wrong} of them not as they must be")
    return 1 if wrong else 0


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


if __name__ == "__main__":
    sys.exit(main())
