"""The storm of performance.md: everybody loses their gateway at one moment and comes back on another one.

First all connections are held idle, for their memory and CPU. Then most of them talk, beside those who stay idle, until
more has been said than a gateway remembers: what the idle ones come back with is their last mark's token. Everybody
says something, the gateway is killed while that is in flight, and what is said meanwhile is theirs all the same.
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.archive import count_archived, durability
from bench.cpu import snapshot, used_between
from bench.machine import allow_open_files, describe_machine
from bench.people import make_people
from bench.storm.account import settle
from bench.storm.archive import read_archive
from bench.storm.figures import show_account, show_held, show_return, show_statements
from bench.storm.gateways import HOST, OwnGateway
from bench.storm.record import Record
from bench.storm.statements import StatementLog, open_log
from bench.storm.worker import Crew, Plan

_SPARE_FILES = 300  # of a gateway: database, log, listening, libraries
_RECORD_BYTES = 500
"""The size of a record besides its value in a gateway's memory (gateway.feed.recent)."""
_BUSY_PER_SECOND = 2_000
_MARK_S = 27.0
"""Longer than the time between marks: idle clients have a fresh token after it."""
_AFTER_S = 5.0
_DEADLINE_S = 60.0


def add_storm(scenarios: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    parser = scenarios.add_parser(
        "storm", help="thousands of connections lose their gateway and come back on another", description=__doc__
    )
    add = parser.add_argument
    add("--connections", type=int, default=5_000, help="how many, two of each pair (default: %(default)s)")
    add("--idle", type=float, default=10, help="per cent of them that say nothing (default: %(default)s)")
    add("--processes", type=int, default=2, help="for the clients (default: %(default)s)")
    add("--jitter", type=float, default=1.0, help="a client waits 0 to so many seconds first (default: %(default)s)")
    add("--hold", type=float, default=50, help="seconds in which all are idle (default: %(default)s)")
    add("--rate", type=float, default=400, help="messages a second before and after the kill (default: %(default)s)")
    add("--memory", type=int, default=16_777_216, help="KLATSCH_RING_BYTES of both gateways (default: %(default)s)")
    add("--postgres-log", type=Path, help="where PostgreSQL logs to (default: where the embedded one does)")
    parser.set_defaults(run=run)
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Prints the figures; ends with status 1 where a message was lost or shown a second time."""
    pairs = arguments.connections // 2
    allow_open_files(2 * pairs + _SPARE_FILES)
    statements = open_log(arguments.postgres_log)
    print(f"machine: {describe_machine()}\nservers: {durability()}, acks=all")
    people = make_people(2 * pairs)
    usernames = [person.username for person in people]
    with _gateways(statements, arguments.memory) as (first, second):
        both = list(zip(people[::2], people[1::2], strict=True))
        shares = [both[number :: arguments.processes] for number in range(arguments.processes)]
        running = (arguments.host, arguments.port)
        gateways = [(HOST, first.port), (HOST, second.port)]
        crew = Crew(
            [Plan(s, round(len(s) * arguments.idle / 100), running, gateways, arguments.jitter) for s in shares]
        )
        try:
            crew.ask("meet")
            _hold(crew, first, 2 * pairs, arguments.hold)
            _storm(crew, first, second, statements, arguments)
            records = _gather(crew, usernames, arguments.rate / arguments.processes)
        finally:
            crew.end()
    account = settle(records, read_archive(usernames))
    show_account(account, records)
    if account.lost or account.doubled or account.strange:
        raise SystemExit(1)


@contextmanager
def _gateways(statements: StatementLog | str, memory_bytes: int) -> Iterator[tuple[OwnGateway, OwnGateway]]:
    settings = {"KLATSCH_RING_BYTES": str(memory_bytes)}
    first = OwnGateway("a", settings)
    second = OwnGateway(
        "b", settings | ({"DATABASE_URL": statements.url} if isinstance(statements, StatementLog) else {})
    )
    started: list[OwnGateway] = []
    try:
        for gateway in (first, second):
            gateway.start()
            started.append(gateway)
        yield first, second
    finally:
        for gateway in started:
            gateway.end()


def _hold(crew: Crew, gateway: OwnGateway, connections: int, seconds: float) -> None:
    """Opens all connections, and holds them while nobody sends."""
    before_kib, began, cpu = gateway.rss_kib(), time.monotonic(), gateway.cpu_s()
    crew.ask("open")
    opened_s, opening_s = time.monotonic() - began, gateway.cpu_s() - cpu
    began, cpu = time.monotonic(), gateway.cpu_s()
    time.sleep(seconds)
    share = (gateway.cpu_s() - cpu) / (time.monotonic() - began)
    show_held(connections, opened_s, opening_s, (gateway.rss_kib() - before_kib) / connections, share, seconds)


def _storm(
    crew: Crew, first: OwnGateway, second: OwnGateway, statements: StatementLog | str, arguments: argparse.Namespace
) -> None:
    _talk_beside_the_idle(crew, arguments)
    if isinstance(statements, StatementLog):
        statements.begin()
    before, cpu = snapshot(), second.cpu_s()
    crew.ask("burst")
    first.kill()
    killed_at = time.monotonic()
    clients_s = sum(crew.ask("come_back", _DEADLINE_S))
    used = used_between(before, snapshot()) | {"gateway that they came back to": second.cpu_s() - cpu}
    counted = statements.count() if isinstance(statements, StatementLog) else None
    show_return(crew.ask("report"), killed_at, arguments.jitter, used | {"clients": clients_s})
    show_statements(counted, statements, arguments.connections)


def _talk_beside_the_idle(crew: Crew, arguments: argparse.Namespace) -> None:
    """Waits until the clients' first tokens are useless, and then until they have others."""
    memory = arguments.memory / _RECORD_BYTES
    busy_s = 1.2 * memory / _BUSY_PER_SECOND
    said = sum(crew.ask("talk", _BUSY_PER_SECOND / arguments.processes, busy_s))
    said += sum(crew.ask("talk", arguments.rate / arguments.processes, _MARK_S))
    print(
        f"\nbusy log: {said:,} messages in {busy_s + _MARK_S:.0f} s while {arguments.idle:g} % said nothing; a gateway "
        f"here remembers at most {memory:,.0f} (KLATSCH_RING_BYTES={arguments.memory})"
    )


def _gather(crew: Crew, usernames: list[str], rate: float) -> list[Record]:
    """Returns all records once every send has been answered, archived and, as far as possible, shown."""
    crew.ask("say_each")
    crew.ask("talk", rate, _AFTER_S)
    crew.ask("be_answered", _DEADLINE_S)
    records: list[Record] = [record for part in crew.ask("report") for record in part]
    until = time.monotonic() + _DEADLINE_S
    expected = sum(len(record.acknowledged) for record in records)
    count_archived(usernames, expected + len(usernames) // 2)  # each pair's first message with them
    while sum(crew.ask("count_shown")) < expected and time.monotonic() < until:
        time.sleep(0.5)
    return [record for part in crew.ask("report") for record in part]
