"""Reads Kafka: `KafkaTail` all of it for sockets, in no group; `KafkaGroup` a share of it for the archive (D1)."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from klatsch.core.tracing import TRACE_BYTES_MOST
from klatsch.eventlog.kafka_connection import LOGGED, NOT_LOGGED, KafkaConnection
from klatsch.eventlog.log import LogError, OffsetGone, Record, TopicChanged

_log = structlog.get_logger(__name__)
_POLL_S = 0.2
_BATCH_MOST = 1_000
_ASK_S = 10.0
_AGAIN_S = 0.1
_LOOK_S = 2.0
_GONE = {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}  # noqa: SLF001 - confluent's public names begin so
_CHANGED = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}  # noqa: SLF001


class KafkaTail:
    """Reads all partitions on its own thread, and hands over whole batches."""

    def __init__(self, connection: KafkaConnection, partitions: int) -> None:
        self._topic = connection.topic
        self._partitions = partitions
        self._connection = connection
        # Asks on connections of its own: a broker answers nothing else on one while a fetch waits there for records,
        # and librdkafka answered `offsets_for_times` on a consumer that another thread polls only after its time-out.
        self._asking = Consumer(connection.tail() | {"error_cb": _on_error} | NOT_LOGGED)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._known: dict[int, int] = {}

    def ends(self, deadline_s: float = _ASK_S) -> dict[int, int]:
        """The offset after the last record of each partition, now; raises LogError when nobody says so in time."""
        return self._ask_offsets(-1, deadline_s)

    def known_ends(self) -> dict[int, int]:
        """The same as reading has shown them in the last seconds, where it has; asks nobody."""
        return self._known

    def offsets_at(self, time_ms: int) -> dict[int, int]:
        """The first offset of each partition whose record is of that time or later; else the end."""
        found = self._ask_offsets(time_ms, _ASK_S)
        if any(offset < 0 for offset in found.values()):
            ends = self.ends()
            found = {p: offset if offset >= 0 else ends[p] for p, offset in found.items()}
        return found

    def _ask_offsets(self, time_ms: int, deadline_s: float) -> dict[int, int]:
        asked = [TopicPartition(self._topic, p, time_ms) for p in range(self._partitions)]
        until_s = time.monotonic() + deadline_s
        while True:
            try:
                answers = self._asking.offsets_for_times(asked, timeout=max(until_s - time.monotonic(), _AGAIN_S))
                refused = next((answer.error for answer in answers if answer.error is not None), None)
            except KafkaException as error:
                answers, refused = [], error.args[0]
            if refused is None:
                return {answer.partition: answer.offset for answer in answers}
            # A partition that was just made, or whose leader has just gone, has one again in a moment.
            if time.monotonic() > until_s or self._stopping.wait(_AGAIN_S):
                raise LogError(f"the log does not answer: {refused}")

    def start(
        self,
        offsets: Mapping[int, int],
        deliver: Callable[[Sequence[Record]], None],
        failed: Callable[[LogError], None],
    ) -> None:
        """Calls `deliver` on the tail's thread with batches in the partitions' order; `failed` once, then nothing."""
        reading = Consumer(self._connection.tail() | {"error_cb": _on_error} | LOGGED)
        reading.assign([TopicPartition(self._topic, p, offset) for p, offset in offsets.items()])
        self._thread = threading.Thread(
            target=self._serve, args=(reading, deliver, failed), name="log-tail", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """No `deliver` after this returns."""
        self._stopping.set()
        if self._thread:
            self._thread.join()
        self._asking.close()

    def _serve(
        self,
        reading: Consumer,
        deliver: Callable[[Sequence[Record]], None],
        failed: Callable[[LogError], None],
    ) -> None:
        try:
            look_at_s = 0.0
            while not self._stopping.is_set():
                if records := _drain(reading, _POLL_S, _BATCH_MOST):
                    deliver(records)
                if time.monotonic() >= look_at_s:
                    self._known = self._look(reading)
                    look_at_s = time.monotonic() + _LOOK_S
        except LogError as error:
            failed(error)
        except BaseException as error:  # noqa: BLE001 - a thread's edge: in silence, sockets would lose their feed
            _log.exception("log_tail_failed")
            failed(LogError(f"the log's reader cannot go on: {error!r}"))
        finally:
            reading.close()

    def _look(self, reading: Consumer) -> dict[int, int]:
        """What fetches have told; on the reading thread, as on another it never returned (confluent-kafka 2.15)."""
        places = (TopicPartition(self._topic, partition) for partition in range(self._partitions))
        marks = {place.partition: reading.get_watermark_offsets(place, cached=True) for place in places}
        return {partition: mark[1] for partition, mark in marks.items() if mark is not None and mark[1] >= 0}


class KafkaGroup:
    """A member of a consumer group (KIP-848). `assigned` says from where to read; both callbacks run inside `poll`."""

    def __init__(
        self,
        connection: KafkaConnection,
        name: str,
        *,
        assigned: Callable[[Sequence[int]], Mapping[int, int]],
        revoked: Callable[[Sequence[int]], None],
    ) -> None:
        self._topic = connection.topic
        self._assigned = assigned
        self._revoked = revoked
        self._consumer = Consumer(connection.group(name) | {"error_cb": _on_error} | LOGGED)
        self._consumer.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )

    def poll(self, timeout_s: float, limit: int) -> Sequence[Record]:
        """At most `limit` records; waits for the first one only. Raises OffsetGone, TopicChanged."""
        return _drain(self._consumer, timeout_s, limit)

    def seek(self, offsets: Mapping[int, int]) -> None:
        """The next `poll` goes on from there, in those of the partitions that are still assigned."""
        mine = {partition.partition for partition in self._consumer.assignment()}
        back = [TopicPartition(self._topic, p, offset) for p, offset in offsets.items() if p in mine]
        if back:
            # Not `seek`: it is refused while a partition's fetcher starts, which is when a fenced member needs it.
            self._consumer.incremental_unassign(back)
            self._consumer.incremental_assign(back)

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Tells lag tools how far it is; nothing of ours reads it, so nobody waits for it."""
        self._consumer.commit(
            offsets=[TopicPartition(self._topic, p, offset) for p, offset in offsets.items()], asynchronous=True
        )

    def close(self) -> None:
        self._consumer.close()

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        offsets = self._assigned([p.partition for p in partitions])
        consumer.incremental_assign([TopicPartition(self._topic, p, offset) for p, offset in offsets.items()])

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._revoked([p.partition for p in partitions])
        consumer.incremental_unassign(partitions)


def _drain(consumer: Consumer, timeout_s: float, limit: int) -> list[Record]:
    """Waits for one message, then takes what is there: `consume(n, t)` alone waits out its whole time (D1)."""
    first = consumer.poll(timeout_s)
    if first is None:
        return []
    records: list[Record] = []
    for message in (first, *consumer.consume(limit - 1, 0)):
        error = message.error()
        if error is None:
            records.append(_record(message))
        else:
            _raise_if_final(error)
    return records


def _record(message: Message) -> Record:
    headers = message.headers()
    return Record(
        message.partition() or 0,
        message.offset() or 0,
        message.key() or b"",
        message.value() or b"",
        _judge(headers),
        _trace(headers) if headers is not None and len(headers) > 1 else b"",
    )


def _judge(headers: Any) -> bytes:
    """The header `judge`; ours has no other, but tools on the way may add theirs."""
    for name, value in headers or ():
        if name == "judge":
            return value if isinstance(value, bytes) else b""
    return b""


def _trace(headers: Any) -> bytes:
    """The header `trace` where it comes second, as ours does."""
    name, trace = headers[1]
    return trace if name == "trace" and isinstance(trace, bytes) and len(trace) <= TRACE_BYTES_MOST else b""


def _raise_if_final(error: KafkaError) -> None:
    """What librdkafka mends by itself is logged; what it cannot is an error, never a silent skip."""
    if error.code() in _GONE:
        raise OffsetGone(f"the log no longer holds what was to be read next: {error.str()}")
    if error.code() in _CHANGED:
        raise TopicChanged(f"the topic is gone: {error.str()}")
    if error.fatal():
        raise LogError(f"the log's reader cannot go on: {error.str()}")
    _log.warning("log_reader", error=error.str())


def _on_error(error: KafkaError) -> None:
    _log.warning("log_reader", error=error.str())
