"""Appends to Kafka through librdkafka, whose callbacks run on a thread of ours (D1)."""

import functools
import threading
from collections.abc import Callable

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from klatsch.eventlog.kafka_connection import LOGGED, KafkaConnection
from klatsch.eventlog.log import Entry, LogError, LogFull, Report
from klatsch.eventlog.partitions import partition_of

_log = structlog.get_logger(__name__)
_POLL_S = 0.1
_ANY = -1
"""librdkafka's RD_KAFKA_PARTITION_UA: the partitioner decides."""


class KafkaWriter:
    """Appends with `acks=all`, idempotently, at most once reported; make it after any fork.

    With `reports="errors"` a report comes only for what failed: a gateway learns of success by reading the log back.
    `failed` is called once when librdkafka can no longer go on; the process should then stop. Once a record has timed
    out another producer takes over, as that one may never send again; what still waited is reported as failed.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        partitions: int,
        *,
        reports: str = "all",
        failed: Callable[[LogError], None] | None = None,
    ) -> None:
        self._topic = connection.topic
        self._partitions = partitions
        self._failed = failed
        self._config = (
            connection.producer()
            | {"delivery.report.only.error": reports == "errors", "error_cb": self._on_error}
            | LOGGED
        )
        self._producer = Producer(self._config)
        self._timed_out = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="log-writer", daemon=True)
        self._thread.start()

    def append(self, entry: Entry, report: Callable[[Report], None] | None = None) -> None:
        """Queues one entry; raises LogFull when 100,000 entries or 64 MiB wait already."""
        place = entry.place
        try:
            self._producer.produce(
                self._topic,
                entry.value,
                entry.key,
                headers=_headers(entry),
                on_delivery=functools.partial(self._reported, entry, report),
                partition=_ANY if place is None else partition_of(place, self._partitions),
            )
        except BufferError as error:
            raise LogFull("the queue of unsent records is full") from error
        except KafkaException as error:
            raise LogError(f"the log refused an entry: {error.args[0]}") from error

    def close(self, deadline_s: float) -> int:
        """Sends what is queued; returns how many entries were still unsent at the deadline."""
        unsent: int = self._producer.flush(deadline_s)
        self._stopping.set()
        self._thread.join(_POLL_S * 10)
        return unsent

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._producer.poll(_POLL_S)
            if self._timed_out:
                self._renew()

    def _renew(self) -> None:
        """Each at most once in the time after which records time out: before, none of the new one's can have."""
        _log.warning("log_writer_renewed")
        old, self._producer = self._producer, Producer(self._config)
        old.purge()
        old.flush(_POLL_S)  # their reports
        self._timed_out = False  # those said so too

    def _reported(
        self, entry: Entry, report: Callable[[Report], None] | None, error: KafkaError | None, message: Message
    ) -> None:
        if error is not None and error.code() == KafkaError._MSG_TIMED_OUT:  # noqa: SLF001 - confluent's public name
            self._timed_out = True
        if report is None:
            return
        if error is not None:
            report(Report(entry, -1, -1, str(error)))
        else:
            report(Report(entry, message.partition() or 0, message.offset() or 0, None))

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            _log.error("log_writer_failed", error=str(error))
            if self._failed:
                self._failed(LogError(f"the log's producer cannot go on: {error}"))
        else:
            _log.warning("log_writer", error=str(error))


def _headers(entry: Entry) -> list[tuple[str, str | bytes | None]]:
    """The judge comes first, where readers look for it. A second header costs 1 µs a message: only REST has it."""
    if entry.trace:
        return [("judge", entry.judge), ("trace", entry.trace)]
    return [("judge", entry.judge)] if entry.judge else []
