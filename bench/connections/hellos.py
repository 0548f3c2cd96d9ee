"""People with tens of thousands of conversations connect at once, while a pair sends: how long do its answers take?

Gateway, persister, database and topic are the run's own. The conversations are groups, made by SQL.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from typing import Final

import psycopg

from bench.client import connect
from bench.meter import LoopWatch, Meter
from bench.options import add_scenario, asynchronous
from bench.own_data import own_data
from bench.people import BenchPerson, make_groups, make_people
from bench.percentiles import latency_of
from bench.processes import HOST, UNLIMITED, OwnProcess, running
from bench.report import Report, Result
from bench.signals.talk import Talk

_QUIET_S: Final = 5.0
_PAUSE_S: Final = 1.0
_KINDS: Final = ("own gateway", "kafka", "persister", "postgres")


def add_hellos(scenarios: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_scenario(
        scenarios, "hellos", "people with many conversations connect beside a pair", __doc__ or "", asynchronous(run)
    )
    parser.add_argument("--people", type=int, default=5, help="who connect at once (default: %(default)s)")
    parser.add_argument(
        "--conversations", type=int, default=50_000, help="of each of these people (default: %(default)s)"
    )
    parser.add_argument("--rate", type=float, default=100, help="messages of the pair a second (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of connecting at once (default: %(default)s)")


async def run(arguments: argparse.Namespace, report: Report) -> None:
    report.begin()
    with own_data() as env:
        gateway, persister = OwnProcess("gateway", {**env, **UNLIMITED}), OwnProcess("persister", env)
        crowd, pair = make_people(arguments.people, env), make_people(2, env)
        make_groups(crowd, arguments.conversations, env["DATABASE_URL"])
        with psycopg.connect(env["DATABASE_URL"], autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        with running([gateway, persister]):
            talk = Talk(HOST, gateway.port, (pair[0], pair[1]), arguments.rate)
            try:
                await asyncio.sleep(_PAUSE_S)
                quiet_s = time.monotonic()
                await asyncio.sleep(_QUIET_S)
                begun_s = time.monotonic()
                meter, watch = Meter(lambda: {gateway.pid: "own gateway"}, _KINDS), LoopWatch()
                meter.begin()
                watch.begin()
                spans = [await _connect_at_once(gateway.port, crowd) for _ in range(arguments.rounds)]
                used = meter.end([await watch.end()])
                took_s = time.monotonic() - begun_s
            finally:
                await asyncio.to_thread(talk.end)
    hellos = [one for _, _, times, _ in spans for one in times]
    during = [s for sent, s in talk.answers if any(begun <= sent <= ended for begun, ended, _, _ in spans)]
    report.add(
        Result(
            f"{arguments.people} people with {arguments.conversations:,} conversations each connect at once",
            "hello",
            len(hellos),
            took_s,
            latencies={
                "hello": latency_of(hellos),
                "quiet": latency_of(s for sent, s in talk.answers if quiet_s <= sent < begun_s),
                "beside": latency_of(during),
            },
            used=used,
            refused=[refusal for _, _, _, refusals in spans for refusal in refusals],
        )
    )


async def _connect_at_once(port: int, crowd: Sequence[BenchPerson]) -> tuple[float, float, list[float], list[str]]:
    """Returns when it began and ended, the seconds of each hello, to the mark, and the failures."""
    took: list[float] = []
    failed: list[str] = []
    begun_s = time.monotonic()

    async def one(person: BenchPerson) -> None:
        try:
            socket = await connect(HOST, port, person.token)
        except (OSError, RuntimeError, TimeoutError) as error:
            failed.append(str(error) or type(error).__name__)
        else:
            took.append(time.monotonic() - begun_s)
            socket.transport.close()

    await asyncio.gather(*map(one, crowd))
    ended_s = time.monotonic()
    await asyncio.sleep(_PAUSE_S)
    return begun_s, ended_s, took, failed
