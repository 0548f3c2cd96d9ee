"""Joins the parts by plain constructor calls: settings in, components of a process out."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection as django_connection

from klatsch.api.ports import Ports
from klatsch.archive.progress import ArchiveProgress
from klatsch.core.bucket import Buckets
from klatsch.core.caps import AtOnce
from klatsch.core.errors import Unavailable
from klatsch.eventlog.epochs import check_topic
from klatsch.eventlog.kafka_connection import KafkaConnection
from klatsch.eventlog.kafka_reader import KafkaTail
from klatsch.eventlog.kafka_writer import KafkaWriter
from klatsch.eventlog.log import LogError
from klatsch.eventlog.models import Epoch
from klatsch.eventlog.topic_watch import TopicWatch
from klatsch.eventlog.topics import KafkaTopics, SignalsPlan, TopicPlan
from klatsch.messaging.marking import Flushing, Marking
from klatsch.postgres.connections import connect


def clock_ms() -> int:
    """Returns milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000


def kafka_connection() -> KafkaConnection:
    env = settings.ENV
    return KafkaConnection(
        bootstrap_servers=env["KAFKA_BOOTSTRAP_SERVERS"],
        security_protocol=env["KAFKA_SECURITY_PROTOCOL"],
        sasl_mechanism=env["KAFKA_SASL_MECHANISM"],
        sasl_username=env["KAFKA_SASL_USERNAME"],
        sasl_password=env["KAFKA_SASL_PASSWORD"],
        ssl_ca=env["KAFKA_SSL_CA"],
    )


def log_topics() -> KafkaTopics:
    """Returns the brokers' view of the log's topic."""
    return KafkaTopics(kafka_connection(), settings.ENV["KLATSCH_TOPIC"])


def signals_topics() -> KafkaTopics:
    """Returns the brokers' view of the topic of signals."""
    return KafkaTopics(kafka_connection(), settings.ENV["KLATSCH_SIGNALS_TOPIC"])


GROUP_CHANGES_PER_SECOND = 20
"""Changes of one person through one process: each is a transaction, and a push to every connected member."""
_WAITS_SHARE = 4
_FINISH_S = 2.0
"""The time for an ending api process to send the last markers."""
_POSTGRES_17 = 170_000
_TRANSACTION_MS = 10_000
"""The longest transaction. A stopped persister's must not block the persister that takes over its partitions."""


def topic_plan() -> TopicPlan:
    env = settings.ENV
    return TopicPlan(env["KLATSCH_PARTITIONS"], env["KLATSCH_REPLICATION"], env["KLATSCH_RETENTION_HOURS"])


def signals_plan() -> SignalsPlan:
    return SignalsPlan(settings.ENV["KLATSCH_REPLICATION"])


def known_log() -> Epoch:
    """Returns the epoch of the brokers' topic; raises TopicChanged or LogError unless it is the known one."""
    topics = log_topics()
    epoch = check_topic(topics.find())
    topics.check_stamps()
    return epoch


def log_writer(
    tail: KafkaTail, partitions: int, *, reports: str = "all", failed: Callable[[LogError], None] | None = None
) -> KafkaWriter:
    """Returns a producer that the tail's watch watches."""
    topic = settings.ENV["KLATSCH_TOPIC"]
    return KafkaWriter(kafka_connection(), topic, partitions, reports=reports, failed=failed, watch=tail.watch)


def log_tail(partitions: int) -> KafkaTail:
    return KafkaTail(kafka_connection(), settings.ENV["KLATSCH_TOPIC"], partitions)


def connect_archive(role: str) -> psycopg.Connection[Any]:
    """Connects outside Django's pool, for SQL that runs on one thread for ever."""
    connection = connect(role)
    if connection.info.server_version >= _POSTGRES_17:
        # idle_in_transaction_session_timeout does not work here: libpq's Flush after a pipeline disarms it.
        connection.execute(f"SET transaction_timeout = {_TRANSACTION_MS}".encode())
        connection.commit()
    return connection


def close_pool() -> None:
    """Closes Django's pool: at exit, Python 3.13 would wait 5 s for each of its threads, which no longer run."""
    django_connection.close()
    django_connection.close_pool()  # type: ignore[attr-defined]  # PostgreSQL's wrapper has it


def topic_watch(epoch: Epoch, failed: Callable[[LogError], None]) -> TopicWatch:
    return TopicWatch(log_topics(), epoch, failed)


def make_ports(lost: Callable[[LogError], None]) -> Ports:
    """Returns new ports of REST endpoints, for a process of their own; raises TopicChanged, LogError.

    `lost` is called, on any thread, when they can no longer be used.
    """
    epoch = known_log()
    tail, progress = log_tail(epoch.partitions), archive_progress()
    log = log_writer(tail, epoch.partitions, failed=lost)
    watch, markers = topic_watch(epoch, lost), marking(log)
    flushing = Flushing(markers)

    def finish() -> None:
        flushing.stop()
        markers.drain(time.monotonic())
        log.close(_FINISH_S)

    def close() -> None:
        flushing.stop()
        log.refuse()
        watch.stop()
        log.close(0)
        tail.stop()
        progress.close()

    made = ports(epoch, log, tail, progress, rates(), markers)
    return dataclasses.replace(made, close=close, finish=finish)


def archive_progress() -> ArchiveProgress:
    """Lets half of the REST threads wait for the archive, so that the others keep answering when it is stuck."""
    return ArchiveProgress(max(1, settings.ENV["KLATSCH_API_THREADS"] // 2))


def archive_waits() -> AtOnce:
    """Caps one person's waits for the archive at a quarter of the REST threads."""
    most = max(1, settings.ENV["KLATSCH_API_THREADS"] // _WAITS_SHARE)
    detail = "Several of your requests wait for the archive already. Try again later."
    return AtOnce(most, cap="waits", refusal=Unavailable, detail=detail)


def rates() -> Buckets:
    """Returns the rate limits of sends through this process, shared by WebSocket and REST."""
    return Buckets(settings.ENV["KLATSCH_MESSAGES_PER_SECOND"])


def request_rates() -> Buckets:
    """Returns the rate limits of a person's requests through this process, shared by WebSocket and REST."""
    return Buckets(settings.ENV["KLATSCH_REQUESTS_PER_SECOND"])


def marking(log: KafkaWriter) -> Marking:
    """Returns the markers of this process."""
    return Marking(log, shown_most=settings.ENV["KLATSCH_READ_RECEIPTS_MEMBERS"])


def ports(
    epoch: Epoch, log: KafkaWriter, tail: KafkaTail, progress: ArchiveProgress, rates: Buckets, marking: Marking
) -> Ports:
    """Returns the ports of REST endpoints, from parts that the process has already."""
    topics = log_topics()

    def check_log(deadline_s: float) -> None:
        check_topic(topics.find(deadline_s))

    return Ports(
        log=log,
        ends=tail,
        progress=progress,
        clock=clock_ms,
        rates=rates,
        changes=Buckets(GROUP_CHANGES_PER_SECOND),
        waits=archive_waits(),
        fresh_since_ms=epoch.fresh_since_ms,
        marking=marking,
        check_log=check_log,
    )
