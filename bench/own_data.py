"""A database and topics of a run's own, on the running servers: for what would disturb the data of `make up`."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import psycopg
from confluent_kafka.admin import AdminClient
from psycopg import sql

from klatsch.eventlog.kafka_connection import NOT_LOGGED

_MANAGE: Final = Path(__file__).resolve().parent.parent / "manage.py"
_DELETE_S: Final = 10.0


@contextmanager
def own_database(name: str) -> Iterator[str]:
    """Yields the address of a new database on the same PostgreSQL, and drops it at the end."""
    server = os.environ["DATABASE_URL"]
    identifier = sql.Identifier(name)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(identifier))
    try:
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))


@contextmanager
def own_data() -> Iterator[dict[str, str]]:
    """Yields the environment of Klatsch processes that have an empty archive and an empty log."""
    name = f"klatsch_bench_{secrets.token_hex(4)}"
    with own_database(name) as url:
        changed = {
            "DATABASE_URL": url,
            "KLATSCH_TOPIC": name,
            "KLATSCH_SIGNALS_TOPIC": f"{name}_signals",
            "KLATSCH_GROUP": name,
        }
        env = {**os.environ, **changed}
        for command in (["migrate", "--no-input", "--verbosity", "0"], ["topics", "create"]):
            subprocess.run([sys.executable, str(_MANAGE), *command], env=env, check=True, stdout=subprocess.DEVNULL)
        try:
            yield env
        finally:
            admin = AdminClient({"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"], **NOT_LOGGED})
            for deleted in admin.delete_topics([name, f"{name}_signals"]).values():
                deleted.result(_DELETE_S)
