"""Measures a running Klatsch: rates, latencies, CPU and memory of what people do, and what others would need for it."""

import argparse
import sys
from typing import Final

from bench.catch_up import add_catch_up
from bench.connections.connecting import add_connect
from bench.connections.fan_out import add_fan_out
from bench.connections.hellos import add_hellos
from bench.connections.idle import add_idle
from bench.layer.scenario import add_layer
from bench.operations.changes import add_changes
from bench.operations.markers import add_markers
from bench.operations.mixed import add_mixed
from bench.pairs.scenario import add_pairs
from bench.report import Report
from bench.rest.history import add_history
from bench.rest.sending import add_rest
from bench.signals.scenario import add_signals
from bench.storm.scenario import add_storm

SCENARIOS: Final = (
    add_pairs,
    add_mixed,
    add_changes,
    add_markers,
    add_fan_out,
    add_idle,
    add_connect,
    add_hellos,
    add_storm,
    add_signals,
    add_rest,
    add_history,
    add_catch_up,
    add_layer,
)


def main() -> None:
    """Runs one scenario; its results are written even if it ends early."""
    arguments = parse(sys.argv[1:])
    report = Report({name: str(value) for name, value in vars(arguments).items() if name not in {"run", "json"}})
    try:
        arguments.run(arguments, report)
    finally:
        if arguments.json is not None:
            report.write(arguments.json)


def parse(given: list[str]) -> argparse.Namespace:
    """Returns the arguments of a scenario, which is `pairs` where none is named."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    scenarios = parser.add_subparsers(dest="scenario", required=True, title="scenarios")
    for add in SCENARIOS:
        add(scenarios)
    if not given or (given[0].startswith("-") and given[0] not in {"-h", "--help"}):
        given = ["pairs", *given]
    return parser.parse_args(given)


if __name__ == "__main__":
    main()
