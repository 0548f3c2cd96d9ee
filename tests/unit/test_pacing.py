"""A writer sends few entries at once, and gathers many."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from klatsch.eventlog import kafka_writer
from klatsch.eventlog.kafka_connection import KafkaConnection
from klatsch.eventlog.kafka_writer import KafkaWriter
from klatsch.eventlog.log import Entry
from klatsch.eventlog.pacing import BUSY_PER_S, CALM_LOOK_S, CALM_PER_S, LOOK_S, Pace


def test_a_new_pace_is_calm() -> None:
    assert not Pace().is_busy


@pytest.mark.parametrize(("per_s", "is_busy"), [(BUSY_PER_S - 1, False), (BUSY_PER_S, True)])
def test_a_pace_becomes_busy_at_a_rate(per_s: int, *, is_busy: bool) -> None:
    pace = Pace()
    pace.look(0, 100.0)
    pace.look(per_s, 101.0)
    assert pace.is_busy is is_busy


@pytest.mark.parametrize(("per_s", "is_busy"), [(CALM_PER_S - 1, False), (CALM_PER_S, True)])
def test_a_busy_pace_is_calm_again_below_a_lower_rate(per_s: int, *, is_busy: bool) -> None:
    pace = Pace()
    pace.look(0, 100.0)
    pace.look(BUSY_PER_S, 101.0)
    pace.look(BUSY_PER_S + per_s, 102.0)
    assert pace.is_busy is is_busy


def test_a_short_burst_makes_no_pace_busy() -> None:
    pace = Pace()
    pace.look(0, 100.0)
    pace.look(BUSY_PER_S, 100.0 + LOOK_S / 2)
    assert not pace.is_busy


def test_a_busy_pace_outlives_a_short_silence() -> None:
    pace = Pace()
    pace.look(0, 100.0)
    pace.look(BUSY_PER_S, 101.0)
    pace.look(BUSY_PER_S, 101.0 + CALM_LOOK_S / 2)
    assert pace.is_busy
    pace.look(BUSY_PER_S, 101.0 + CALM_LOOK_S)
    assert not pace.is_busy


class FakeProducer:
    """Gathers what it is given until it is flushed."""

    made: list["FakeProducer"]

    def __init__(self, _config: object) -> None:
        self.waiting = 0
        self.flushed: list[int] = []
        self.called = threading.Event()
        self.made.append(self)

    def __len__(self) -> int:
        return self.waiting

    def produce(self, topic: str, value: bytes, key: bytes, **given: Any) -> None:
        self.waiting += 1

    def poll(self, timeout_s: float) -> int:
        threading.Event().wait(timeout_s)
        self.called.set()
        return 0

    def flush(self, timeout_s: float) -> int:
        if self.waiting:
            self.flushed.append(self.waiting)
            self.waiting = 0
        self.called.set()
        return 0


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> Iterator[KafkaWriter]:
    FakeProducer.made = []
    monkeypatch.setattr(kafka_writer, "Producer", FakeProducer)
    writer = KafkaWriter(KafkaConnection("nowhere:1"), "topic", 1)
    yield writer
    writer.close(0)


def append(writer: KafkaWriter, count: int) -> None:
    for _ in range(count):
        writer.append(Entry(b"key", b"value"))


def wait_called(producer: FakeProducer, times: int = 1) -> None:
    for _ in range(times):
        producer.called.clear()
        assert producer.called.wait(30)


def test_a_calm_writer_sends_each_entry_at_once(writer: KafkaWriter) -> None:
    [producer] = FakeProducer.made
    for number in range(1, 4):
        append(writer, 1)
        wait_called(producer, 2)
        assert producer.flushed == [1] * number


def test_a_busy_writer_leaves_its_entries_to_the_driver_until_it_is_calm(writer: KafkaWriter) -> None:
    [producer] = FakeProducer.made
    wait_called(producer, 2)
    while not writer._current.pace.is_busy:
        append(writer, 10_000)
        wait_called(producer)
    flushed = len(producer.flushed)
    append(writer, 20_000)
    wait_called(producer)
    assert len(producer.flushed) == flushed
    while not producer.flushed[flushed:]:
        append(writer, 1)
        wait_called(producer)
    assert not writer._current.pace.is_busy
