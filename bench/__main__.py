"""Measures a running Klatsch: rates, latencies and CPU of what people do, and thousands who return at once."""

import argparse
import os
import sys

from bench.changes import add_changes
from bench.markers import add_markers
from bench.run_pairs import add_pairs
from bench.signals.scenario import add_signals
from bench.storm.scenario import add_storm


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    scenarios = parser.add_subparsers(dest="scenario", required=True, title="scenarios")
    for add in (add_pairs, add_storm, add_changes, add_markers, add_signals):
        scenario = add(scenarios)
        scenario.add_argument("--host", default="127.0.0.1", help="the running gateway (default: %(default)s)")
        scenario.add_argument(
            "--port", type=int, default=int(os.environ.get("KLATSCH_PORT", "8000")), help="(default: %(default)s)"
        )
    given = sys.argv[1:]
    if not given or (given[0].startswith("-") and given[0] not in {"-h", "--help"}):
        given = ["pairs", *given]
    arguments = parser.parse_args(given)
    arguments.run(arguments)


if __name__ == "__main__":
    main()
