"""The pairs scenario: prints rate, latencies and CPU by process of pairs that talk."""

import argparse
import asyncio
import statistics
import sys

import uvloop

from bench.archive import count_archived, durability
from bench.cpu import KINDS, snapshot, used_between
from bench.machine import describe_machine
from bench.pairs import Pair, Tally, open_pairs, run_pairs
from bench.people import BenchPerson, make_people


def add_pairs(scenarios: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    parser = scenarios.add_parser("pairs", help="pairs that talk: rate, latencies, CPU (the default)")
    parser.add_argument("--pairs", type=int, default=50, help="pairs of connections (default: %(default)s)")
    parser.add_argument(
        "--window", type=int, nargs="+", default=[32, 8], help="unanswered sends of each pair (default: 32 8)"
    )
    parser.add_argument("--seconds", type=float, default=10, help="how long each window is sent (default: %(default)s)")
    parser.set_defaults(run=lambda arguments: uvloop.run(_run(arguments)))
    return parser


async def _run(arguments: argparse.Namespace) -> None:
    print(f"machine: {describe_machine()}\nservers: {durability()}, acks=all")
    people = make_people(arguments.pairs * 2)
    tally = Tally()
    pairs = await open_pairs(arguments.host, arguments.port, people, tally)
    expected = len(pairs)
    # The first round is not shown: it warms the broker's and the database's caches, and Java's compiler.
    expected += await _round(pairs, people, 4, arguments.seconds / 2, expected, shown=False)
    for window in arguments.window:
        expected += await _round(pairs, people, window, arguments.seconds, expected, shown=True)
    await _round(pairs[:1], people, 1, arguments.seconds / 2, expected, shown=True)


async def _round(
    pairs: list[Pair], people: list[BenchPerson], window: int, seconds: float, before: int, *, shown: bool
) -> int:
    tally = Tally()
    for pair in pairs:
        pair.tally = tally
    before_cpu = snapshot()
    took = await run_pairs(pairs, window, seconds)
    archived = await asyncio.to_thread(count_archived, [p.username for p in people], before + tally.answered) - before
    used = used_between(before_cpu, snapshot())
    if shown:
        _show(len(pairs), window, took, tally, archived, used)
    return tally.answered


def _show(pairs: int, window: int, took: float, tally: Tally, archived: int, used: dict[str, float]) -> None:
    counted = min(tally.answered, tally.delivered, archived)
    print(
        f"\n{pairs} pairs, window {window}: {counted / took:,.0f} messages/s "
        f"({tally.answered} answered, {tally.delivered} delivered, {archived} archived in {took:.1f} s)"
    )
    for name, values in (("answer", tally.answer_s), ("delivery", tally.delivery_s)):
        if len(values) > 1:
            cuts = statistics.quantiles(values, n=100)
            print(f"  {name:8} p50 {cuts[49] * 1000:.1f} ms, p99 {cuts[98] * 1000:.1f} ms")
    total = sum(used.values())
    parts = ", ".join(f"{kind} {used[kind] / max(counted, 1) * 1e6:.0f}" for kind in KINDS if used[kind])
    print(f"  CPU {total / max(counted, 1) * 1e6:.0f} µs a message: {parts}")
    if tally.errors:
        print(f"  {len(tally.errors)} sends were refused, the first: {tally.errors[0]}", file=sys.stderr)
