"""A newcomer to the normal channels reads the log, record by record."""

from dataclasses import dataclass, field

import pytest

from channels_kafka_layer import records
from channels_kafka_layer.connection import Connection
from channels_kafka_layer.following import Following
from channels_kafka_layer.records import Record, head, key_of, pack_fields
from channels_kafka_layer.sending import Sender
from channels_kafka_layer.waiting import Waiter

EXPIRY_S = 60
FOUND_S = 2.0
"""Longer than a newcomer waits for an answer."""


@dataclass
class Log:
    """A log in memory, and its clock."""

    written: list[Record] = field(default_factory=list)
    now_s: float = 1_000.0

    def append(self, key: bytes, payload: bytes, node: bytes) -> None:
        offset = len(self.written)
        self.written.append(Record(key, head(node, offset + 1) + payload, offset, int(self.now_s * 1_000)))

    def send(self, body: bytes) -> None:
        """Appends a message to the channel, from a process that ends then."""
        payload = pack_fields(100, EXPIRY_S * 1_000, body)
        self.append(key_of(records.QUEUED, "tasks"), payload, b"manage.py"[:8])


class Process(Sender):
    """A process that follows a log in memory: `read` and `read_back` do what the reader does."""

    def __init__(self, log: Log, node: bytes) -> None:
        super().__init__(Connection("nowhere:1", "channels"), node, 1.0)
        self.node = node
        self.log = log
        self.position = len(log.written)
        self.back_to_ms: int | None = None
        self.following = Following(node, self, EXPIRY_S, self._note)

    def send(self, key: bytes, payload: bytes, waiter: Waiter[None] | None = None) -> None:  # noqa: ARG002 - Sender's
        self.log.append(key, payload, self.node)

    def begin(self) -> None:
        self.following.begin(self.log.now_s, Waiter())

    def read(self) -> None:
        """Takes what is new, as one batch."""
        batch, self.position = self.log.written[self.position :], len(self.log.written)
        for record in batch:
            self.following.apply(record, self.log.now_s)

    def read_back(self) -> None:
        """Replays what was read before, from the time on that was asked for."""
        assert self.back_to_ms is not None
        for record in self.log.written[: self.position]:
            if record.time_ms >= self.back_to_ms:
                self.following.replay(record)
        self.following.end_replay(self.log.now_s)

    def tick(self) -> None:
        self.following.tick(self.log.now_s)

    def take(self) -> bytes | None:
        """Returns the message that a `receive` gets at once."""
        offer = self.following.offer("tasks", self.log.now_s)
        self.read()
        return None if offer.message is None else offer.message.body

    def kinds_since(self, offset: int) -> list[bytes]:
        return [record.kind for record in self.log.written[offset:] if record.sender == self.node]

    def _note(self, time_ms: int) -> None:
        self.back_to_ms = time_ms


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def worker(log: Log) -> Process:
    """Returns a newcomer, whose probe is the log's next record."""
    return Process(log, b"worker-1")


async def test_what_is_sent_behind_a_newcomers_probe_by_a_process_that_ends_has_one_reader(
    log: Log, worker: Process
) -> None:
    log.send(b"before")
    worker.read()
    worker.begin()
    log.send(b"behind")
    worker.read()
    worker.read_back()
    worker.read()
    log.now_s += FOUND_S
    worker.tick()
    worker.read()
    assert worker.following.is_agreed
    assert [worker.take() for _ in range(3)] == [b"before", b"behind", None]


async def test_what_is_sent_behind_a_newcomers_probe_has_one_reader_where_others_answer(
    log: Log, worker: Process
) -> None:
    other = Process(log, b"worker-0")
    other.begin()
    other.read()
    other.read_back()
    assert other.following.is_agreed
    worker.read()
    worker.begin()
    log.send(b"behind")
    worker.read()
    worker.read_back()
    other.read()
    log.now_s += 1
    other.tick()
    assert other.kinds_since(worker.position) == [records.STATE]
    worker.read()
    assert worker.following.is_agreed
    assert [worker.take() for _ in range(2)] == [b"behind", None]
    other.read()
    assert other.take() is None


async def test_a_flush_behind_a_newcomers_probe_wakes_nobody_before_all_is_read_back(log: Log, worker: Process) -> None:
    log.send(b"before")
    worker.read()
    worker.begin()
    log.append(records.FLUSH, b"", b"manage.py"[:8])
    log.send(b"behind")
    worker.read()
    assert not worker.following.is_agreed
    worker.read_back()
    assert worker.following.is_agreed
    assert [worker.take() for _ in range(2)] == [b"behind", None]


async def test_a_newcomer_asks_where_what_it_saw_behind_its_probe_is_gone_before_it_is_read_back(
    log: Log, worker: Process
) -> None:
    """Somebody deleted the topic's records: an empty log here is not a silent one."""
    worker.begin()
    log.send(b"behind")
    worker.read()
    worker.following.end_replay(log.now_s)
    assert not worker.following.is_agreed
    assert worker.kinds_since(1) == [records.HELLO]


async def test_reading_back_that_ends_after_a_gap_tells_nothing(log: Log, worker: Process) -> None:
    """The reader missed records while it read back: the newcomer begins anew, at a new probe."""
    worker.begin()
    worker.read()
    worker.following.restart(log.now_s)
    worker.read_back()
    assert not worker.following.is_agreed
    worker.read()
    worker.read_back()
    assert worker.following.is_agreed
