"""Handshakes a second: clients connect with a token, say hello, get their first mark and leave, in a closed loop."""

import argparse
import time
from typing import Final

from bench.connections.listening import Listeners, ListeningPlan
from bench.crew import Crew
from bench.machine import allow_open_files
from bench.meter import Meter
from bench.options import add_scenario, add_seconds
from bench.people import make_people
from bench.percentiles import latency_of
from bench.processes import HOST, OwnProcess, running
from bench.report import Report, Result

_WARM_UP_S: Final = 2.0
_FILES: Final = 1_000
_KINDS: Final = ("own gateway", "kafka", "postgres")


def add_connect(scenarios: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_scenario(scenarios, "connect", "handshakes a second", __doc__ or "", run)
    parser.add_argument("--people", type=int, default=64, help="who connect at the same time (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=2, help="for the clients (default: %(default)s)")
    add_seconds(parser, 10)


def run(arguments: argparse.Namespace, report: Report) -> None:
    allow_open_files(_FILES)
    report.begin()
    gateway = OwnProcess("gateway")
    people = make_people(arguments.people)
    with running([gateway]):
        shares = [people[number :: arguments.processes] for number in range(arguments.processes)]
        crew = Crew([ListeningPlan(share, [(HOST, gateway.port)]) for share in shares], Listeners, _FILES)
        try:
            at_once = max(len(share) for share in shares)
            crew.ask("come_and_go", min(_WARM_UP_S, arguments.seconds), at_once)
            meter = Meter(lambda: {gateway.pid: "own gateway"}, _KINDS)
            meter.begin()
            crew.begin_watch()
            began = time.monotonic()
            done: list[tuple[list[float], list[str]]] = crew.ask("come_and_go", arguments.seconds, at_once)
            took = time.monotonic() - began
            used = meter.end(crew.end_watch())
        finally:
            crew.end()
    times = [seconds for part, _ in done for seconds in part]
    report.add(
        Result(
            f"{arguments.people} at a time connect and leave",
            "handshake",
            len(times),
            took,
            latencies={"connect": latency_of(times)},
            used=used,
            refused=[failure for _, part in done for failure in part],
        )
    )
