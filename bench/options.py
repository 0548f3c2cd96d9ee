"""Options that scenarios share, each declared once."""

import argparse
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import uvloop

from bench.report import Report

Run = Callable[[argparse.Namespace, Report], None]


def add_scenario(
    scenarios: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, summary: str, about: str, run: Run
) -> argparse.ArgumentParser:
    """Returns the parser of a scenario, with the options that all have."""
    parser = scenarios.add_parser(name, help=summary, description=about)
    parser.add_argument("--host", default="127.0.0.1", help="the running gateway (default: %(default)s)")
    parser.add_argument(
        "--port", type=int, default=int(os.environ.get("KLATSCH_PORT", "8000")), help="(default: %(default)s)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there too")
    parser.set_defaults(run=run)
    return parser


def asynchronous(run: Callable[[argparse.Namespace, Report], Coroutine[Any, Any, None]]) -> Run:
    """Returns a scenario that runs in an event loop."""
    return lambda arguments, report: uvloop.run(run(arguments, report))


def add_seconds(parser: argparse.ArgumentParser, default: float, what: str = "of each measurement") -> None:
    parser.add_argument("--seconds", type=float, default=default, help=f"seconds {what} (default: %(default)s)")


def add_warm_up(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--warm-up",
        type=float,
        default=60,
        metavar="SECONDS",
        help="the longest warm-up; it ends when three rounds differ by at most 5 %% (default: %(default)s)",
    )


def add_connections(parser: argparse.ArgumentParser, *default: int) -> None:
    """Adds the number of connections, several of them for several measurements, and the load generator's processes."""
    several = {"nargs": "+", "default": list(default)} if len(default) > 1 else {"default": default[0]}
    shown = " ".join(map(str, default))
    parser.add_argument("--connections", type=int, help=f"how many (default: {shown})", **several)
    parser.add_argument("--processes", type=int, default=2, help="for the clients (default: %(default)s)")


def add_window(parser: argparse.ArgumentParser, default: int, what: str) -> None:
    parser.add_argument("--window", type=int, default=default, help=f"unanswered {what} of each (default: %(default)s)")
