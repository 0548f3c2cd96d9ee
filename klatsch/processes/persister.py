"""The persister process: a member of the consumer group that writes the archive, and the relay of the outbox."""

import gc
import signal
import threading
from types import FrameType

import structlog
from django.conf import settings
from prometheus_client import REGISTRY

from klatsch.conversations.group_rows import repair_counts
from klatsch.conversations.invitations import sweep_invitations
from klatsch.core.failures import end_on_uncaught
from klatsch.core.hangup import end_on_hangup
from klatsch.eventlog.kafka_reader import KafkaGroup, KafkaTail
from klatsch.eventlog.log import LogError
from klatsch.persister.gauges import PersisterGauges
from klatsch.persister.http import serve_metrics
from klatsch.persister.relay import run_relay
from klatsch.persister.worker import Worker
from klatsch.postgres.base import CLEAN_UP_ANSWER_S, BoundedConnection
from klatsch.processes import wiring

_log = structlog.get_logger(__name__)
_DRAIN_S = 5.0
_SCRAPE_S = 2.0
_HOURLY = (sweep_invitations,)
_DAILY = (repair_counts,)


def run(*, metrics_host: str, metrics_port: int) -> None:
    """Stores records until SIGTERM, SIGHUP or SIGINT; raises LogError when it cannot continue without skipping.

    With `metrics_port` 0 it answers no HTTP. Raises OSError when that port cannot be used.
    """
    end_on_uncaught()
    end_on_hangup()
    BoundedConnection.answer_s = CLEAN_UP_ANSWER_S
    stopping = _stopping_on_signals()
    if metrics_port:
        serve_metrics(metrics_host, metrics_port, settings.ENV["KLATSCH_METRICS_TOKEN"])
    epoch = wiring.known_log()
    tail = wiring.log_tail(epoch.partitions)
    writer = wiring.log_writer(tail, epoch.partitions)
    relay = threading.Thread(target=run_relay, args=(writer, stopping, _HOURLY, _DAILY), name="relay", daemon=True)
    relay.start()
    worker = Worker(
        lambda: wiring.connect_archive("persister"), epoch.epoch, stopping, wiring.clock_ms, lambda: _oldest(tail)
    )
    group = KafkaGroup(
        wiring.kafka_connection(),
        settings.ENV["KLATSCH_TOPIC"],
        settings.ENV["KLATSCH_GROUP"],
        epoch.partitions,
        assigned=worker.assigned,
        revoked=worker.revoked,
        watch=tail.watch,
    )
    failures: list[LogError] = []

    def failed(error: LogError) -> None:
        writer.refuse()  # the relay must not mark records as done that went to another topic
        failures.append(error)
        stopping.set()

    watch = wiring.topic_watch(epoch, failed)
    REGISTRY.register(PersisterGauges(lambda: _ends(tail), lambda: worker.stored))
    # Full garbage collections scanned the present objects too: 7 % of a busy persister's CPU.
    gc.collect()
    gc.freeze()
    _log.info("persister_started", epoch=epoch.epoch, partitions=epoch.partitions)
    try:
        worker.run(group)
    except LogError:
        stopping.set()
        raise
    finally:
        watch.stop()
        group.close()
        tail.stop()
        relay.join(_DRAIN_S)
        writer.close(_DRAIN_S)
        wiring.close_pool()
    if failures:
        raise failures[0]


def _ends(tail: KafkaTail) -> dict[int, int]:
    """Returns the log's ends for a scrape. Asks the log, because a stuck worker fetches nothing more."""
    try:
        return tail.ends(_SCRAPE_S)
    except LogError:
        return {}


def _oldest(tail: KafkaTail) -> dict[int, int]:
    try:
        return tail.offsets_at(0)
    except LogError:
        return {}


def _stopping_on_signals() -> threading.Event:
    """Returns an event that SIGTERM or SIGINT sets."""
    stopping = threading.Event()

    def stop(number: int, _frame: FrameType | None) -> None:
        _log.info("stopping", signal=signal.Signals(number).name)
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    return stopping
