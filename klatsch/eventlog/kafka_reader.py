"""Reads Kafka: `KafkaTail` reads all of it for sockets, without a group; `KafkaGroup` a share for the archive (D1)."""

import contextlib
from collections.abc import Callable, Mapping, Sequence

import structlog
from confluent_kafka import Consumer, TopicPartition

from klatsch.core.failures import end_process
from klatsch.eventlog.deadline import call_within
from klatsch.eventlog.kafka_asker import KafkaAsker
from klatsch.eventlog.kafka_connection import LOGGED, KafkaConnection
from klatsch.eventlog.kafka_fetching import LettingGo, drain
from klatsch.eventlog.log import Record
from klatsch.eventlog.pulse import PATIENCE_S, CallWatch, Pulse, ReadingWatch
from klatsch.eventlog.tailing import ReplaceableTail, next_offsets
from klatsch.eventlog.watch import LogWatch, Told, count_replaced

_log = structlog.get_logger(__name__)
_POLL_S = 0.2
_CLOSE_S = 5.0


class KafkaSource:
    """Reads given partitions of a topic from given offsets on."""

    def __init__(self, connection: KafkaConnection, topic: str, offsets: Mapping[int, int], watch: LogWatch) -> None:
        self.topic = topic
        self._letting_go = LettingGo(self.topic, watch)
        self.consumer = Consumer(connection.tail() | {"error_cb": self._letting_go.on_error} | LOGGED)
        self.consumer.assign([TopicPartition(self.topic, p, offset) for p, offset in offsets.items()])

    def read(self, limit: int) -> Sequence[Record]:
        records = drain(self.consumer, _POLL_S, limit)
        self._letting_go.turn(self.consumer)
        return records

    def close(self) -> None:
        self.consumer.close()


class KafkaTail(ReplaceableTail):
    """Reads all partitions of a topic on its own thread, and delivers whole batches."""

    def __init__(
        self,
        connection: KafkaConnection,
        topic: str,
        partitions: int,
        patience_s: float = PATIENCE_S,
        role: str = "tail",
    ) -> None:
        super().__init__(LogWatch(KafkaAsker(connection, topic, partitions)), patience_s, role)
        self.connection = connection
        self.topic = topic

    def open_source(self, offsets: Mapping[int, int]) -> KafkaSource:
        return KafkaSource(self.connection, self.topic, offsets, self.watch)


class KafkaGroup:
    """A member of a consumer group (KIP-848). `assigned` returns where to read; both callbacks run inside `poll`.

    A member that the `watch` finds stalled is replaced in the next `poll`. A `poll` that does not return cannot be
    replaced, as all work of its thread would have to be undone: `give_up` ends the process. The brokers also assign
    added partitions beyond the epoch's `partitions`; these are not read.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        topic: str,
        name: str,
        partitions: int,
        *,
        assigned: Callable[[Sequence[int]], Mapping[int, int]],
        revoked: Callable[[Sequence[int]], None],
        watch: LogWatch,
        patience_s: float = PATIENCE_S,
        give_up: Callable[[str], None] = end_process,
    ) -> None:
        self._topic = topic
        self._partitions = partitions
        self._config = connection.group(name) | LOGGED
        self._assigned = assigned
        self._revoked = revoked
        self._watch = watch
        self._give_up = give_up
        self._pulse = Pulse()
        self._calls = CallWatch()
        self._patience_s = patience_s
        self._stalls = ReadingWatch(patience_s)
        self._positions: dict[int, int] = {}
        self.consumer = self._join()
        watch.add(self)

    def poll(self, timeout_s: float, limit: int) -> Sequence[Record]:
        """Returns at most `limit` records, waiting for the first only. Raises OffsetGone, TopicChanged."""
        if self._stalls.stalled:
            self._replace(self._stalls.stalled)
        self._pulse.enter()
        try:
            records = drain(self.consumer, timeout_s, limit)
            self._letting_go.turn(self.consumer)
        finally:
            self._pulse.leave()
        if len(records) < limit:
            self._pulse.emptied += 1
        # A partition that was revoked within the poll is not held any more, and must not seem stalled.
        self._positions.update((p, offset) for p, offset in next_offsets(records).items() if p in self._positions)
        return records

    def seek(self, offsets: Mapping[int, int]) -> None:
        """Makes the next `poll` continue at these offsets, in those partitions that are still assigned."""
        mine = {partition.partition for partition in self.consumer.assignment()}
        back = [TopicPartition(self._topic, p, offset) for p, offset in offsets.items() if p in mine]
        if back:
            # Not `seek`: it is refused while a partition's fetcher starts, which is when a fenced member needs it.
            self.consumer.incremental_unassign(back)
            self.consumer.incremental_assign(back)
            self._positions.update({place.partition: place.offset for place in back})

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Reports the progress to lag tools. Klatsch never reads it, so the call does not wait."""
        self.consumer.commit(
            offsets=[TopicPartition(self._topic, p, offset) for p, offset in offsets.items()], asynchronous=True
        )

    def close(self) -> None:
        self._watch.remove(self)
        with contextlib.suppress(TimeoutError):
            call_within(_CLOSE_S, self.consumer.close)

    def look(self, told: Told, now_s: float) -> None:
        """Checks that the member makes progress; called by the watch."""
        if self._calls.is_overdue(self._pulse, now_s):
            self._give_up("the log's group member did not return")
        self._stalls.look(told.ends, self._positions.copy(), self._pulse.emptied, now_s)

    def _join(self) -> Consumer:
        self._letting_go = LettingGo(self._topic, self._watch)
        consumer = Consumer(self._config | {"error_cb": self._letting_go.on_error})
        consumer.subscribe([self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke)
        return consumer

    def _replace(self, stalled: list[int]) -> None:
        """Leaves the group and joins it anew; gives up where the old member does not leave in time."""
        count_replaced("group")
        _log.warning("log_client_replaced", client="group", why=f"partitions {stalled} are not read any more")
        old, held = self.consumer, list(self._positions)
        self._stalls, self._positions = ReadingWatch(self._patience_s), {}
        self._revoked(held)
        try:
            call_within(_CLOSE_S, old.close)
        except TimeoutError:
            self._give_up("the log's group member does not leave")
        self.consumer = self._join()

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._pulse.leave()  # `assigned` may take long
        offsets = self._assigned(self._known(partitions))
        self._pulse.enter()
        self._positions.update(offsets)
        consumer.incremental_assign([TopicPartition(self._topic, p, offset) for p, offset in offsets.items()])

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        known = self._known(partitions)
        mine = [p for p in known if self._positions.pop(p, None) is not None]
        if mine:
            self._revoked(mine)
        consumer.incremental_unassign([TopicPartition(self._topic, p) for p in known])

    def _known(self, partitions: Sequence[TopicPartition]) -> list[int]:
        return [p.partition for p in partitions if p.partition < self._partitions]
