"""Runs the clients and the checker of `make faults` against an installation in containers."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from faults.checker import Verdict, check
from faults.client import Client
from faults.company import Company
from faults.draining import drain
from faults.evidence import load_evidence
from faults.load import Load
from faults.person import Person
from faults.proxy import Proxy
from faults.rest import Rest
from tests.compose.stack import ROOT, Stack
from tests.compose.talk import until

_TALKS = 8
_LISTENERS = 4
_GROUP = 4
_PER_SECOND = 200.0
_READY_S = 60

_AS_KLATSCH = """
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "klatsch.settings"
import django
django.setup()
from klatsch.processes.wiring import kafka_connection, known_log, log_tail
"""
_ENDS = """
import json
print(json.dumps(log_tail(known_log().partitions).ends()))
"""
# The checker's own eyes, with the rights of a gateway: it may read the log, and all that is archived.
_DUMP = """
from pathlib import Path
from django.conf import settings
from faults.dumps import dump
from faults.evidence import save_dumps
env = settings.ENV
save_dumps(Path("/evidence"), dump(kafka_connection().tail(), env["KLATSCH_TOPIC"], env["DATABASE_URL"]))
"""


class Proof:
    """Keeps people who talk through the proxy, and all that they did and saw; judges all of the log and the archive."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.proxy = Proxy(stack.port)
        self.rest = Rest([stack.url])
        self.company = Company([self.proxy], self.rest, folder)
        self._stack = stack
        self._folder = folder
        folder.mkdir()

    @property
    def clients(self) -> list[Client]:
        return self.company.clients

    @property
    def speakers(self) -> list[Client]:
        return self.company.speakers

    @property
    def counts(self) -> Counter[str]:
        """Returns what all clients have met so far."""
        return sum((client.counts for client in self.clients), Counter[str]())

    @property
    def acknowledged(self) -> int:
        return sum(client.acknowledged for client in self.clients)

    async def fill(self) -> None:
        """Puts everybody into one conversation each, so that who is answered tells which of them go on."""
        made = await asyncio.to_thread(self._stack.people, 2 * _TALKS + _GROUP)
        people = [Person(one["username"], one["token"]) for one in made]
        rows = (await asyncio.to_thread(self._stack.sql, "SELECT username, id FROM accounts_user")).splitlines()
        ids = dict(row.split("|") for row in rows)
        *talkers, founder, second, third, fourth = people
        for one, other in zip(talkers[::2], talkers[1::2], strict=True):
            await self.company.talk(one, other)
        await self.company.found_group([founder, second, third, fourth])
        for number, person in enumerate(people):
            person.user_id = ids[person.username]
            for device in range(2 if number < _LISTENERS else 1):
                self.company.add_client(person, device, 0)

    async def all_go_on(self, since: float, deadline_s: float) -> float:
        """Returns when everybody has the answer to something said after `since`; how long after it that was (s)."""

        def answered() -> bool:
            return all(client.is_ready and client.acknowledged_begun_at > since for client in self.speakers)

        await until(answered, "everybody is answered again", deadline_s)
        return time.monotonic() - since

    def ends(self) -> dict[int, int]:
        said: dict[str, int] = json.loads(self._stack.inside("api", "python", "-c", _AS_KLATSCH + _ENDS))
        return {int(partition): end for partition, end in said.items()}

    def has_archived(self, ends: dict[int, int]) -> bool:
        rows = self._stack.sql("SELECT partition, next_offset FROM messaging_logoffset").splitlines()
        archived = {int(partition): int(end) for partition, end in (row.split("|") for row in rows)}
        return all(archived.get(partition, 0) >= end for partition, end in ends.items())

    def close_histories(self) -> None:
        for client in self.clients:
            client.history.close()

    def judge(self) -> Verdict:
        """Returns the checker's word on all that was said and seen."""
        self.close_histories()
        self._folder.chmod(0o777)  # for the number under which containers run
        volumes = ("--volume", f"{ROOT / 'faults'}:/opt/klatsch/faults:ro", "--volume", f"{self._folder}:/evidence")
        run = ("run", "--rm", "--no-deps", "-T", *volumes, "--entrypoint", "python", "api")
        self._stack.compose(*run, "-c", _AS_KLATSCH + _DUMP)
        return check(load_evidence(self._folder))


@asynccontextmanager
async def proven(stack: Stack, folder: Path) -> AsyncIterator[Proof]:
    """Has people talk all the while; what was said and seen holds to I1 to I6 at the end, and something was said."""
    proof = Proof(stack, folder)
    async with AsyncExitStack() as ending:
        ending.push_async_callback(proof.rest.close)
        await proof.proxy.start()
        ending.callback(proof.proxy.close)
        ending.callback(proof.close_histories)
        await proof.fill()
        load = Load(proof.speakers, _PER_SECOND)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(client.run()) for client in proof.clients]
            tasks += [group.create_task(client.reloading.run()) for client in proof.clients]
            tasks += [group.create_task(load.speak(client)) for client in proof.speakers]
            await proof.all_go_on(time.monotonic(), _READY_S)
            yield proof
            load.is_on = False
            await drain(proof)
            for task in tasks:
                task.cancel()
        verdict = await asyncio.to_thread(proof.judge)
    assert verdict.acknowledged > 0
    assert [str(found) for found in verdict.contradictions] == []
