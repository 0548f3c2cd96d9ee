"""A producer, or the thread that polls it, that does not go on: another one takes over."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prometheus_client import REGISTRY

from klatsch.eventlog import kafka_writer
from klatsch.eventlog.kafka_connection import KafkaConnection
from klatsch.eventlog.kafka_writer import KafkaWriter
from klatsch.eventlog.log import Entry
from klatsch.eventlog.pulse import CALL_MOST_S
from klatsch.eventlog.watch import Told

_ENTRY = Entry(b"key", b"value")
_ANSWERS = Told({0: 1})


class FakeProducer:
    """Keeps what it is given; does not come back from a poll while it is `hung`."""

    made: list["FakeProducer"]

    def __init__(self, _config: object) -> None:
        self.waiting: list[bytes] = []
        self.polled = threading.Event()
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.hung = threading.Event()
        self.purged = threading.Event()
        self.made.append(self)

    def __len__(self) -> int:
        return len(self.waiting)

    def produce(self, topic: str, value: bytes, key: bytes, **given: Any) -> None:
        self.waiting.append(value)

    def poll(self, timeout_s: float) -> int:
        self.polled.set()
        self.purged.wait(0.001)
        if not self.goes_on.is_set():
            self.hung.set()
            self.goes_on.wait()
        return 0

    def purge(self) -> None:
        self.purged.set()

    def flush(self, timeout_s: float) -> int:
        self.poll(timeout_s)
        return len(self.waiting)


def replaced() -> float:
    return REGISTRY.get_sample_value("klatsch_log_clients_replaced_total", {"client": "writer"}) or 0.0


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> Iterator[KafkaWriter]:
    FakeProducer.made = []
    monkeypatch.setattr(kafka_writer, "Producer", FakeProducer)
    writer = KafkaWriter(KafkaConnection("nowhere:1"), "topic", 1)
    yield writer
    for producer in FakeProducer.made:
        producer.goes_on.set()
    writer.close(0)


def look_for(writer: KafkaWriter, seconds: int, told: Told, meanwhile: Callable[[], object] = lambda: None) -> None:
    """Lets a second pass for the watch whenever the newest producer has been polled again, where that goes on."""
    for second in range(seconds):
        meanwhile()
        newest = FakeProducer.made[-1]
        newest.polled.clear()
        if newest.goes_on.is_set():
            assert newest.polled.wait(30)
        writer.look(told, float(second))


def test_a_producer_that_finishes_nothing_while_the_log_answers_is_replaced(writer: KafkaWriter) -> None:
    before = replaced()
    [first] = FakeProducer.made
    writer.append(_ENTRY)
    look_for(writer, 12, _ANSWERS, lambda: writer.append(_ENTRY))
    [_, second] = FakeProducer.made
    kept = len(first)
    writer.append(_ENTRY)

    assert first.purged.wait(30)
    assert len(first) == kept
    assert second.waiting[-1] == b"value"
    assert replaced() == before + 1


def test_a_log_that_does_not_answer_is_no_producer_s_fault(writer: KafkaWriter) -> None:
    writer.append(_ENTRY)
    look_for(writer, 20, Told())

    assert len(FakeProducer.made) == 1


def test_a_producer_that_finishes_what_it_is_given_is_left_alone(writer: KafkaWriter) -> None:
    [first] = FakeProducer.made
    for _ in range(5):
        writer.append(_ENTRY)

    def go_on() -> None:
        writer.append(_ENTRY)
        del first.waiting[0]

    look_for(writer, 100, _ANSWERS, go_on)

    assert len(FakeProducer.made) == 1


@pytest.mark.parametrize("told", [_ANSWERS, Told()])
def test_a_poll_that_never_returns_is_left_behind_with_its_thread(writer: KafkaWriter, told: Told) -> None:
    [first] = FakeProducer.made
    first.goes_on.clear()
    assert first.hung.wait(30)
    look_for(writer, int(CALL_MOST_S) + 1, told)
    [_, second] = FakeProducer.made
    writer.append(_ENTRY)

    assert second.waiting == [b"value"]
    assert second.polled.wait(30)
    assert not first.purged.is_set()
