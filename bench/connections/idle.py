"""Thousands of connections on one gateway while nobody says anything: memory of each, and CPU of all processes."""

import argparse
from typing import Final

from bench.connections.holding import hold
from bench.connections.listening import Listeners, ListeningPlan
from bench.crew import Crew
from bench.machine import allow_open_files
from bench.options import add_connections, add_scenario, add_seconds
from bench.people import make_people
from bench.processes import HOST, OwnProcess, running
from bench.report import Report

_SPARE_FILES: Final = 300


def add_idle(scenarios: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_scenario(scenarios, "idle", "memory and CPU of connections that are silent", __doc__ or "", run)
    add_connections(parser, 5_000)
    add_seconds(parser, 50, "in which all are idle")


def run(arguments: argparse.Namespace, report: Report) -> None:
    allow_open_files(arguments.connections + _SPARE_FILES)
    report.begin()
    gateway = OwnProcess("gateway")
    people = make_people(arguments.connections)
    with running([gateway]):
        shares = [people[number :: arguments.processes] for number in range(arguments.processes)]
        plans = [ListeningPlan(share, [(HOST, gateway.port)]) for share in shares]
        crew = Crew(plans, Listeners, arguments.connections)
        try:
            report.add(hold(crew, gateway, arguments.connections, arguments.seconds))
        finally:
            crew.end()
