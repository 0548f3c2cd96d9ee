"""Presence when everybody comes back at once: what a connection is told, and what the sends of others pay for it.

Many people show each other. Their gateway is killed, and they come back to another one that knows nobody, as it uses
another topic of signals: the worst case, as everybody sees everybody come. Meanwhile two people talk at that gateway.
The same is done without signals in turns, so that the cost of the return itself is known.
"""

import argparse
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.cpu import snapshot, used_between
from bench.machine import allow_open_files, describe_machine
from bench.people import BenchPerson, make_people
from bench.signals.circles import make_circles
from bench.signals.crowd import CrowdPlan, Shown, work
from bench.signals.talk import Talk
from bench.storm.figures import at
from bench.storm.gateways import HOST, OwnGateway
from bench.storm.worker import Crew

_MANAGE = Path(__file__).resolve().parents[2] / "manage.py"
_OTHER_TOPIC = "klatsch.signals.bench"
_SERVICES = ("postgres", "kafka")
_SPARE_FILES = 300
_QUIET_S = 10.0
_AFTER_S = 10.0
_RETURN_S = 180.0


def add_signals(scenarios: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    parser = scenarios.add_parser(
        "signals", help="thousands who show each other's presence come back at once", description=__doc__
    )
    add = parser.add_argument
    add("--connections", type=int, default=10_000, help="how many (default: %(default)s)")
    add("--circle", type=int, default=50, help="people who show each other (default: %(default)s)")
    add("--processes", type=int, default=2, help="for the clients (default: %(default)s)")
    add("--jitter", type=float, default=5.0, help="a client waits 0 to so many seconds first (default: %(default)s)")
    add("--rounds", type=int, default=1, help="each without signals, then with them (default: %(default)s)")
    add("--rate", type=float, default=50, help="messages a second beside (default: %(default)s)")
    parser.set_defaults(run=run)
    return parser


@dataclass(slots=True)
class Phase:
    """The seconds of a part of the run, and the answers to sends in it."""

    name: str
    begin_s: float
    end_s: float
    answers_s: list[float]
    cpu_s: dict[str, float]
    """CPU by kind of process; `gateway` is the one that all come back to."""


def run(arguments: argparse.Namespace) -> None:
    """Prints the figures; ends with status 1 where a connection was told more than once a second."""
    allow_open_files(arguments.connections + _SPARE_FILES)
    print(f"machine: {describe_machine()}")
    subprocess.run(
        [sys.executable, str(_MANAGE), "topics", "create"],
        env={**os.environ, "KLATSCH_SIGNALS_TOPIC": _OTHER_TOPIC},
        check=True,
    )
    people = make_people(arguments.connections + 2)
    circles = make_circles(people[2:], arguments.circle)
    told_too_often = 0
    for signals in ("0", "1") * arguments.rounds:
        told_too_often += _return_once(circles, (people[0], people[1]), signals, arguments)
    if told_too_often:
        raise SystemExit(1)


def _return_once(
    circles: Sequence[Sequence[BenchPerson]],
    talkers: tuple[BenchPerson, BenchPerson],
    signals: str,
    arguments: argparse.Namespace,
) -> int:
    first = OwnGateway("a", {"KLATSCH_SIGNALS": signals})
    second = OwnGateway("b", {"KLATSCH_SIGNALS": signals, "KLATSCH_SIGNALS_TOPIC": _OTHER_TOPIC})
    first.start()
    second.start()
    gateways = [(HOST, first.port), (HOST, second.port)]
    shares = [circles[number :: arguments.processes] for number in range(arguments.processes)]
    crew = Crew([CrowdPlan(share, gateways, arguments.jitter) for share in shares], work)
    try:
        crew.ask("open")
        talk = Talk(HOST, second.port, talkers, arguments.rate)
        time.sleep(2)
        quiet = _measure("before", second, lambda: time.sleep(_QUIET_S))
        first.kill()
        left: list[int] = []
        coming = _measure("return", second, lambda: left.extend(crew.ask("come_back", _RETURN_S)))
        after = _measure("after", second, lambda: time.sleep(_AFTER_S))
        talk.end()
        shown: list[Shown] = [one for part in crew.ask("report") for one in part]
    finally:
        crew.end()
        first.end()
        second.end()
    for phase in (quiet, coming, after):
        phase.answers_s = sorted(took for sent, took in talk.answers if phase.begin_s <= sent < phase.end_s)
    print(f"\n{'with' if signals == '1' else 'without'} signals: {len(shown):,} connections, {sum(left)} not back")
    print(f"  tried again: {_again(shown)}")
    _show_phases((quiet, coming, after), talk.refused)
    return _show_told(shown) if signals == "1" else 0


def _measure(name: str, gateway: OwnGateway, act: Callable[[], object]) -> Phase:
    began, cpu, before = time.monotonic(), gateway.cpu_s(), snapshot()
    act()
    used = used_between(before, snapshot())
    shown = {"gateway": gateway.cpu_s() - cpu} | {kind: used[kind] for kind in _SERVICES}
    return Phase(name, began, time.monotonic(), [], shown)


def _show_phases(phases: Sequence[Phase], refused: int) -> None:
    for phase in phases:
        took, answers = phase.end_s - phase.begin_s, phase.answers_s
        figures = ", ".join(f"p{p} {at(answers, p) * 1000:.1f} ms" for p in (50, 90, 99)) if answers else "none"
        sends = f"answers to {len(answers)} sends {figures}"
        cpu = ", ".join(f"{kind} {seconds:.1f} s" for kind, seconds in phase.cpu_s.items())
        print(f"  {phase.name:6} {took:5.1f} s: {sends}\n{'':17}CPU: {cpu}", flush=True)
    if refused:
        print(f"  {refused} sends were refused")


def _again(shown: Sequence[Shown]) -> str:
    refused: Counter[str] = sum((one.refused for one in shown), Counter())
    return ", ".join(f"{count} × {code}" for code, count in refused.most_common()) or "none"


def _show_told(shown: Sequence[Shown]) -> int:
    """Prints what connections were told; returns how many were told more than once in a second."""
    pushes = sorted(len(one.times) for one in shown)
    often = sum(one.is_told_too_often for one in shown)
    waited = sorted(one.answered_s - one.asked_s for one in shown if one.answered_s)
    print(
        f"  pushes of presence to a connection: p50 {at(pushes, 50)}, most {pushes[-1]}; "
        f"{sum(one.names for one in shown):,} names in {sum(pushes):,} pushes\n"
        f"  {often} were told more than once a second (0 wanted)\n"
        f"  `presence` answered after p50 {at(waited, 50):.2f} s, p99 {at(waited, 99):.2f} s"
    )
    return often
