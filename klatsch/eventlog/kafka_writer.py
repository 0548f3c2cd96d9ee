"""Appends to Kafka through librdkafka, whose callbacks run on a thread of ours (D1)."""

import functools
import threading
from collections.abc import Callable

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from klatsch.eventlog.kafka_connection import LOGGED, KafkaConnection
from klatsch.eventlog.log import Entry, LogError, LogFull, Report
from klatsch.eventlog.partitions import partition_of
from klatsch.eventlog.pulse import CallWatch, Pulse, WritingWatch
from klatsch.eventlog.watch import LogWatch, Told, count_replaced

_log = structlog.get_logger(__name__)
_POLL_S = 0.1
_FINISHED_S = 10.0
"""Within so long, which is beyond its own time-out, a producer has sent or given up what was queued."""
_REFUSED = "the topic is not the log any more"


class _Producing:
    """One producer, the thread that polls it, and what its watch sees of both.

    Threads may lose a count of `queued` between them, which makes it seem that less was finished: what counts is that
    it grows.
    """

    def __init__(self, producer: Producer) -> None:
        self.producer = producer
        self.thread = threading.current_thread()
        self.pulse, self.calls, self.stalls = Pulse(), CallWatch(), WritingWatch(_FINISHED_S)
        self.queued = 0
        self.timed_out = False
        self.is_replaced = False
        self.refusing = False


class KafkaWriter:
    """Appends to a topic with `acks=all`, idempotently, at most once reported; make it after any fork.

    With `reports="errors"` a report comes only for what failed: a gateway learns of success by reading the log back.
    `failed` is called once when librdkafka can no longer go on; the process should then stop. Once a record has timed
    out another producer takes over, as that one may never send again; what still waited is reported as failed. With a
    `watch` one also takes over from a producer that finishes nothing, and from a thread that does not return.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        topic: str,
        partitions: int,
        *,
        reports: str = "all",
        failed: Callable[[LogError], None] | None = None,
        watch: LogWatch | None = None,
    ) -> None:
        self._topic = topic
        self._partitions = partitions
        self._failed = failed
        self._config = (
            connection.producer()
            | {"delivery.report.only.error": reports == "errors", "error_cb": self._on_error}
            | LOGGED
        )
        self._watch = watch
        self._refusing = False
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._current = self._begin()
        if watch is not None:
            watch.add(self)

    def append(self, entry: Entry, report: Callable[[Report], None] | None = None) -> None:
        """Queues one entry; raises LogFull when 100,000 entries or 64 MiB wait already, LogError after `refuse`."""
        if self._refusing:
            raise LogError(_REFUSED)
        place, current = entry.key if entry.place is None else entry.place, self._current
        try:
            current.producer.produce(
                self._topic,
                entry.value,
                entry.key,
                headers=_headers(entry),
                on_delivery=functools.partial(_reported, current, entry, report),
                partition=partition_of(place, self._partitions),
            )
        except BufferError as error:
            raise LogFull("the queue of unsent records is full") from error
        except KafkaException as error:
            raise LogError(f"the log refused an entry: {error.args[0]}") from error
        current.queued += 1

    def refuse(self) -> None:
        """Appends nothing more, and reports a failure for whatever waits: its topic is not the log any more."""
        self._refusing = self._current.refusing = True

    def close(self, deadline_s: float) -> int:
        """Sends what is queued; returns how many entries were still unsent at the deadline."""
        if self._watch is not None:
            self._watch.remove(self)
        current = self._current
        unsent: int = current.producer.flush(deadline_s)
        self._stopping.set()
        current.thread.join(_POLL_S * 10)
        return unsent

    def look(self, told: Told, now_s: float) -> None:
        """Lets another producer take over where this one does not go on; called by the watch."""
        current = self._current
        if current.calls.is_overdue(current.pulse, now_s):
            self._renew(current, "a call did not return")
        elif not told.ends:
            current.stalls = WritingWatch(_FINISHED_S)  # the log is away: that is no producer's fault
        elif current.stalls.is_stalled(current.queued, len(current.producer), now_s):
            self._renew(current, "it finishes nothing")

    def _begin(self) -> "_Producing":
        current = _Producing(Producer(self._config))
        current.thread = threading.Thread(target=self._serve, args=(current,), name="log-writer", daemon=True)
        current.thread.start()
        return current

    def _serve(self, current: "_Producing") -> None:
        """Until another takes over; what waits by then is reported as failed."""
        while not self._stopping.is_set() and not current.is_replaced:
            current.pulse.enter()
            current.producer.poll(_POLL_S)
            current.pulse.leave()
            if current.timed_out:
                self._renew(current, "a record timed out")
        if current.is_replaced:
            current.producer.purge()
            current.producer.flush(_POLL_S)  # their reports

    def _renew(self, current: "_Producing", why: str) -> None:
        with self._lock:
            if not current.is_replaced:
                current.is_replaced = True
                self._current = self._begin()
                count_replaced("writer")
                _log.warning("log_client_replaced", client="writer", why=why)

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            _log.error("log_writer_failed", error=str(error))
            if self._failed:
                self._failed(LogError(f"the log's producer cannot go on: {error}"))
        else:
            _log.warning("log_writer", error=str(error))


def _reported(
    current: _Producing,
    entry: Entry,
    report: Callable[[Report], None] | None,
    error: KafkaError | None,
    message: Message,
) -> None:
    if error is not None and error.code() == KafkaError._MSG_TIMED_OUT:  # noqa: SLF001 - confluent's public name
        current.timed_out = True
    if report is None:
        return
    if error is not None or current.refusing:
        report(Report(entry, -1, -1, _REFUSED if error is None else str(error)))
    else:
        report(Report(entry, message.partition() or 0, message.offset() or 0, None))


def _headers(entry: Entry) -> list[tuple[str, str | bytes | None]]:
    """The judge comes first, where readers look for it. A second header costs 1 µs a message: only REST has it."""
    if entry.trace:
        return [("judge", entry.judge), ("trace", entry.trace)]
    return [("judge", entry.judge)] if entry.judge else []
