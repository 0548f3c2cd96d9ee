"""One message to a conversation with thousands of connected members: CPU of a delivery, and when the last one has it.

The next message is sent when all have the one before. The gateways are started for this.
"""

import argparse
import itertools
import time
from collections.abc import Sequence
from typing import Final

from bench.connections.listening import Heard, Listeners, ListeningPlan
from bench.crew import Crew
from bench.machine import allow_open_files
from bench.meter import Meter
from bench.options import add_connections, add_scenario, add_seconds
from bench.people import BenchPerson, make_group, make_people
from bench.percentiles import latency_of
from bench.processes import HOST, UNLIMITED, OwnProcess, running
from bench.report import Report, Result

_SPARE_FILES: Final = 300
_WARM_UP_ROUNDS: Final = 20
_KINDS: Final = ("own gateway", "kafka", "persister", "postgres")


def add_fan_out(scenarios: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_scenario(scenarios, "fan-out", "one message to thousands of connections", __doc__ or "", run)
    add_connections(parser, 1_000, 5_000)
    parser.add_argument("--gateways", type=int, nargs="+", default=[1, 2], help="of each measurement (default: 1 2)")
    add_seconds(parser, 20)


def run(arguments: argparse.Namespace, report: Report) -> None:
    allow_open_files(max(arguments.connections) + _SPARE_FILES)
    report.begin()
    people = make_people(max(arguments.connections) + 1)
    for connections, gateways in itertools.product(arguments.connections, arguments.gateways):
        report.add(_fan_out(people[: connections + 1], gateways, arguments.processes, arguments.seconds))


def _fan_out(people: Sequence[BenchPerson], gateways: int, processes: int, seconds: float) -> Result:
    own = [OwnProcess("gateway", UNLIMITED) for _ in range(gateways)]
    connections = len(people) - 1
    conversation = make_group(people)
    with running(own):
        addresses = [(HOST, gateway.port) for gateway in own]
        writer, listeners = people[0], people[1:]
        plans = [
            ListeningPlan(listeners[number::processes], addresses, None if number else writer)
            for number in range(processes)
        ]
        crew = Crew(plans, Listeners, connections)
        try:
            crew.ask("open")
            for _ in range(_WARM_UP_ROUNDS):
                crew.ask("hear", conversation)
            meter = Meter(lambda: {gateway.pid: "own gateway" for gateway in own}, _KINDS)
            meter.begin()
            crew.begin_watch()
            began, rounds = time.monotonic(), []
            while (passed := time.monotonic() - began) < seconds:
                rounds.append(times_of(crew.ask("hear", conversation)))
            used = meter.end(crew.end_watch())
        finally:
            crew.end()
    return Result(
        f"1 to {connections:,} connections on {gateways} gateway{'s' if gateways > 1 else ''}",
        "delivery",
        sum(len(times) for times in rounds),
        passed,
        {"messages": len(rounds)},
        {
            "delivery": latency_of(time for times in rounds for time in times),
            "last": latency_of(max(times) for times in rounds),
        },
        used,
    )


def times_of(heard: list[Heard]) -> list[float]:
    """Returns the seconds from the one send to each delivery, of all processes."""
    [sent_at] = [one.sent_at for one in heard if one.sent_at is not None]
    return [at_s - sent_at for one in heard for at_s in one.times]
