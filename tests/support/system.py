"""A whole Klatsch of real processes, beside the run's own PostgreSQL and Kafka: a database and a topic of its own."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from klatsch.embedded import child
from klatsch.embedded.kafka import EmbeddedKafka
from klatsch.embedded.postgres import EmbeddedPostgres
from tests.support.process import ROOT, GatewayProcess, PersisterProcess, Process, wait_until
from tests.support.raw_log import RawLog

ORIGIN = "http://klatsch.test:8000"
_PEOPLE_AT_ONCE = 300
_PEOPLE_LEAST = 100
"""Enough for any test."""


class Person(NamedTuple):
    """Somebody with a bearer token and no password."""

    username: str
    token: str


class System:
    """Runs two gateways and a persister that tests share, and as many more as a test starts for itself."""

    def __init__(
        self, folder: Path, postgres: EmbeddedPostgres | None, kafka: EmbeddedKafka | None, name: str = "e2e"
    ) -> None:
        self.folder = folder
        self.postgres = postgres
        self.kafka = kafka
        self._name = f"klatsch_{name}_{os.getpid()}"
        self._server_url = os.environ["DATABASE_URL"]
        self.database_url = urlsplit(self._server_url)._replace(path=f"/{self._name}").geturl()
        self.group = self._name
        self.log = RawLog(os.environ["KAFKA_BOOTSTRAP_SERVERS"], self._name)
        self.signals = RawLog(os.environ["KAFKA_BOOTSTRAP_SERVERS"], f"{self._name}_signals")
        self.env = os.environ | {
            "DATABASE_URL": self.database_url,
            "KLATSCH_TOPIC": self._name,
            "KLATSCH_SIGNALS_TOPIC": self.signals.topic,
            "KLATSCH_GROUP": self.group,
            "KLATSCH_ORIGINS": ORIGIN,
            "KLATSCH_CONNECTIONS_PER_PERSON": "200",  # some tests open a hundred in one name
            "KLATSCH_LOG_LEVEL": "DEBUG",
            "KLATSCH_LOG_FORMAT": "json",
            "PYTHONUNBUFFERED": "1",
        }
        self.gateway_a = GatewayProcess("gateway-a", self.env, folder)
        self.gateway_b = GatewayProcess("gateway-b", self.env, folder)
        self.persister = PersisterProcess("persister", self.env, folder)
        self.shared: list[Process] = [self.gateway_a, self.gateway_b, self.persister]
        self.others: list[Process] = []
        self._people: list[Person] = []

    def prepare(self) -> None:
        """Makes the database and the topic."""
        with psycopg.connect(self._server_url, autocommit=True) as server:
            server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self._name)))
        self.manage("migrate", "--no-input")
        self.manage("topics", "create")
        self.log.hasten_group(self.group)

    def manage(self, *arguments: str) -> str:
        """Runs one of our commands, and returns what it prints."""
        return self.manage_with({}, *arguments)

    def manage_with(self, settings: Mapping[str, str], *arguments: str) -> str:
        """Runs one of our commands with some settings changed, and returns what it prints."""
        argv = [sys.executable, str(ROOT / "manage.py"), *arguments]
        env = {**self.env, **settings}
        done = subprocess.run(argv, env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=180)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def delete_topic(self, topic: str) -> None:
        RawLog(self.log.bootstrap_servers, topic).delete()

    def take_people(self, count: int) -> list[Person]:
        """Returns people who have never met anybody."""
        while len(self._people) < count:
            self._make_people()
        taken, self._people = self._people[:count], self._people[count:]
        return taken

    def stock_people(self) -> None:
        """Makes people before a test needs them: its event loop would answer no pings while it waits for them."""
        if len(self._people) < _PEOPLE_LEAST:
            self._make_people()

    def _make_people(self) -> None:
        lines = self.manage("people", str(_PEOPLE_AT_ONCE)).splitlines()
        self._people += [Person(**json.loads(line)) for line in lines]

    def new_gateway(self, name: str, kind: type[GatewayProcess] = GatewayProcess) -> GatewayProcess:
        """Returns one more gateway, not started yet, that ends with the test."""
        gateway = kind(name, self.env, self.folder)
        self.others.append(gateway)
        return gateway

    def new_persister(self, name: str) -> PersisterProcess:
        """Returns one more persister, not started yet, that ends with the test."""
        persister = PersisterProcess(name, self.env, self.folder)
        self.others.append(persister)
        return persister

    def logs(self) -> Iterator[Process]:
        """Returns the processes that have a log of this moment."""
        return (process for process in [*self.shared, *self.others] if process.log.exists())

    def log_sections(self) -> list[tuple[str, str]]:
        """Returns the end of each process' and server's log under its name, for the report of a failure."""
        servers = {"postgres": self.postgres, "kafka": self.kafka}
        files = {process.name: process.log for process in self.logs()}
        files |= {name: server.log for name, server in servers.items() if server}
        return [(f"log of {name}", child.tail(file, 40)) for name, file in files.items()]

    def end_others(self) -> None:
        """Ends what a test started for itself, and wakes what it left stopped."""
        for process in self.others:
            process.end()
        self.others.clear()
        for process in self.shared:
            if process.is_running():
                process.wake()

    def close(self) -> None:
        for process in [*self.others, *self.shared]:
            process.end()
        self.log.delete()
        self.signals.delete()
        with psycopg.connect(self._server_url, autocommit=True) as server:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(self._name)))

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Returns a query's rows, over a connection of its own: one that was kept would not survive a restart."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            return connection.execute(query.encode(), values or None).fetchall()

    @contextlib.contextmanager
    def locked(self, table: str, mode: str) -> Iterator[None]:
        """Holds a lock on a table, so that others' statements stop where they meet it."""
        with psycopg.connect(self.database_url) as connection:
            connection.execute(sql.SQL("LOCK TABLE {} IN {} MODE").format(sql.Identifier(table), sql.SQL(mode)))
            yield
            connection.rollback()

    def wait_blocked(self, statement: str) -> int:
        """Waits until a persister's statement of that beginning waits for a lock; returns its backend's pid.

        Every statement begins with the empty text.
        """
        query = (
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
            "AND application_name = 'klatsch-persister' AND wait_event_type = 'Lock' AND ltrim(query, E'\\n ') LIKE %s"
        )
        wait_until(lambda: self.rows(query, statement + "%"), f"{statement} waits for a lock")
        [[pid]] = self.rows(query, statement + "%")
        return int(pid)

    def has_written(self, pid: int, table: str) -> bool:
        """Returns whether the backend's transaction has written rows of that table, not committed yet."""
        query = (
            "SELECT FROM pg_locks WHERE pid = %s AND relation = %s::regclass AND mode = 'RowExclusiveLock' AND granted"
        )
        return bool(self.rows(query, pid, table))

    def archived_ends(self) -> dict[int, int]:
        """Returns how far the archive has come."""
        return dict(self.rows("SELECT partition, next_offset FROM messaging_logoffset"))

    def wait_archived(self, deadline_s: float = 60) -> None:
        """Waits until the archive has all that the log holds now, in the partitions that are its own."""
        ends = self.log.ends()

        def is_archived() -> bool:
            self.persister.start_again()
            return all(offset >= ends[partition] for partition, offset in self.archived_ends().items())

        wait_until(is_archived, f"archived to {ends}", deadline_s)
