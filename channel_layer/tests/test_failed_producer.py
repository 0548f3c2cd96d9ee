"""A producer that fails for good: librdkafka's idempotent one does after some errors, and sends nothing any more."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from channels_kafka_layer import KafkaUnavailable, TopicMissing, sending
from channels_kafka_layer.connection import Connection
from channels_kafka_layer.sending import Sender
from channels_kafka_layer.waiting import Waiter

FATAL = KafkaError(KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER, "the sequence is broken", fatal=True)


class Delivered:
    """A report of the driver on a record that is in the log."""

    def offset(self) -> int:
        return 0


class Producer:
    """Takes `good` records into the log, and fails for good at the next one; where `good` is None it takes all.

    A record that is to be refused fails alone, and one that is to be held is never reported.
    """

    def __init__(self, good: int | None, all_of_them: "Producers") -> None:
        self.good = good
        self.all = all_of_them
        self.due: list[tuple[bytes, Callable[[KafkaError | None, Any], None]]] = []

    def produce(self, _topic: str, value: bytes, _key: bytes, **rest: Any) -> None:
        self.due.append((value, rest["on_delivery"]))

    def poll(self, timeout_s: float) -> None:
        if not self.due:
            time.sleep(timeout_s / 100)
        while self.due:
            if self.good == 0:
                raise KafkaException(FATAL)
            value, report = self.due.pop(0)
            if value[-1:] in self.all.refused:
                report(KafkaError(KafkaError._MSG_TIMED_OUT, "it timed out"), None)
            if value[-1:] in self.all.refused | self.all.held:
                continue
            self.good = None if self.good is None else self.good - 1
            self.all.log.append(value)
            report(None, Delivered())

    def purge(self) -> None:
        self.due.clear()

    def flush(self, timeout_s: float) -> None:
        """Has nothing to do after a purge."""


class Producers:
    """Makes one producer after the other, which share a log and the choice of records that fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.log: list[bytes] = []
        self.to_come: list[int | None] = []
        self.refused: set[bytes] = set()
        self.held: set[bytes] = set()
        monkeypatch.setattr(sending, "Producer", lambda _: Producer(self.to_come.pop(0), self))


@pytest.fixture
def producers(monkeypatch: pytest.MonkeyPatch) -> Producers:
    return Producers(monkeypatch)


@pytest.fixture
def doubts() -> list[None]:
    return []


@pytest.fixture
def sender(doubts: list[None]) -> Sender:
    return Sender(Connection("nowhere:1", "channels"), b"thisnode", 30, doubt=lambda: doubts.append(None))


async def test_the_next_producer_sends_what_one_that_had_worked_no_longer_can(
    sender: Sender, producers: Producers, doubts: list[None]
) -> None:
    producers.to_come = [1, None]
    waiters: list[Waiter[None]] = [Waiter() for _ in range(3)]
    for number, waiter in enumerate(waiters):
        sender.send(b"gnobody", b"%d" % number, waiter)
    for waiter in waiters:
        await waiter
    assert [value[-1:] for value in producers.log] == [b"0", b"1", b"2"]
    assert len(doubts) == 1
    sender.close(5)


async def test_who_waits_for_a_producer_that_never_works_learns_why_and_the_next_call_makes_another(
    sender: Sender, producers: Producers
) -> None:
    producers.to_come = [0, None]
    first: Waiter[None] = Waiter()
    sender.send(b"gnobody", b"1", first)
    with pytest.raises(KafkaUnavailable, match="the sequence is broken"):
        await first
    second: Waiter[None] = Waiter()
    sender.send(b"gnobody", b"2", second)
    await second
    assert [value[-1:] for value in producers.log] == [b"2"]
    sender.close(5)


async def test_a_topic_that_is_found_to_be_missing_is_named_to_all_who_wait(producers: Producers) -> None:
    """The driver says no more of a deleted topic than that a record took too long."""
    found: list[Exception | None] = [None, TopicMissing("there is no topic"), None]

    def prepare() -> None:
        error = found.pop(0)
        if error is not None:
            raise error

    sender = Sender(Connection("nowhere:1", "channels"), b"thisnode", 30, prepare)
    producers.to_come = [None, None]
    producers.refused = {b"1"}
    producers.held = {b"2"}
    waiters: list[Waiter[None]] = [Waiter() for _ in range(2)]
    for number, waiter in enumerate(waiters, 1):
        sender.send(b"gnobody", b"%d" % number, waiter)
    with pytest.raises(KafkaUnavailable, match="timed out"):
        await waiters[0]
    with pytest.raises(TopicMissing):
        await waiters[1]
    third: Waiter[None] = Waiter()
    sender.send(b"gnobody", b"3", third)
    await third
    assert [value[-1:] for value in producers.log] == [b"3"]
    sender.close(5)
