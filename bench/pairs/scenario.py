"""Pairs that talk in a closed loop: rate, latencies and CPU by process, of Klatsch and of its peers in turns.

A message counts when it is answered, delivered and, where the system archives, found in the archive afterwards.
"""

import argparse
import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from bench.meter import LoopWatch, Meter
from bench.options import add_scenario, add_seconds, add_warm_up, asynchronous
from bench.pairs.klatsch import Klatsch
from bench.pairs.talk import Pair, Tally, greet, talk
from bench.peers import PEERS
from bench.percentiles import latency_of
from bench.report import Fact, Report, Result
from bench.settling import warm_up
from bench.systems import NotInstalled, OpenPair, System

_WARM_WINDOW: Final = 8
_CALM_PER_SECOND: Final = 100.0
"""Of one pair on an otherwise idle system: slow enough that no message waits for another one."""
_IDLE_S: Final = 2.0
"""The pause before that: a system that gathers under load goes on gathering for up to a second after it."""


def add_pairs(scenarios: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_scenario(
        scenarios, "pairs", "pairs that talk: rate, latencies, CPU (the default)", __doc__ or "", asynchronous(run)
    )
    add = parser.add_argument
    add("--pairs", type=int, default=50, help="pairs of connections (default: %(default)s)")
    add("--window", type=int, nargs="+", default=[32, 8], help="unanswered sends of each pair (default: 32 8)")
    add("--gateways", type=int, default=1, help="gateways that the pairs are spread over; more than that of `make up` "
        "are started, and one without connections: its CPU a message is shown too")  # fmt: skip
    add("--persisters", type=int, default=1, help="persisters; more than that of `make up` are started")
    add("--peers", nargs="*", choices=list(PEERS), metavar="PEER", default=None,
        help=f"measure these beside, with the same work; without names all: {' '.join(PEERS)}")  # fmt: skip
    add("--only-peers", action="store_true", help="leave Klatsch itself out")
    add_seconds(parser, 10, "of each window")
    add_warm_up(parser)


async def run(arguments: argparse.Namespace, report: Report) -> None:
    """Measures each system after the other; a peer that is not installed is named, and left out."""
    report.begin()
    makers: list[Callable[[], System]] = []
    if not arguments.only_peers:
        address = (arguments.host, arguments.port)
        makers.append(lambda: Klatsch(address, arguments.gateways, arguments.persisters))
    if arguments.peers is not None:
        makers += [PEERS[name] for name in arguments.peers or PEERS]
    for make in makers:
        await _measure(make, arguments, report)


async def _measure(make: Callable[[], System], arguments: argparse.Namespace, report: Report) -> None:
    try:
        system = make()
    except NotInstalled as missing:
        print(f"\n{missing}")
        return
    opened: list[OpenPair] = []
    try:
        system.start()
        opened += await system.open_pairs(arguments.pairs)
        print()
        report.tell_settings(system.name, {"keeps": system.keeps, **system.settings()})
        rounds = Rounds(system, await greet(opened), report)
        rounds.warmed = await warm_up(rounds.per_cpu_second, arguments.warm_up)
        best = 0.0
        for window in arguments.window:
            best = max(best, await rounds.show(rounds.pairs, window, arguments.seconds))
        await asyncio.sleep(_IDLE_S)
        await rounds.show(rounds.pairs[:1], 0, arguments.seconds, pace=_CALM_PER_SECOND)
        await rounds.show(rounds.pairs, 0, arguments.seconds, pace=best / 2)
    finally:
        for pair in opened:
            pair.a.transport.abort()
            pair.b.transport.abort()
        system.stop()


class Rounds:
    """The measurements of one system, which know how many of its messages were archived before each."""

    def __init__(self, system: System, pairs: Sequence[Pair], report: Report) -> None:
        self._system, self._report = system, report
        self.pairs = pairs
        self._answered = len(pairs)
        self.warmed = ""

    async def per_cpu_second(self, seconds: float) -> float:
        """Returns the messages for a second of CPU, of a round that is not shown.

        This settles later than the rate: until Java has compiled the broker, which is not what limits the rate.
        """
        tally, meter = self._begin(self.pairs), self._meter()
        meter.begin()
        await talk(self.pairs, _WARM_WINDOW, seconds)
        self._answered += tally.answered
        return tally.answered / max(sum(meter.end().cpu_s.values()), 0.01)

    async def show(self, pairs: Sequence[Pair], window: int, seconds: float, *, pace: float = 0.0) -> float:
        """Reports a round; returns its messages a second."""
        tally, meter, watch = self._begin(pairs), self._meter(), LoopWatch()
        meter.begin()
        watch.begin()
        took = await talk(pairs, window, seconds, pace=pace)
        generator = await watch.end()
        before, self._answered = self._answered, self._answered + tally.answered
        await asyncio.to_thread(self._system.wait_archived, self._answered)
        used = meter.end([generator])
        found = await asyncio.to_thread(self._system.count_archived)
        archived = None if found is None else found - before
        how = f"{pace:,.0f} messages/s wanted" if pace else f"window {window}"
        counts = {"answered": tally.answered, "delivered": tally.delivered}
        result = Result(
            f"{self._system.name}, {len(pairs)} pair{'s' if len(pairs) > 1 else ''}, {how}",
            "message",
            min(tally.answered, tally.delivered, tally.answered if archived is None else archived),
            took,
            counts if archived is None else counts | {"archived": archived},
            {"answer": latency_of(tally.answer_s), "delivery": latency_of(tally.delivery_s)},
            used,
            self._facts(tally, used.cpu_s.pop("bystander", 0.0)),
            tally.refused,
        )
        self._report.add(result)
        return result.per_second

    def _meter(self) -> Meter:
        return Meter(self._system.processes, self._system.kinds)

    def _begin(self, pairs: Sequence[Pair]) -> Tally:
        tally = Tally()
        for pair in pairs:
            pair.forget_times(tally)
        return tally

    def _facts(self, tally: Tally, bystander_s: float) -> dict[str, Fact]:
        facts: dict[str, Fact] = {"warm-up": self.warmed, "out of order (0 wanted)": tally.disordered}
        if bystander_s:
            facts["CPU of a gateway for a record of no interest (µs, at most 3 wanted)"] = round(
                bystander_s / max(tally.answered, 1) * 1e6, 2
            )
        return facts
