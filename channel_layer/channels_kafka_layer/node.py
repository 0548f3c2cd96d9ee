"""One process's end of the topic: its own channels and groups, and what each record means to it."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import msgpack
from channels.exceptions import ChannelFull
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Message

from channels_kafka_layer import records
from channels_kafka_layer.connection import Connection
from channels_kafka_layer.errors import KafkaUnavailable
from channels_kafka_layer.following import Following
from channels_kafka_layer.groups import Groups
from channels_kafka_layer.log_clock import LogClock
from channels_kafka_layer.mailboxes import Mailboxes
from channels_kafka_layer.names import new_node
from channels_kafka_layer.reading import Gap, Reader
from channels_kafka_layer.records import NODE_BYTES, Record, key_of
from channels_kafka_layer.sending import Sender
from channels_kafka_layer.topic import Topic
from channels_kafka_layer.waiting import Waiter

_log = logging.getLogger(__name__)
_LOG_EVERY_S = 1.0
_SENDERS_KEPT_S = 600.0
_CLOSE_S = 5.0
_CLOCKS = (
    "The topic %r has its senders' times: messages may expire wrongly. Set message.timestamp.type to LogAppendTime."
)
_MALFORMED = (ValueError, TypeError, KeyError, IndexError, AssertionError, msgpack.UnpackException)
_GROUP = records.GROUP[0]


@dataclass(frozen=True, slots=True)
class Settings:
    """The part of the layer's configuration that a node needs."""

    connection: Connection
    expiry_s: float
    timeout_s: float
    capacity_of: Callable[[str], int]
    create_topic: bool | int
    on_gap: Callable[[Gap], object] | None


class Node:
    """Sends at once; reads once a channel of its own, or a normal one, is used. Make it after any fork."""

    def __init__(self, settings: Settings) -> None:
        self.id = new_node()
        self.lock = threading.Lock()
        self.dropped = 0
        self.mailboxes = Mailboxes(settings.capacity_of, settings.expiry_s)
        self.groups = Groups()
        self.clock = LogClock()
        topic = Topic(settings.connection, settings.timeout_s, int(settings.create_topic))
        self.sender = Sender(settings.connection, self.id, settings.timeout_s, topic.ensure, topic.doubt)
        self.reader = Reader(settings.connection, self, settings.timeout_s, topic.ensure)
        self.following = Following(self.id, self.sender, settings.expiry_s, self.reader.read_back)
        self._settings = settings
        self._is_reading = False
        self._waiting: list[Waiter[None]] = []
        self._highest: dict[bytes, tuple[int, float]] = {}
        self._replayed: dict[bytes, int] = {}
        self._told: tuple[int, str, float] = (0, "", 0.0)
        self._is_told_of_clocks = False
        self._own_keys = {kind + self.id for kind in (records.MESSAGE, records.ADD, records.DISCARD)}
        self._concerns = {*self._own_keys, records.FLUSH}
        """The keys of the records that are looked into; all others cost no more than the look."""
        self._followed: set[bytes] = set()
        """Keys that are looked into besides: of groups that have normal channels as members."""

    @property
    def is_reading(self) -> bool:
        return self._is_reading

    def start_reading(self, waiter: Waiter[None]) -> None:
        """Wakes the waiter once the reader has its place in the log: what is sent from then on arrives."""
        with self.lock:
            if self._is_reading:
                waiter.wake()
                return
            self._waiting.append(waiter)
            is_first = len(self._waiting) == 1
        if is_first:
            self.reader.start()

    def add(self, group: str, channel: str) -> None:
        """Adds an own channel to a group. The caller holds the lock."""
        self.mailboxes.open(channel, time.monotonic())
        self.groups.add(group, channel)
        self._concerns.add(key_of(records.GROUP, group))

    def discard(self, group: str, channel: str) -> None:
        """Removes an own channel from a group. The caller holds the lock."""
        if self.groups.discard(group, channel):
            self._concerns.discard(key_of(records.GROUP, group))

    def close(self) -> None:
        """Sends what is queued and stops all threads, within some seconds."""
        self.sender.close(_CLOSE_S)
        self.reader.close(_CLOSE_S)

    # What the reader calls.

    def started(self, offset: int) -> None:
        self.sender.read_back_from(offset)
        self.sender.open()
        with self.lock:
            self._is_reading = True
            waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.wake()

    def failed(self, error: KafkaUnavailable) -> None:
        with self.lock:
            waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.fail(error)

    def take(self, messages: Sequence[Message]) -> None:
        """Goes through what was read. A record of others costs a look at its key, and at its sender."""
        now_s = time.monotonic()
        stamped_by, time_ms = messages[-1].timestamp()
        self.clock.observe(time_ms, now_s)
        if stamped_by != TIMESTAMP_LOG_APPEND_TIME and not self._is_told_of_clocks:
            self._is_told_of_clocks = True
            _log.warning(_CLOCKS, self._settings.connection.topic)
        concerns, followed, mine = self._concerns, self._followed, self.id
        for message in messages:
            key = message.key()
            value = message.value()
            if not key or value is None:
                continue  # not ours: our records have both
            if key in concerns or key[0] in self.following.kinds or key in followed:
                self._take_one(message, key, value, now_s)
            elif value[:NODE_BYTES] == mine:
                self.sender.settle(_record(message, key, value).number)

    def replay(self, messages: Sequence[Message]) -> None:
        kinds, following = self.following.kinds, self.following
        for message in messages:
            key = message.key()
            if not key or (key[0] not in kinds and (key[0] != _GROUP or not following.has_groups)):
                continue
            value = message.value()
            if value is None:
                continue
            record = _record(message, key, value)
            if record.number > self._replayed.get(record.sender, 0):
                self._replayed[record.sender] = record.number
                with self.lock:
                    try:
                        self.following.replay(record)
                    except _MALFORMED as error:
                        _tell_malformed(record, error)

    def end_replay(self) -> None:
        now_s = time.monotonic()
        with self.lock:
            for sender, number in self._replayed.items():
                if number > self._highest.get(sender, (0, 0.0))[0]:
                    self._highest[sender] = (number, now_s)
            self._replayed.clear()
            self.following.end_replay(now_s)
            self._know_groups()

    def moved(self) -> None:
        self.sender.send(records.PROBE, b"")

    def jumped(self, gap: Gap) -> None:
        if gap.first < gap.next:
            _log.warning("The records %d to %d were not read: the topic no longer holds them.", gap.first, gap.next - 1)
        else:
            _log.warning("The topic was made anew: it was read up to %d, and is read from %d on.", gap.first, gap.next)
        self.sender.read_back_from(gap.next)
        with self.lock:
            if self.following.kinds:
                self.following.restart(time.monotonic())
        if self._settings.on_gap is not None:
            # It may wait for the layer, which waits for the reader.
            threading.Thread(
                target=self._settings.on_gap, args=(gap,), name="channels-kafka-on-gap", daemon=True
            ).start()

    def tick(self) -> None:
        now_s = time.monotonic()
        with self.lock:
            if self.following.tick(now_s):
                self._know_groups()
            for channel in self.mailboxes.sweep(now_s):
                self._forget_groups(self.groups.end(channel))
            dropped, last, told_s = self._told
            if dropped < self.dropped and now_s - told_s >= _LOG_EVERY_S:
                _log.info("%d messages were dropped, as channels were full; last: %s", self.dropped - dropped, last)
                self._told = (self.dropped, last, now_s)
            for sender, (_, seen_s) in tuple(self._highest.items()):
                if now_s - seen_s > _SENDERS_KEPT_S:
                    del self._highest[sender]

    def _take_one(self, message: Message, key: bytes, value: bytes, now_s: float) -> None:
        """Applies a record that concerns this node, once: a replaced producer may have written it twice."""
        record = _record(message, key, value)
        outcome = None
        with self.lock:
            if record.number > self._highest.get(record.sender, (0, 0.0))[0]:
                self._highest[record.sender] = (record.number, now_s)
                try:
                    outcome = self._apply(record, now_s)
                except _MALFORMED as error:
                    _tell_malformed(record, error)
        if record.sender == self.id:
            self.sender.settle(record.number, outcome)

    def _apply(self, record: Record, now_s: float) -> ChannelFull | None:
        if record.kind == records.MESSAGE:
            life_ms, channel, body = record.fields()
            is_full = not self._put(channel, body, life_ms, record.time_ms, now_s)
            if is_full:
                self._drop(1, channel)
            return ChannelFull(channel) if is_full else None
        if record.kind == records.GROUP:
            self._send_to_group(record, now_s)
        elif record.kind == records.ADD:
            self.add(*record.fields())
        elif record.kind == records.DISCARD:
            self.discard(*record.fields())
        elif record.kind == records.FLUSH:
            self._flush(record, now_s)
        else:
            result = self.following.apply(record, now_s)
            self._know_group(record)
            return ChannelFull(record.name) if result.is_full else None
        return None

    def _send_to_group(self, record: Record, now_s: float) -> None:
        life_ms, body = record.group_fields()
        full = members = 0
        for channel in self.groups.members(record.name):
            members += 1
            full += not self._put(channel, body, life_ms, record.time_ms, now_s)
        if self.following.kinds:
            result = self.following.apply(record, now_s)
            if record.sender == self.id:  # all processes know of it, and one tells
                full, members = full + result.full_members, members + result.members
        if full:
            self._drop(full, f"{full} of {members} members of the group {record.name}")

    def _put(self, channel: str, body: bytes, life_ms: int, time_ms: int, now_s: float) -> bool:
        """Queues a message for its remaining life; one that has expired already is dropped in silence."""
        left_s = life_ms / 1_000 - self.clock.late_s(time_ms, now_s)
        return left_s <= 0 or self.mailboxes.put(channel, body, now_s + left_s, now_s)

    def _drop(self, count: int, where: str) -> None:
        self.dropped += count
        self._told = (self._told[0], where, self._told[2])

    def _flush(self, record: Record, now_s: float) -> None:
        self.mailboxes.clear()
        self._forget_groups(self.groups.clear())
        self.following.flush()
        if self.following.kinds:
            self.following.apply(record, now_s)
            self._know_groups()

    def _know_group(self, record: Record) -> None:
        """Looks into a group's records from a normal channel's JOIN on, until the last one's LEAVE."""
        if record.kind in {records.JOIN, records.RENEW}:
            group = record.fields()[0]
            if self.following.has_members(group):
                self._followed.add(key_of(records.GROUP, group))
        elif record.kind == records.LEAVE:
            [group] = record.fields()
            if not self.following.has_members(group):
                self._followed.discard(key_of(records.GROUP, group))
        elif record.kind == records.STATE:
            self._know_groups()

    def _know_groups(self) -> None:
        """Looks into the records of all groups that have normal channels as members, and of no others of theirs."""
        self._followed.clear()  # the set stays, as `take` has it at hand
        self._followed.update(key_of(records.GROUP, group) for group in self.following.groups())

    def _forget_groups(self, groups: Iterable[str]) -> None:
        """Ends the look into groups that have no own channels as members any more."""
        self._concerns.difference_update(key_of(records.GROUP, group) for group in groups)


def _record(message: Message, key: bytes, value: bytes) -> Record:
    return Record(key, value, message.offset() or 0, message.timestamp()[1])


def _tell_malformed(record: Record, error: Exception) -> None:
    _log.warning("The record %d is not one of this layer: %r", record.offset, error)
