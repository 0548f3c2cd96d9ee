"""Reads the topic's one partition on a thread of its own, without a consumer group."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from channels_kafka_layer.connection import Connection
from channels_kafka_layer.errors import KafkaUnavailable
from channels_kafka_layer.watching import Watch

_log = logging.getLogger(__name__)
_BATCH_MOST = 1_000
_POLL_S = 0.1
_TICK_S = 0.05
_STALLED_S = 5.0
_AGAIN_S = 1.0
_PARTITION = 0
_GONE = {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}  # noqa: SLF001 - confluent's public names begin with _


@dataclass(frozen=True, slots=True)
class Gap:
    """Records that were not read: those from `first` to before `next`, gone by the topic's retention.

    In a topic that was made anew, `next` is lower: its records before `next`, and old ones from `first`, were not read.
    """

    first: int
    next: int


class Node(Protocol):
    """Takes what was read. All calls come from one thread at a time."""

    def started(self, offset: int) -> None: ...
    def failed(self, error: KafkaUnavailable) -> None: ...
    def take(self, messages: Sequence[Message]) -> None: ...
    def replay(self, messages: Sequence[Message]) -> None:
        """Takes what was read back; `take` has had it before."""

    def end_replay(self) -> None: ...
    def moved(self) -> None:
        """Writes any record: the broker lets a fetch wait for one, and the reader fetches elsewhere only after that."""

    def jumped(self, gap: Gap) -> None: ...
    def tick(self) -> None:
        """Does what is due; called several times a second."""


class _Run:
    """One consumer and its thread."""

    def __init__(self) -> None:
        self.thread: threading.Thread | None = None
        self.is_broken = False
        self.paused_s: float | None = None

    def on_error(self, error: KafkaError) -> None:
        """Takes the driver's errors, inside a poll: a broker that went away."""
        _log.warning("The reader's connection: %s", error.str())
        self.is_broken = True


class Reader:
    """Reads from the log's end on. Begins again at the same offset, on a new thread, where it stalls.

    While its broker is away the partition is paused, until the leader has answered another client. librdkafka does not
    survive a fetch that a broker answers before it knows its partitions.
    """

    def __init__(
        self, connection: Connection, node: Node, timeout_s: float, prepare: Callable[[], None] = lambda: None
    ) -> None:
        self._connection = connection
        self._node = node
        self._timeout_s = timeout_s
        self._prepare = prepare
        self._watch: Watch | None = None
        self._lock = threading.Lock()  # held while a batch is taken, and while the position moves
        self._run: _Run | None = None
        self._back_to_ms: int | None = None
        self._boundary = 0
        self._moved = (-1, 0.0)
        self._ticked_s = 0.0
        self._is_closed = False
        self.position = -1
        self.replaced = 0

    def start(self) -> None:
        with self._lock:
            self._begin()

    def read_back(self, time_ms: int) -> None:
        """Makes the reader replay the records since a time of the log. Called on the reader's thread."""
        self._back_to_ms = time_ms

    def close(self, deadline_s: float) -> None:
        """Ends the reader for good. A thread that just begins ends by itself, as it sees the mark."""
        self._is_closed = True
        run, self._run = self._run, None
        if self._watch is not None:
            self._watch.close(deadline_s)
        if run is not None and run.thread is not None and run.thread is not threading.current_thread():
            run.thread.join(deadline_s)

    def _begin(self) -> None:
        run = _Run()
        run.thread = threading.Thread(target=self._serve, args=(run,), name="channels-kafka-reader", daemon=True)
        self._run = run
        run.thread.start()

    def _serve(self, run: _Run) -> None:
        try:
            watch = self._watch or self._find_place()
        except (KafkaUnavailable, KafkaException) as error:
            self._run = None
            self._node.failed(KafkaUnavailable.of(error))
            return
        consumer = Consumer(self._connection.reader() | {"error_cb": run.on_error})
        try:
            self._assign(consumer)
            while self._run is run and not self._is_closed:
                self._turn(run, consumer, watch)
        except Exception:  # noqa: BLE001 - a thread's edge: ending silently, the process would receive nothing more
            _log.exception("The reader failed; it begins again.")
            time.sleep(_AGAIN_S)
            with self._lock:
                if self._run is run:
                    self._begin()
        finally:
            consumer.close()

    def _find_place(self) -> Watch:
        """Begins at the topic's end."""
        self._prepare()
        watch = Watch(self._connection, self._look)
        try:
            self.position = watch.ends(self._timeout_s)[1]
        except KafkaUnavailable:
            watch.close(0)
            raise
        watch.start()
        self._watch = watch
        if self._is_closed:  # before there was a watch to close
            watch.close(0)
        self._node.started(self.position)
        return watch

    def _turn(self, run: _Run, consumer: Consumer, watch: Watch) -> None:
        if self._back_to_ms is not None:
            self._go_back(run, consumer, self._back_to_ms, watch)
        first = consumer.poll(_POLL_S)
        messages = [] if first is None else [first, *consumer.consume(_BATCH_MOST - 1, 0)]
        with self._lock:
            if self._run is run:
                self._take(consumer, messages, watch)
                self._tick()
        self._let_go(run, consumer, watch)

    def _tick(self) -> None:
        now_s = time.monotonic()
        if now_s - self._ticked_s > _TICK_S:
            self._ticked_s = now_s
            self._node.tick()

    def _take(self, consumer: Consumer, messages: Sequence[Message], watch: Watch) -> None:
        good = [message for message in messages if message.error() is None]
        if len(good) < len(messages):
            for message in messages:
                error = message.error()
                if error is not None and error.code() in _GONE:
                    self._jump(consumer, watch)
                    return
                if error is not None and error.code() != KafkaError.GROUP_AUTHORIZATION_FAILED:  # no group is joined
                    _log.warning("The reader: %s", error.str())
        if not good:
            return
        begin, end = good[0].offset() or 0, (good[-1].offset() or 0) + 1
        if begin < self.position:  # a seek that came late
            good = [message for message in good if (message.offset() or 0) >= self.position]
            if not good:
                return
        elif begin > self.position:
            self._node.jumped(Gap(self.position, begin))
        self._pass(good, end)

    def _pass(self, good: list[Message], end: int) -> None:
        """Hands a batch to the node, what was read back separately."""
        if self.position < self._boundary:
            old = [message for message in good if (message.offset() or 0) < self._boundary]
            self._node.replay(old)
            self.position = end
            if end >= self._boundary:
                self._node.end_replay()
            good = good[len(old) :]
        if good:
            self._node.take(good)
        self.position = end

    def _go_back(self, run: _Run, consumer: Consumer, time_ms: int, watch: Watch) -> None:
        """Moves to a time of the log, unless another run has taken over during the question: that one asks too."""
        try:
            begin = watch.offset_at(time_ms)
        except KafkaUnavailable as error:
            _log.warning("The reader: %s", error)
            return  # asked again in the next turn
        with self._lock:
            if self._run is not run:
                return
            self._back_to_ms = None
            self._boundary = self.position
            if begin is not None and begin < self.position:
                self.position = begin
                self._assign(consumer)
                self._node.moved()
            else:
                self._node.end_replay()

    def _jump(self, consumer: Consumer, watch: Watch) -> None:
        """Continues at the first record that is left; in a topic that was made anew, at its end."""
        first, end = watch.ends(self._timeout_s)
        gap = Gap(self.position, first if self.position < first else end)
        self.position = self._boundary = gap.next
        self._assign(consumer)
        self._node.jumped(gap)

    def _assign(self, consumer: Consumer) -> None:
        consumer.assign([TopicPartition(self._connection.topic, _PARTITION, self.position)])

    def _let_go(self, run: _Run, consumer: Consumer, watch: Watch) -> None:
        place = [TopicPartition(self._connection.topic, _PARTITION)]
        if run.is_broken:
            run.is_broken = False
            consumer.pause(place)
            run.paused_s = time.monotonic()
        if run.paused_s is not None:
            if watch.has_answered_since(run.paused_s):
                consumer.resume(place)
                run.paused_s = None
            else:
                watch.ask_soon()

    def _look(self, end: int) -> None:
        """Replaces a reader that does not move although there is more; called by the watch."""
        now_s = time.monotonic()
        position, since_s = self._moved
        if self.position >= end or self.position != position:
            self._moved = (self.position, now_s)
            return
        if now_s - since_s < _STALLED_S or not self._lock.acquire(blocking=False):
            return  # where the lock is held, a batch is being taken
        try:
            if not self._is_closed:
                self.replaced += 1
                self._moved = (self.position, now_s)
                _log.warning("The reader has read nothing for %d s: a new one takes over.", _STALLED_S)
                self._begin()
        finally:
            self._lock.release()
