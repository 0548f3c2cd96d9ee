"""The persister: a member of the consumer group that makes the archive, and the relay of the outbox."""

import signal
import threading
from types import FrameType

import structlog
from django.conf import settings

from klatsch.eventlog.kafka_reader import KafkaGroup
from klatsch.eventlog.log import LogError
from klatsch.persister.relay import run_relay
from klatsch.persister.worker import Worker
from klatsch.processes import wiring

_log = structlog.get_logger(__name__)
_DRAIN_S = 5.0


def run() -> None:
    """Stores what comes until SIGTERM or SIGINT; raises LogError when it cannot go on and must not skip."""
    stopping = threading.Event()

    def stop(number: int, _frame: FrameType | None) -> None:
        _log.info("stopping", signal=signal.Signals(number).name)
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    epoch = wiring.known_log()
    writer = wiring.log_writer(epoch.partitions)
    relay = threading.Thread(target=run_relay, args=(writer, stopping), name="relay", daemon=True)
    relay.start()
    worker = Worker(lambda: wiring.connect_archive("persister"), epoch.epoch, stopping)
    group = KafkaGroup(
        wiring.kafka_connection(),
        settings.ENV["KLATSCH_GROUP"],
        assigned=worker.assigned,
        revoked=worker.revoked,
    )
    _log.info("persister_started", epoch=epoch.epoch, partitions=epoch.partitions)
    try:
        worker.run(group)
    except LogError:
        stopping.set()
        raise
    finally:
        group.close()
        relay.join(_DRAIN_S)
        writer.close(_DRAIN_S)
