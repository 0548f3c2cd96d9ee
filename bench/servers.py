"""Reads what the servers say of themselves: versions, and the settings on which durability depends."""

import os
from typing import Final

import psycopg
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType  # type: ignore[attr-defined]  # documented there, and not in its __all__

from klatsch.eventlog.kafka_connection import NOT_LOGGED, KafkaConnection

_POSTGRES: Final = ("server_version", "fsync", "synchronous_commit", "full_page_writes")
_TOPIC: Final = ("min.insync.replicas", "flush.messages", "unclean.leader.election.enable")
_ASK_S: Final = 10.0


def read_servers() -> dict[str, str]:
    """Returns the settings of PostgreSQL, of the topic, and the `acks` with which Klatsch appends."""
    return read_postgres(os.environ["DATABASE_URL"]) | _read_kafka()


def read_postgres(url: str) -> dict[str, str]:
    """Returns PostgreSQL's version and settings of durability."""
    found: dict[str, str] = {}
    with psycopg.connect(url) as connection:
        for name in _POSTGRES:
            row = connection.execute(f"SHOW {name}".encode()).fetchone()
            found[f"postgres.{name}"] = str(row[0]) if row else "?"
    return found


def _read_kafka() -> dict[str, str]:
    servers = os.environ["KAFKA_BOOTSTRAP_SERVERS"]
    topic = os.environ.get("KLATSCH_TOPIC") or "klatsch.events"
    admin = AdminClient({"bootstrap.servers": servers, **NOT_LOGGED})
    described = admin.list_topics(topic, timeout=_ASK_S).topics[topic].partitions
    [asked] = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
    settings = asked.result(_ASK_S)
    found = {f"topic.{name}": str(settings[name].value) for name in _TOPIC if name in settings}
    return found | {
        "topic.partitions": str(len(described)),
        "topic.replication": str(max((len(one.replicas) for one in described.values()), default=0)),
        "producer.acks": str(KafkaConnection(servers).producer(1)["acks"]),
    }
