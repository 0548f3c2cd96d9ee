"""Pages of 50 of a history, over tables of 100,000, 1 million and 5 million messages, half of them in one conversation.

The table is filled by SQL, in a database of its own; pages begin at random places of the large conversation.
"""

import argparse
import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from uuid import UUID

import psycopg

from bench.meter import LoopWatch, Meter
from bench.options import add_scenario, asynchronous
from bench.own_data import own_data
from bench.people import BenchPerson, make_people
from bench.percentiles import latency_of
from bench.processes import HOST, UNLIMITED, OwnProcess, running
from bench.report import Fact, Report, Result
from bench.rest.http_client import HttpConnection

LARGE: Final = UUID(int=0)
_CONVERSATIONS: Final = 200
_PAGE: Final = 50
_WARM_UP_PAGES: Final = 200
_EPOCH: Final = 1
_SEED: Final = 15
_KINDS: Final = ("own api", "postgres")
_CONVERSE: Final = """
    INSERT INTO conversations_conversation (id, kind, title, created_at, member_count)
    SELECT lpad(to_hex(i), 32, '0')::uuid, 'group', 'bench', now(), 1 FROM generate_series(0, %(conversations)s - 1) i;
    INSERT INTO conversations_member (conversation_id, user_id, role, active, version, joined_at)
    SELECT c.id, u.id, 'owner', true, 1, now() FROM conversations_conversation c, accounts_user u
    WHERE u.username = %(username)s"""
_FILL: Final = """
    INSERT INTO messaging_message (id, client_id, conversation_id, sender_id, content, sent_at, epoch, partition,
        "offset", changed_epoch, changed_offset, seq, digest, deleted, reactions)
    SELECT gen_random_uuid(), i::text,
        lpad(to_hex(CASE WHEN i %% 2 = 0 THEN 0 ELSE i %% %(conversations)s END), 32, '0')::uuid,
        u.id, repeat('x', 100), now() - interval '1 year' + i * interval '1 second', 1, 0, i, 1, i, i, '', false, '{}'
    FROM generate_series(%(first)s, %(last)s) i, accounts_user u WHERE u.username = %(username)s"""


def add_history(scenarios: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_scenario(
        scenarios, "history", "pages of a history, from 100,000 to 5 million messages", __doc__ or "", asynchronous(run)
    )
    parser.add_argument(
        "--messages", type=int, nargs="+", default=[100_000, 1_000_000, 5_000_000], metavar="MANY",
        help="sizes of the table, growing (default: 100000 1000000 5000000)",
    )  # fmt: skip
    parser.add_argument("--pages", type=int, default=2_000, help="pages to read of each (default: %(default)s)")


async def run(arguments: argparse.Namespace, report: Report) -> None:
    report.begin()
    with own_data() as env:
        url, api = env["DATABASE_URL"], OwnProcess("api", {**env, **UNLIMITED})
        [person] = make_people(1, env)
        _execute(url, _CONVERSE, person)
        with running([api]):
            filled, first_p99 = 0, 0.0
            for messages in arguments.messages:
                _execute(url, _FILL, person, first=filled + 1, last=messages)
                _tidy(url)
                filled = messages
                result = await _read(api, person, messages, arguments.pages, env)
                latency = result.latencies["page"]
                if latency is not None:
                    first_p99 = first_p99 or latency.p99
                    result.facts = dict(result.facts) | {
                        "p99 against that of the smallest table (at most 1.5 wanted)": round(latency.p99 / first_p99, 2)
                    }
                report.add(result)


def _execute(url: str, statement: str, person: BenchPerson, **values: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection, psycopg.ClientCursor(connection) as cursor:
        cursor.execute(statement.encode(), {"conversations": _CONVERSATIONS, "username": person.username, **values})


def _tidy(url: str) -> None:
    """Does at once what autovacuum does in time, so that no page pays for it."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE) messaging_message, conversations_conversation, conversations_member")
        connection.execute("CHECKPOINT")


async def _read(api: OwnProcess, person: BenchPerson, messages: int, pages: int, env: Mapping[str, str]) -> Result:
    http = await HttpConnection.open(HOST, api.port, person.token)
    dice = random.Random(_SEED)

    async def read_page() -> float:
        place = f"{_EPOCH}:0:{dice.randrange(2 * _PAGE + 2, messages + 2)}"
        began = time.perf_counter()
        status, body = await http.get(f"/api/v1/conversations/{LARGE}/messages?limit={_PAGE}&older_than={place}")
        took = time.perf_counter() - began
        if status != 200 or body.count(b'"client_id"') != _PAGE:
            raise SystemExit(f"a page was answered {status}: {body[:500]!r}")
        return took

    for _ in range(min(_WARM_UP_PAGES, pages)):
        await read_page()
    meter, watch = Meter(lambda: {api.pid: "own api"}, _KINDS), LoopWatch()
    meter.begin()
    watch.begin()
    began = time.perf_counter()
    took = [await read_page() for _ in range(pages)]
    seconds = time.perf_counter() - began
    used = meter.end([await watch.end()])
    http.close()
    facts: dict[str, Fact] = {
        f"EXPLAIN, {n}": line for n, line in enumerate(await asyncio.to_thread(_explain, env, messages // 2), 1)
    }
    return Result(
        f"{messages:,} messages, half of them in the conversation that is read, a page of {_PAGE}",
        "page", pages, seconds, latencies={"page": latency_of(took)}, used=used, facts=facts,
    )  # fmt: skip


def _explain(env: Mapping[str, str], offset: int) -> list[str]:
    """Returns PostgreSQL's plan for the statement that a page is read by."""
    program = [sys.executable, "-m", "bench.rest.explain", str(LARGE), str(_EPOCH), str(offset)]
    done = subprocess.run(program, env=env, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    return done.stdout.splitlines()
