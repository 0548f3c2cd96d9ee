"""Measures a storm: everybody loses their gateway at one moment and comes back on another one.

First all connections are held idle, for their memory and CPU. Then most of them talk, beside those who stay idle, until
more has been said than a gateway remembers: what the idle ones come back with is their last mark's token. Everybody
says something, the gateway is killed while that is in flight, and what is said meanwhile is theirs all the same.
"""

import argparse
import time
from pathlib import Path

from bench.archive import wait_archived
from bench.connections.holding import hold
from bench.crew import Crew
from bench.machine import allow_open_files
from bench.meter import Meter
from bench.options import add_connections, add_scenario
from bench.people import make_people
from bench.processes import HOST, OwnProcess, running
from bench.report import Report
from bench.storm.account import settle
from bench.storm.archive import read_archive
from bench.storm.figures import tell_account, tell_return, tell_statements
from bench.storm.record import Record
from bench.storm.statements import StatementLog, open_log
from bench.storm.worker import Plan, Worker

_SPARE_FILES = 300  # of a gateway: database, log, listening, libraries
_RECORD_BYTES = 500
"""The size of a record besides its value in a gateway's memory (gateway.feed.recent)."""
_BUSY_PER_SECOND = 2_000
_MARK_S = 27.0
"""Longer than the time between marks: idle clients have a fresh token after it."""
_AFTER_S = 5.0
_DEADLINE_S = 60.0


def add_storm(scenarios: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_scenario(
        scenarios, "storm", "thousands of connections lose their gateway and come back on another", __doc__ or "", run
    )
    add_connections(parser, 5_000)
    add = parser.add_argument
    add("--idle", type=float, default=10, help="per cent of them that say nothing (default: %(default)s)")
    add("--jitter", type=float, default=1.0, help="a client waits 0 to so many seconds first (default: %(default)s)")
    add("--hold", type=float, default=50, help="seconds in which all are idle (default: %(default)s)")
    add("--rate", type=float, default=400, help="messages a second before and after the kill (default: %(default)s)")
    add("--memory", type=int, default=16_777_216, help="KLATSCH_RING_BYTES of both gateways (default: %(default)s)")
    add("--postgres-log", type=Path, help="where PostgreSQL logs to (default: where the embedded one does)")


def run(arguments: argparse.Namespace, report: Report) -> None:
    """Ends with status 1 where a message was lost or shown a second time."""
    pairs = arguments.connections // 2
    allow_open_files(2 * pairs + _SPARE_FILES)
    statements = open_log(arguments.postgres_log)
    report.begin()
    people = make_people(2 * pairs)
    usernames = [person.username for person in people]
    settings = {"KLATSCH_RING_BYTES": str(arguments.memory)}
    logged = {"DATABASE_URL": statements.url} if isinstance(statements, StatementLog) else {}
    first, second = OwnProcess("gateway", settings), OwnProcess("gateway", settings | logged)
    with running([first, second]):
        both = list(zip(people[::2], people[1::2], strict=True))
        shares = [both[number :: arguments.processes] for number in range(arguments.processes)]
        meeting = (arguments.host, arguments.port)
        gateways = [(HOST, first.port), (HOST, second.port)]
        plans = [Plan(s, round(len(s) * arguments.idle / 100), meeting, gateways, arguments.jitter) for s in shares]
        crew = Crew(plans, Worker, 2 * pairs)
        try:
            crew.ask("meet")
            report.add(hold(crew, first, 2 * pairs, arguments.hold))
            _storm(crew, first, second, statements, arguments, report)
            records = _gather(crew, usernames, arguments.rate / arguments.processes)
        finally:
            crew.end()
    account = settle(records, read_archive(usernames))
    report.add(tell_account(account, records))
    if account.lost or account.doubled or account.strange:
        raise SystemExit(1)


def _storm(
    crew: Crew,
    first: OwnProcess,
    second: OwnProcess,
    statements: StatementLog | str,
    arguments: argparse.Namespace,
    report: Report,
) -> None:
    _talk_beside_the_idle(crew, arguments)
    if isinstance(statements, StatementLog):
        statements.begin()
    meter = Meter(lambda: {second.pid: "second gateway"})
    meter.begin()
    crew.begin_watch()
    crew.ask("burst")
    first.kill()
    killed_at = time.monotonic()
    crew.ask("come_back", _DEADLINE_S)
    used = meter.end(crew.end_watch())
    counted = statements.count() if isinstance(statements, StatementLog) else None
    sql = tell_statements(counted, statements, arguments.connections)
    report.add(tell_return(crew.ask("report"), killed_at, arguments.jitter, used, sql))


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
    wait_archived(usernames, expected + len(usernames) // 2)  # each pair's first message with them
    while sum(crew.ask("count_shown")) < expected and time.monotonic() < until:
        time.sleep(0.5)
    return [record for part in crew.ask("report") for record in part]
