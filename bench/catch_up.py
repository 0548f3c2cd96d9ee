"""A persister that catches up: messages are sent while none runs, and then stored as fast as it can.

Rows a second are counted from the first ones in the archive to the last, so that its start is left out.
"""

import argparse
import asyncio
import time
from collections.abc import Mapping
from typing import Final

from bench.archive import PROGRESS, count_archived, read_number, wait_for
from bench.meter import Meter
from bench.options import add_scenario, asynchronous
from bench.own_data import own_data
from bench.pairs.klatsch import Klatsch
from bench.pairs.talk import greet, talk
from bench.processes import HOST, UNLIMITED, OwnProcess, running
from bench.report import Report, Result

_WINDOW: Final = 32
_SENDING_S: Final = 1.0
_KINDS: Final = ("own persister", "postgres", "kafka")
_STORED_S: Final = 600.0


def add_catch_up(scenarios: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_scenario(
        scenarios, "catch-up", "rows a second of a persister behind its log", __doc__ or "", asynchronous(run)
    )
    add = parser.add_argument
    add("--rows", type=int, default=200_000, help="messages to store (default: %(default)s)")
    add("--pairs", type=int, default=50, help="pairs that send them (default: %(default)s)")
    add("--persisters", type=int, default=1, help="that store them (default: %(default)s)")


async def run(arguments: argparse.Namespace, report: Report) -> None:
    report.begin()
    with own_data() as env:
        usernames, sent = await _send(env, arguments.pairs, arguments.rows)
        result = await asyncio.to_thread(_store, env, usernames, sent, arguments.persisters)
        report.add(result)


async def _send(env: Mapping[str, str], count: int, rows: int) -> tuple[list[str], int]:
    """Sends at least so many messages; returns the people, and the number of messages in the log.

    Raises SystemExit when one is refused: the log does not have it.
    """
    gateway = OwnProcess("gateway", {**env, **UNLIMITED})
    with running([gateway]):
        klatsch = Klatsch((HOST, gateway.port), env=env)
        pairs = await greet(await klatsch.open_pairs(count))
        tally = pairs[0].tally
        while tally.answered < rows:
            await talk(pairs, _WINDOW, _SENDING_S)
            tally.check()
        return klatsch.usernames(), tally.answered


def _store(env: Mapping[str, str], usernames: list[str], sent: int, count: int) -> Result:
    url = env["DATABASE_URL"]
    persisters = [OwnProcess("persister", env) for _ in range(count)]
    with running(persisters):
        meter = Meter(lambda: {persister.pid: "own persister" for persister in persisters}, _KINDS)
        first = wait_for(url, PROGRESS, (usernames,), 1)
        meter.begin()
        began = time.monotonic()
        first = read_number(url, PROGRESS, (usernames,))
        wait_for(url, PROGRESS, (usernames,), sent, _STORED_S)
        took = time.monotonic() - began
        used = meter.end()
    archived = count_archived(usernames, url)
    return Result(
        f"{count} persister{'s' if count > 1 else ''} behind a log of {sent:,} messages",
        "row",
        archived - first,
        took,
        {"sent": sent, "archived": archived, "archived before the clock ran": first},
        used=used,
    )
