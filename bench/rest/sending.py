"""Sends a second over REST, to api processes that are started for this: each answer comes when the archive has it."""

import argparse
import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import Final

from bench.archive import count_archived, wait_archived
from bench.client import fresh_name
from bench.meter import LoopWatch, Meter
from bench.options import add_scenario, add_seconds, add_warm_up, asynchronous
from bench.people import BenchPerson, make_people
from bench.percentiles import latency_of
from bench.processes import HOST, UNLIMITED, OwnProcess, running
from bench.report import Report, Result
from bench.rest.http_client import HttpConnection
from bench.settling import warm_up

_KINDS: Final = ("own api", "persister", "kafka", "postgres")


def add_rest(scenarios: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_scenario(scenarios, "rest", "sends a second over REST", __doc__ or "", asynchronous(run))
    add = parser.add_argument
    add("--people", type=int, default=48, help="who send, one request after the other each (default: %(default)s)")
    add("--apis", type=int, default=1, help="api processes (default: %(default)s)")
    add_seconds(parser, 15)
    add_warm_up(parser)


class _Sender:
    """A person who sends to another, one request after the other."""

    def __init__(self, http: HttpConnection, peer: BenchPerson) -> None:
        self._http, self._path = http, f"/api/v1/users/{peer.username}/messages"
        self._number = 0

    async def send_until(self, until: float, statuses: Counter[int], took: list[float]) -> None:
        while time.perf_counter() < until:
            self._number += 1
            began = time.perf_counter()
            body = {"content": "x" * 100, "client_id": fresh_name(self._number)}
            status, _ = await self._http.post(self._path, body)
            statuses[status] += 1
            took.append(time.perf_counter() - began)


async def run(arguments: argparse.Namespace, report: Report) -> None:
    report.begin()
    apis = [OwnProcess("api", UNLIMITED) for _ in range(arguments.apis)]
    people = make_people(2 * arguments.people)
    with running(apis):
        senders = [
            _Sender(await HttpConnection.open(HOST, apis[n % len(apis)].port, people[2 * n].token), people[2 * n + 1])
            for n in range(arguments.people)
        ]
        report.add(await _measure(senders, apis, people, arguments))


async def _measure(
    senders: Sequence[_Sender], apis: Sequence[OwnProcess], people: Sequence[BenchPerson], arguments: argparse.Namespace
) -> Result:
    sent = 0

    async def send(seconds: float) -> tuple[Counter[int], list[float], float]:
        nonlocal sent
        statuses: Counter[int] = Counter()
        took: list[float] = []
        began = time.perf_counter()
        await asyncio.gather(*(sender.send_until(began + seconds, statuses, took) for sender in senders))
        sent += statuses[201] + statuses[202]
        return statuses, took, time.perf_counter() - began

    async def rate(seconds: float) -> float:
        statuses, _, took_s = await send(seconds)
        return statuses.total() / took_s

    warmed = await warm_up(rate, arguments.warm_up)
    usernames = [person.username for person in people]
    await asyncio.to_thread(wait_archived, usernames, sent)
    before = count_archived(usernames)
    meter, watch = Meter(lambda: {api.pid: "own api" for api in apis}, _KINDS), LoopWatch()
    meter.begin()
    watch.begin()
    statuses, took, took_s = await send(arguments.seconds)
    generator = await watch.end()
    await asyncio.to_thread(wait_archived, usernames, sent)
    used = meter.end([generator])
    archived = count_archived(usernames) - before
    return Result(
        f"{len(senders)} people, {len(apis)} api process{'es' if len(apis) > 1 else ''}",
        "send",
        min(archived, statuses[201] + statuses[202]),
        took_s,
        {"archived": archived} | {f"× {status}": count for status, count in sorted(statuses.items())},
        {"answer": latency_of(took)},
        used,
        {"warm-up": warmed},
    )
