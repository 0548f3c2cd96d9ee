"""A complete Klatsch to hurt: its own servers, gateways behind proxies, persisters, and people who talk."""

import asyncio
import contextlib
import os
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from confluent_kafka import KafkaException

from faults.bugs.catalogue import Bug
from faults.client import Client
from faults.cluster import Cluster
from faults.company import Company
from faults.history import Blocked, Blocking, Changed, Changing, RoleChanged, RoleChanging
from faults.person import Group, Person, Talk
from faults.proxy import Proxy
from faults.rest import Refusal, Rest
from klatsch.embedded.child import EmbeddedError, free_ports
from klatsch.embedded.kafka import EmbeddedKafka
from klatsch.embedded.postgres import EmbeddedPostgres
from tests.support.process import PersisterProcess, Process
from tests.support.system import System

_SETTINGS = {
    "KLATSCH_ALLOWED_HOSTS": "127.0.0.1",
    "KLATSCH_INSECURE_COOKIES": "1",
    "KLATSCH_INVITE_STRANGERS": "0",
    "KLATSCH_REGISTRATIONS_PER_HOUR": "1000",
    # Shorter than in production, so that minutes hold many faults.
    "KLATSCH_ANSWER_DEADLINE_MS": "3000",
    "KLATSCH_MARK_SECONDS": "2",
    "KLATSCH_PING_SECONDS": "6",  # a client that stops reading is to be found slow before it is found dead
    "KLATSCH_STALL_SECONDS": "3",
    "KLATSCH_OUTBOX_BYTES": "262144",
    "KLATSCH_RECHECK_SECONDS": "5",
    "KLATSCH_ARCHIVE_WAIT_MS": "1000",  # what a client sends behind a change waits as long
}
_GROUPS = 4
_WITH_PASSWORDS = 3
_SECOND_DEVICES = 4
GATEWAYS = 3
PARTITIONS = 12


class World:
    """Everything of a run. `folder` holds the servers' data and logs, and in `evidence` what is to be judged.

    There are one or three `brokers`. Of a bug it takes the settings, and where it is to be `planted` runs the processes
    with it.
    """

    def __init__(self, folder: Path, brokers: int = 1, bug: Bug | None = None, *, planted: bool = False) -> None:
        self.folder = folder
        self.evidence = folder / "evidence"
        self.evidence.mkdir(parents=True)
        self.postgres = EmbeddedPostgres(folder / "postgres")
        self.brokers = brokers
        self.kafka: EmbeddedKafka | Cluster = (
            EmbeddedKafka(folder / "kafka", port=free_ports(1)[0]) if brokers == 1 else Cluster(folder / "kafka")
        )
        os.environ |= {
            "DATABASE_URL": self.postgres.url,
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka.bootstrap_servers,
            "KLATSCH_SECRET_KEY": secrets.token_urlsafe(40),
        }
        self.system = System(folder, None, None)
        self.system.env.update(_SETTINGS | {"KLATSCH_REPLICATION": str(brokers)} | (dict(bug.settings) if bug else {}))
        self.gateways = [self.system.gateway_a, self.system.gateway_b, self.system.new_gateway("gateway-c")]
        self.persisters = [self.system.persister, self.system.new_persister("persister-b")]
        self.spare: PersisterProcess = self.system.new_persister("persister-c")
        if bug is not None and planted:
            for process in (*self.gateways, *self.persisters, self.spare):
                process.program = (sys.executable, "-m", "faults.bugs.planted", bug.name)
        self.proxies = [Proxy(gateway.port) for gateway in self.gateways]
        self.rest = Rest([gateway.url for gateway in self.gateways])
        self.company = Company(self.proxies, self.rest, self.evidence)

    def start_servers(self) -> None:
        """Starts all processes and waits until they are ready; blocks for some seconds."""
        self.kafka.start()
        self.postgres.start()
        self.postgres.wait_ready()
        self.kafka.wait_ready()
        self.system.prepare()
        for process in (*self.gateways, *self.persisters):
            process.start()

    async def fill(self, talks: int) -> None:
        """Creates people, conversations and clients, and connects them."""
        for proxy in self.proxies:
            await proxy.start()
        people = [Person(p.username, p.token) for p in await asyncio.to_thread(self.system.take_people, 2 * talks)]
        for number in range(_WITH_PASSWORDS):
            people[2 * number] = await self._register(number)
        for one, other in zip(people[::2], people[1::2], strict=True):
            await self.company.talk(one, other)
        for number in range(_GROUPS):
            await self.company.found_group([people[(number * 7 + step * 5 + 1) % len(people)] for step in range(4)])
        ids: dict[str, str] = dict(await asyncio.to_thread(self.rows, "SELECT username, id::text FROM accounts_user"))
        for number, person in enumerate(people):
            person.user_id = ids[person.username]
            for device in range(2 if number < 2 * _SECOND_DEVICES and number % 2 else 1):
                self.company.add_client(person, device, number + device)

    async def _register(self, number: int) -> Person:
        name, password = f"dora-{number}-{secrets.token_hex(4)}", secrets.token_urlsafe(16)
        body = {"username": name, "email": f"{name}@faults.invalid", "password": password}
        with contextlib.suppress(Refusal):  # `taken`: an earlier try was answered too late. Signing in tells.
            await self.rest.ask("POST", "auth/register", body=body)
        made = await self.rest.ask("POST", "auth/tokens", body={"username": name, "password": password})
        return Person(name, made["token"], password=password)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.system.rows(query)

    @property
    def clients(self) -> list[Client]:
        return self.company.clients

    @property
    def groups(self) -> list[Group]:
        return self.company.groups

    @property
    def speakers(self) -> list[Client]:
        return self.company.speakers

    def clients_at(self, gateway: int) -> list[Client]:
        """Returns the clients whose connection is, or is being, made to that gateway."""
        return [client for client in self.clients if client.at == gateway]

    def client_of(self, person: Person) -> Client:
        return next(client for client in self.clients if client.person is person)

    async def change_member(self, group: Group, *, active: bool) -> None:
        """Changes a membership, repeating the request until it succeeds, and writes it into the owner's history."""
        written = self.client_of(group.owner).history
        written.write(Changing(time.monotonic(), group.conversation, group.leaver.user_id, active))
        path = f"conversations/{group.conversation}/members"
        name = group.leaver.username
        if active:
            await self.rest.ask("POST", path, token=group.owner.token, body={"username": name})
        else:
            await self.rest.ask("DELETE", f"{path}/{name}", token=group.owner.token)
        written.write(Changed(time.monotonic(), group.conversation, group.leaver.user_id, active))

    async def change_block(self, talk: Talk, *, on: bool) -> None:
        """Blocks a person or lifts the block, repeating the request until it succeeds, and writes it down."""
        written, user_id = self.client_of(talk.blocker).history, talk.blocked.user_id
        written.write(Blocking(time.monotonic(), talk.conversation, user_id, on))
        way = "PUT" if on else "DELETE"
        await self.rest.ask(way, f"blocks/{talk.blocked.username}", token=talk.blocker.token)
        written.write(Blocked(time.monotonic(), talk.conversation, user_id, on))

    async def change_role(self, group: Group, role: str) -> None:
        """Changes the role of a group's admin, repeating the request until it succeeds, and writes it down."""
        written, user_id = self.client_of(group.owner).history, group.admin.user_id
        written.write(RoleChanging(time.monotonic(), group.conversation, user_id, role))
        path = f"conversations/{group.conversation}/members/{group.admin.username}"
        await self.rest.ask("PATCH", path, token=group.owner.token, body={"role": role})
        written.write(RoleChanged(time.monotonic(), group.conversation, user_id, role))

    def ends(self) -> dict[int, int]:
        """Returns the log's ends in the used partitions; waits for the broker where it is away."""
        ends = patiently(self.system.log.ends)
        return {partition: ends[partition] for partition in range(PARTITIONS)}

    def has_archived(self, ends: dict[int, int]) -> bool:
        try:
            archived = self.system.archived_ends()
        except psycopg.OperationalError:
            return False
        return all(archived.get(partition, 0) >= end for partition, end in ends.items())

    def close_servers(self) -> None:
        for process in (*self.system.others, *self.system.shared):
            process.end()
        self.kafka.kill()
        self.postgres.kill()


def start_again(process: Process, deadline_s: float = 90.0) -> None:
    """Restarts processes that end because a server is away, like a supervisor."""
    until = time.monotonic() + deadline_s
    while True:
        try:
            process.start()
        except EmbeddedError:
            if time.monotonic() > until:
                raise
            process.end()
        else:
            return


def patiently(ask: Callable[[], dict[int, int]], deadline_s: float = 60.0) -> dict[int, int]:
    """Asks a Kafka that may be away."""
    until = time.monotonic() + deadline_s
    while True:
        try:
            return ask()
        except KafkaException:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
