"""Appends to Kafka through librdkafka, whose callbacks run on a thread of this process (D1)."""

import functools
import threading
import time
from collections.abc import Callable, Mapping

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from klatsch.eventlog.kafka_connection import LOGGED, KafkaConnection
from klatsch.eventlog.log import Entry, LogError, LogFull, Report
from klatsch.eventlog.pacing import LOOK_S, Pace
from klatsch.eventlog.partitions import partition_of
from klatsch.eventlog.pulse import CallWatch, Pulse, WritingWatch
from klatsch.eventlog.watch import LogWatch, Told, count_replaced

_log = structlog.get_logger(__name__)
_POLL_S = 0.1
_IDLE_S = 0.5
"""The intervals at which a calm writer polls: while an entry waits, and while none does. Only errors come then."""
_FINISHED_S = 10.0
"""The time within which a producer has sent or failed what was queued; beyond its own time-out."""
_REFUSED = "the topic is no longer the log"


class _Producing:
    """One producer, the thread that polls it, and the state that its watch checks.

    Concurrent appends may lose a count of `queued`, so that less seems finished. Only its growth matters.
    """

    def __init__(self, producer: Producer) -> None:
        self.producer = producer
        self.thread = threading.current_thread()
        self.pulse, self.calls, self.stalls = Pulse(), CallWatch(), WritingWatch(_FINISHED_S)
        self.pace = Pace()
        self.appended = threading.Event()
        """Set where an entry is to be sent at once."""
        self.queued = 0
        self.timed_out = False
        self.is_replaced = False
        self.refusing = False


class KafkaWriter:
    """Appends to a topic with `acks=all`, idempotently, reporting each entry at most once. Create it after any fork.

    `producer` replaces settings of the driver, for a topic that may lose records. With it, a record that times out is
    no reason for a new producer. `role` is the name of the writer in metrics and log lines.

    With `reports="errors"` only failures are reported: a gateway learns of success by reading the log back. `failed`
    is called once when librdkafka can no longer continue; the process should then stop. Once a record has timed out, a
    new producer takes over, as the old one may never send again. Records that still waited are reported as failed.
    With a `watch`, a new producer also replaces one that finishes nothing and one whose thread does not return.
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
        producer: Mapping[str, str | int | float | bool] | None = None,
        role: str = "writer",
    ) -> None:
        self._topic = topic
        self._partitions = partitions
        self._failed = failed
        self._config = (
            dict(producer or connection.producer(partitions))
            | {"delivery.report.only.error": reports == "errors", "error_cb": self._on_error}
            | LOGGED
        )
        self._role = role
        self._is_durable = producer is None
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
        if not current.pace.is_busy and not current.appended.is_set():  # setting it takes a lock
            current.appended.set()

    def refuse(self) -> None:
        """Appends nothing more and reports waiting entries as failed: the topic is no longer the log."""
        self._refusing = self._current.refusing = True

    def close(self, deadline_s: float) -> int:
        """Sends what is queued; returns how many entries were still unsent at the deadline."""
        if self._watch is not None:
            self._watch.remove(self)
        current = self._current
        unsent: int = current.producer.flush(deadline_s)
        self._stopping.set()
        current.appended.set()
        current.thread.join(_POLL_S * 10)
        return unsent

    def look(self, told: Told, now_s: float) -> None:
        """Replaces the producer where it stalls; called by the watch."""
        current = self._current
        if current.calls.is_overdue(current.pulse, now_s):
            self._renew(current, "a call did not return")
        elif not told.ends:
            current.stalls = WritingWatch(_FINISHED_S)  # the log is away, which is not the producer's fault
        elif current.stalls.is_stalled(current.queued, len(current.producer), now_s):
            self._renew(current, "it finishes nothing")

    def _begin(self) -> "_Producing":
        current = _Producing(Producer(self._config))
        current.thread = threading.Thread(target=self._serve, args=(current,), name="log-writer", daemon=True)
        current.thread.start()
        return current

    def _serve(self, current: "_Producing") -> None:
        """Polls until another producer takes over; entries that then still wait are reported as failed.

        A calm writer flushes what is appended: the driver gathers nothing meanwhile.
        """
        producer, pace, pulse = current.producer, current.pace, current.pulse
        while not self._stopping.is_set() and not current.is_replaced:
            if not pace.is_busy:
                current.appended.wait(_POLL_S if len(producer) else _IDLE_S)
                current.appended.clear()
            pulse.enter()
            (producer.poll if pace.is_busy else producer.flush)(LOOK_S)
            pulse.leave()
            pace.look(current.queued, time.monotonic())
            if current.timed_out and self._is_durable:
                self._renew(current, "a record timed out")
        if current.is_replaced:
            current.producer.purge()
            current.producer.flush(_POLL_S)  # delivers their reports

    def _renew(self, current: "_Producing", why: str) -> None:
        with self._lock:
            if not current.is_replaced:
                current.is_replaced = True
                self._current = self._begin()
                count_replaced(self._role)
                _log.warning("log_client_replaced", client=self._role, why=why)

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
    """Returns the headers, `judge` first. A second header costs 1 µs per message: only REST adds one."""
    if entry.trace:
        return [("judge", entry.judge), ("trace", entry.trace)]
    return [("judge", entry.judge)] if entry.judge else []
