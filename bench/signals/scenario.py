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

from bench.crew import Crew
from bench.machine import allow_open_files
from bench.meter import Meter, Used
from bench.options import add_connections, add_scenario
from bench.people import BenchPerson, make_group, make_people
from bench.percentiles import at, latency_of
from bench.processes import HOST, OwnProcess, running
from bench.report import Fact, Report, Result
from bench.signals.crowd import Crowd, CrowdPlan, Shown
from bench.signals.talk import Talk

_MANAGE = Path(__file__).resolve().parents[2] / "manage.py"
_OTHER_TOPIC = "klatsch.signals.bench"
_SERVICES = ("postgres", "kafka")
_SPARE_FILES = 300
_QUIET_S = 10.0
_AFTER_S = 10.0
_RETURN_S = 180.0


def add_signals(scenarios: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_scenario(
        scenarios, "signals", "thousands who show each other's presence come back at once", __doc__ or "", run
    )
    add_connections(parser, 10_000)
    add = parser.add_argument
    add("--circle", type=int, default=50, help="people who show each other (default: %(default)s)")
    add("--jitter", type=float, default=5.0, help="a client waits 0 to so many seconds first (default: %(default)s)")
    add("--rounds", type=int, default=1, help="each without signals, then with them (default: %(default)s)")
    add("--rate", type=float, default=50, help="messages a second beside (default: %(default)s)")


@dataclass(slots=True)
class Phase:
    """A part of the run: its times by the clock of the talk, and what it used."""

    name: str
    begin_s: float
    end_s: float
    used: Used


def run(arguments: argparse.Namespace, report: Report) -> None:
    """Ends with status 1 where a connection was told more than once a second, or did not come back."""
    allow_open_files(arguments.connections + _SPARE_FILES)
    report.begin()
    subprocess.run(
        [sys.executable, str(_MANAGE), "topics", "create"],
        env={**os.environ, "KLATSCH_SIGNALS_TOPIC": _OTHER_TOPIC},
        check=True,
    )
    people = make_people(arguments.connections + 2)
    circles = [people[begin : begin + arguments.circle] for begin in range(2, len(people), arguments.circle)]
    for circle in circles:
        make_group(circle)
    failed = 0
    for signals in ("0", "1") * arguments.rounds:
        failed += _return_once(circles, (people[0], people[1]), signals, arguments, report)
    if failed:
        raise SystemExit(1)


def _return_once(
    circles: Sequence[Sequence[BenchPerson]],
    talkers: tuple[BenchPerson, BenchPerson],
    signals: str,
    arguments: argparse.Namespace,
    report: Report,
) -> int:
    """Returns the number of connections that did not come back, and of those that were told too often."""
    first = OwnProcess("gateway", {"KLATSCH_SIGNALS": signals})
    second = OwnProcess("gateway", {"KLATSCH_SIGNALS": signals, "KLATSCH_SIGNALS_TOPIC": _OTHER_TOPIC})
    with running([first, second]):
        gateways = [(HOST, first.port), (HOST, second.port)]
        shares = [circles[number :: arguments.processes] for number in range(arguments.processes)]
        crew = Crew([CrowdPlan(share, gateways, arguments.jitter) for share in shares], Crowd, arguments.connections)
        try:
            crew.ask("open")
            talk = Talk(HOST, second.port, talkers, arguments.rate)
            time.sleep(2)
            phases = [_measure("before", crew, second, lambda: time.sleep(_QUIET_S))]
            first.kill()
            left: list[int] = []
            phases.append(_measure("return", crew, second, lambda: left.extend(crew.ask("come_back", _RETURN_S))))
            phases.append(_measure("after", crew, second, lambda: time.sleep(_AFTER_S)))
            talk.end()
            shown: list[Shown] = [one for part in crew.ask("report") for one in part]
        finally:
            crew.end()
    how = f"{len(shown):,} connections {'with' if signals == '1' else 'without'} signals"
    for phase in phases:
        _show(phase, talk, how, report)
    facts: dict[str, Fact] = {"connections that did not come back (0 wanted)": sum(left), "tried again": _again(shown)}
    often = sum(one.is_told_too_often for one in shown) if signals == "1" else 0
    if signals == "1":
        facts |= _told(shown) | {"told more than once a second (0 wanted)": often}
    report.add(Result(how, "connection", 0, 0.0, facts=facts))
    return sum(left) + often


def _measure(name: str, crew: Crew, gateway: OwnProcess, act: Callable[[], object]) -> Phase:
    """Measures the gateway that all come back to, and the servers; not the gateway of `make up`."""
    meter = Meter(lambda: {gateway.pid: "second gateway"}, ["second gateway", *_SERVICES])
    meter.begin()
    crew.begin_watch()
    began = time.monotonic()
    act()
    ended = time.monotonic()
    return Phase(name, began, ended, meter.end(crew.end_watch()))


def _show(phase: Phase, talk: Talk, how: str, report: Report) -> None:
    answers = [took for sent, took in talk.answers if phase.begin_s <= sent < phase.end_s]
    cpu = ", ".join(f"{kind} {seconds:.1f}" for kind, seconds in phase.used.cpu_s.items())
    report.add(
        Result(
            f"{how}, {phase.name}",
            "send",
            len(answers),
            phase.end_s - phase.begin_s,
            latencies={"answer": latency_of(answers)},
            used=phase.used,
            facts={"CPU seconds": cpu, "refused sends of the whole run": talk.refused},
        )
    )


def _again(shown: Sequence[Shown]) -> str:
    refused: Counter[str] = sum((one.refused for one in shown), Counter())
    return ", ".join(f"{count} × {code}" for code, count in refused.most_common()) or "none"


def _told(shown: Sequence[Shown]) -> dict[str, Fact]:
    """Returns what connections were told of presence."""
    pushes = sorted(len(one.times) for one in shown)
    waited = sorted(one.answered_s - one.asked_s for one in shown if one.answered_s)
    return {
        "pushes of presence to a connection, p50": at(pushes, 50),
        "pushes of presence to a connection, most": pushes[-1],
        "names in all pushes": sum(one.names for one in shown),
        "seconds until `presence` was answered, p50": round(at(waited, 50), 2) if waited else 0.0,
        "seconds until `presence` was answered, p99": round(at(waited, 99), 2) if waited else 0.0,
    }
