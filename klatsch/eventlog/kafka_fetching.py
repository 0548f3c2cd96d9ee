"""Fetches from Kafka: converts the driver's messages to records, and pauses partitions while their broker is away."""

import time
from collections.abc import Sequence
from typing import Any

import structlog
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from klatsch.core.tracing import TRACE_BYTES_MOST
from klatsch.eventlog.log import LogError, OffsetGone, Record, TopicChanged
from klatsch.eventlog.watch import LogWatch

_log = structlog.get_logger(__name__)
_GONE = {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}  # noqa: SLF001 - confluent's public names begin with _
_CHANGED = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION}  # noqa: SLF001
_ALL_DOWN = KafkaError._ALL_BROKERS_DOWN  # noqa: SLF001
_BROKEN = KafkaError._TRANSPORT  # noqa: SLF001


class LettingGo:
    """Pauses the partitions of a broker that went away, until its successor answers another client (decision 0024).

    A broker that has just started may answer a fetch with "nobody leads this". librdkafka then reads beyond its
    memory, and may never read that partition again (its issues 5280 and 5431). `on_error` is its error callback, which
    runs inside a poll. Call `turn` after each poll, on the same thread.
    """

    def __init__(self, topic: str, watch: LogWatch) -> None:
        self._topic = topic
        self._watch = watch
        self._broken: set[int] = set()
        self._all = False
        self._let_go: dict[int, float] = {}

    def on_error(self, error: KafkaError) -> None:
        _log.warning("log_reader", error=error.str())
        if error.code() == _ALL_DOWN:
            self._all = True
        elif error.code() == _BROKEN and (broker := _broker_of(error.str())) is not None:
            self._broken.add(broker)

    def turn(self, consumer: Consumer) -> None:
        if self._all or self._broken:
            self._pause(consumer)
        if self._let_go:
            self._resume(consumer)

    def _pause(self, consumer: Consumer) -> None:
        held = [place.partition for place in consumer.assignment()]
        gone = [p for p in held if self._all or self._watch.leader(p) in {None, *self._broken}]
        self._all = False
        self._broken.clear()
        if gone:
            consumer.pause(self._places(gone))
            self._let_go |= dict.fromkeys(gone, time.monotonic())

    def _resume(self, consumer: Consumer) -> None:
        held = {place.partition for place in consumer.assignment()}
        self._let_go = {p: since_s for p, since_s in self._let_go.items() if p in held}
        back = [p for p, since_s in self._let_go.items() if self._watch.has_told_since(p, since_s)]
        if back:
            consumer.resume(self._places(back))
            for partition in back:
                del self._let_go[partition]
        if self._let_go:
            self._watch.ask_soon()

    def _places(self, partitions: Sequence[int]) -> list[TopicPartition]:
        return [TopicPartition(self._topic, partition) for partition in partitions]


def _broker_of(text: str) -> int | None:
    """Returns the broker's number in an error such as `10.0.0.7:9092/3: Connect to …`; None for the coordinator's."""
    address = text.partition(": ")[0]
    number = address.rpartition("/")[2]
    return int(number) if number.isdecimal() else None


def drain(consumer: Consumer, timeout_s: float, limit: int) -> list[Record]:
    """Waits for one message, then takes what is fetched: `consume(n, t)` alone would wait out its whole time (D1)."""
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
        message.timestamp()[1],
    )


def _judge(headers: Any) -> bytes:
    """Returns the header `judge`. Other tools may have added headers before it."""
    for name, value in headers or ():
        if name == "judge":
            return value if isinstance(value, bytes) else b""
    return b""


def _trace(headers: Any) -> bytes:
    """Returns the header `trace` if it is the second header, where Klatsch writes it."""
    name, trace = headers[1]
    return trace if name == "trace" and isinstance(trace, bytes) and len(trace) <= TRACE_BYTES_MOST else b""


def _raise_if_final(error: KafkaError) -> None:
    """Logs errors that librdkafka recovers from by itself; raises on all others, so that no record is skipped."""
    if error.code() in _GONE:
        raise OffsetGone(f"the log no longer holds what was to be read next: {error.str()}")
    if error.code() in _CHANGED:
        raise TopicChanged(f"the topic is gone: {error.str()}")
    if error.fatal():
        raise LogError(f"the log's reader cannot go on: {error.str()}")
    _log.warning("log_reader", error=error.str())
