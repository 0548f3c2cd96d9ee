"""Appends this node's records, in the order of their numbers, through a producer that is replaced when it stalls.

After a broker's restart librdkafka's producer may never send again. Its records are then sent once more by a new one,
with their numbers: readers drop a number that they have had from this sender already, so none counts twice.
"""

import functools
import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from channels.exceptions import MessageTooLarge
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from channels_kafka_layer.connection import Connection
from channels_kafka_layer.errors import KafkaUnavailable, TopicMissing
from channels_kafka_layer.records import head
from channels_kafka_layer.waiting import Waiter

_log = logging.getLogger(__name__)
_POLL_S = 0.1
_STALLED_S = 10.0
"""A producer that has finished nothing for this long, although records wait, is replaced."""
_GRACE_S = 5.0
"""The driver's own time-out comes first; a record that is still not settled this much later has failed."""
_LOOK_EVERY_S = 1.0
_PENDING_MOST = 50_000
_PARTITION = 0


@dataclass(slots=True)
class _Pending:
    key: bytes
    value: bytes
    since_s: float
    waiter: Waiter[None] | None
    offset: int | None = None
    """Where the record is in the log, once the broker has said so."""


class _Run:
    """One producer and its thread."""

    def __init__(self) -> None:
        self.producer: Producer | None = None
        self.thread: threading.Thread | None = None
        self.progress_s = time.monotonic()
        self.has_sent = False
        self.looked_s = -math.inf
        """When it was last looked why a record failed; infinite while that goes on."""


class Sender:
    """Sends records and says when they count: at the acknowledgement, or when the own reader has passed them.

    `prepare` runs before each producer, and may raise KafkaUnavailable. `doubt` is called before it where a record has
    failed: what was prepared may be gone. Make a sender after any fork.
    """

    def __init__(
        self,
        connection: Connection,
        node: bytes,
        timeout_s: float,
        prepare: Callable[[], None] = lambda: None,
        doubt: Callable[[], None] = lambda: None,
    ) -> None:
        self._connection = connection
        self._node = node
        self._timeout_s = timeout_s
        self._prepare = prepare
        self._doubt = doubt
        self._lock = threading.Lock()
        self._pending: OrderedDict[int, _Pending] = OrderedDict()
        self._number = 0
        self._run: _Run | None = None
        self._is_read_back = False
        self._passed = 0
        self._is_closed = False
        self.replaced = 0

    def send(self, key: bytes, payload: bytes, waiter: Waiter[None] | None = None) -> None:
        """Queues a record; wakes the waiter when it counts, or fails it. Raises KafkaUnavailable."""
        with self._lock:
            if self._is_closed:
                raise KafkaUnavailable("the layer was closed")
            if len(self._pending) >= _PENDING_MOST:
                raise KafkaUnavailable("too many messages wait to be sent")
            self._number += 1
            number = self._number
            pending = _Pending(key, head(self._node, number) + payload, time.monotonic(), waiter)
            self._pending[number] = pending
            if self._run is None:
                self._begin()
            elif self._run.producer is not None:
                self._produce(self._run, self._run.producer, number, pending)

    def open(self) -> None:
        """Makes the producer before the first record: an idempotent one needs half a second until it sends."""
        with self._lock:
            if self._run is None and not self._is_closed:
                self._begin()

    def read_back_from(self, offset: int) -> None:
        """Says that the own reader begins or continues at an offset; what lies before counts as passed."""
        with self._lock:
            self._is_read_back = True
            self._passed = offset
            passed = [
                n for n, pending in self._pending.items() if pending.offset is not None and pending.offset < offset
            ]
        for number in passed:
            self.settle(number)

    def settle(self, number: int, error: Exception | None = None) -> None:
        """Ends the wait for a record that the own reader has passed."""
        with self._lock:
            pending = self._pending.pop(number, None)
        if pending is not None:
            _end(pending, error)

    def close(self, deadline_s: float) -> None:
        """Sends what is queued and stops, within the deadline."""
        until_s = time.monotonic() + deadline_s
        with self._lock:
            self._is_closed = True
            run = self._run
        if run is not None:
            while run.producer is None and self._run is run and time.monotonic() < until_s:
                time.sleep(_POLL_S / 10)
            if run.producer is not None:
                run.producer.flush(max(until_s - time.monotonic(), 0.0))
            self._run = None
            assert run.thread is not None
            run.thread.join(max(until_s - time.monotonic(), 2 * _POLL_S))
        self._fail_all(KafkaUnavailable("the layer was closed"))

    def _begin(self) -> None:
        """Starts a producer on a new thread. The caller holds the lock."""
        run = _Run()
        run.thread = threading.Thread(target=self._serve, args=(run,), name="channels-kafka-sender", daemon=True)
        self._run = run
        run.thread.start()

    def _serve(self, run: _Run) -> None:
        try:
            self._prepare()
            producer = Producer(self._connection.producer(self._timeout_s))
        except (KafkaUnavailable, KafkaException) as error:
            self._give_up(run, KafkaUnavailable.of(error))
            return
        self._take_over(run, producer)
        while self._run is run:
            try:
                producer.poll(_POLL_S)
            except KafkaException as error:  # a fatal one: this producer sends nothing any more
                self._lose(run, error.args[0])
                break
            self._look(run)
        producer.purge()
        producer.flush(_POLL_S)

    def _lose(self, run: _Run, error: KafkaError) -> None:
        """Replaces a producer that failed for good. The successor of one that never sent anything would fail alike."""
        _log.warning("The producer has failed: %s", error.str())
        self._doubt()
        if not run.has_sent:
            self._give_up(run, _translated(error))
            return
        with self._lock:
            if self._run is run and not self._is_closed:
                self.replaced += 1
                self._begin()

    def _prepare_again(self, run: _Run) -> None:
        """Looks why a record failed. A topic that was deleted is made again, or named to all who wait for it."""
        self._doubt()
        try:
            self._prepare()
        except TopicMissing as error:
            self._give_up(run, error)
        except KafkaUnavailable as error:
            _log.warning("The producer: %s", error)
        run.looked_s = time.monotonic()

    def _give_up(self, run: _Run, error: Exception) -> None:
        """Fails what waits for a producer that cannot send; the next record begins another."""
        with self._lock:
            if self._run is not run:
                return
            self._run = None
            numbers = list(self._pending)
        for number in numbers:
            self.settle(number, error)

    def _take_over(self, run: _Run, producer: Producer) -> None:
        """Sends all that is not known to be in the log, in order, before anything new."""
        with self._lock:
            run.progress_s = time.monotonic()
            for number, pending in tuple(self._pending.items()):
                if pending.offset is None:
                    self._produce(run, producer, number, pending)
            run.producer = producer

    def _produce(self, run: _Run, producer: Producer, number: int, pending: _Pending) -> None:
        """Hands a record to the driver; fails it where the driver has no room. The caller holds the lock."""
        try:
            producer.produce(
                self._connection.topic,
                pending.value,
                pending.key,
                partition=_PARTITION,
                on_delivery=functools.partial(self._reported, run, number),
            )
        except BufferError as error:
            del self._pending[number]
            _end(pending, KafkaUnavailable(f"the driver took no message: {error}"))
        except KafkaException as error:
            del self._pending[number]
            _end(pending, _translated(error.args[0]))

    def _reported(self, run: _Run, number: int, error: KafkaError | None, message: Message) -> None:
        """Takes the driver's report, on the thread that polls."""
        if self._run is not run:
            return  # a new producer has the record
        run.progress_s = time.monotonic()
        if error is not None:
            failure = _translated(error)
            self.settle(number, failure)
            if time.monotonic() - run.looked_s > _LOOK_EVERY_S and not isinstance(failure, MessageTooLarge):
                run.looked_s = math.inf
                threading.Thread(
                    target=self._prepare_again, args=(run,), name="channels-kafka-look", daemon=True
                ).start()
            return
        run.has_sent = True
        offset = message.offset() or 0
        with self._lock:
            pending = self._pending.get(number)
            if pending is None:
                return
            pending.offset = offset
            is_settled = not self._is_read_back or offset < self._passed
        if is_settled:
            self.settle(number)

    def _look(self, run: _Run) -> None:
        """Replaces a producer that stalls, and fails what has waited too long."""
        now_s = time.monotonic()
        late = []
        with self._lock:
            for number, pending in self._pending.items():
                if now_s - pending.since_s < self._timeout_s + _GRACE_S:
                    break
                late.append(number)
            oldest = next((pending for pending in self._pending.values() if pending.offset is None), None)
            is_stalled = oldest is not None and now_s - max(oldest.since_s, run.progress_s) > _STALLED_S
            if is_stalled and self._run is run and not self._is_closed:
                self.replaced += 1
                _log.warning("The producer has finished nothing for %d s: a new one takes over.", _STALLED_S)
                self._begin()
        for number in late:
            self.settle(number, KafkaUnavailable("Kafka did not confirm a message in time"))

    def _fail_all(self, error: Exception) -> None:
        with self._lock:
            numbers = list(self._pending)
        for number in numbers:
            self.settle(number, error)


def _end(pending: _Pending, error: Exception | None) -> None:
    """Ends the wait for a record. What nobody waits for is repeated in time, but for what is too large every time."""
    if pending.waiter is None:
        if isinstance(error, MessageTooLarge):
            _log.error("A record of %d bytes is too large: %s", len(pending.value), error)
    elif error is None:
        pending.waiter.wake()
    else:
        pending.waiter.fail(error)


def _translated(error: KafkaError) -> Exception:
    if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
        return MessageTooLarge("it is larger than the topic, or message.max.bytes, allows")
    return KafkaUnavailable(f"Kafka did not take a message: {error.str()}")
