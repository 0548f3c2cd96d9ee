"""A group member whose poll does not return: nobody can take its thread's place, so the process is given up."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from klatsch.eventlog import kafka_reader
from klatsch.eventlog.kafka_connection import KafkaConnection
from klatsch.eventlog.kafka_reader import KafkaGroup
from klatsch.eventlog.memory import MemoryAsker, MemoryLog
from klatsch.eventlog.pulse import CALL_MOST_S
from klatsch.eventlog.watch import LogWatch, Told

_NEVER_S = 3_600.0


class FakeConsumer:
    """Assigns partition 0 in the first poll, which does not return while `held`."""

    def __init__(self, _config: object) -> None:
        self.polling = threading.Event()
        self.held = threading.Event()
        self._on_assign: Callable[..., None] | None = None

    def subscribe(self, topics: list[str], on_assign: Callable[..., None], **others: Any) -> None:
        self._on_assign = on_assign

    def poll(self, timeout_s: float) -> None:
        if self._on_assign is not None:
            on_assign, self._on_assign = self._on_assign, None
            on_assign(self, [SimpleNamespace(partition=0)])
        self.polling.set()
        self.held.wait(30)

    def incremental_assign(self, partitions: list[Any]) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Does nothing: it holds nothing."""


class LosingConsumer:
    """Gives a record of partition 0 in the first poll, and loses the partition while further ones are consumed."""

    def __init__(self, _config: object) -> None:
        self._records = [record_at(0)]
        self._held = [SimpleNamespace(partition=0)]

    def subscribe(
        self, topics: list[str], on_assign: Callable[..., None], on_revoke: Callable[..., None], **_: Any
    ) -> None:
        self._on_assign, self._on_revoke = on_assign, on_revoke

    def poll(self, timeout_s: float) -> Any:
        if not self._records:
            return None
        self._on_assign(self, self._held)
        return self._records.pop()

    def consume(self, limit: int, timeout_s: float) -> list[Any]:
        self._on_revoke(self, self._held)
        return []

    def incremental_assign(self, partitions: list[Any]) -> None:
        """Does nothing."""

    def incremental_unassign(self, partitions: list[Any]) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Does nothing: it holds nothing."""


def record_at(offset: int) -> Any:
    """Returns a message of the driver, of partition 0."""
    parts = {"partition": 0, "offset": offset, "key": b"key", "value": b"value", "timestamp": (1, 0)}
    return SimpleNamespace(error=lambda: None, headers=lambda: None, **{k: lambda v=v: v for k, v in parts.items()})


@pytest.fixture
def given_up() -> list[str]:
    return []


@pytest.fixture
def assigning() -> threading.Event:
    """Holds up what is asked on assignment until it is set."""
    return threading.Event()


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch, given_up: list[str], assigning: threading.Event) -> Iterator[KafkaGroup]:
    monkeypatch.setattr(kafka_reader, "Consumer", FakeConsumer)

    def assigned(partitions: Sequence[int]) -> Mapping[int, int]:
        assigning.wait(30)
        return dict.fromkeys(partitions, 0)

    watch = LogWatch(MemoryAsker(MemoryLog(1)), _NEVER_S)
    group = KafkaGroup(
        KafkaConnection("nowhere:1"),
        "topic",
        "persister",
        1,
        assigned=assigned,
        revoked=lambda _: None,
        watch=watch,
        give_up=given_up.append,
    )
    polling = threading.Thread(target=group.poll, args=(0.5, 10))
    polling.start()
    yield group
    assigning.set()
    fake(group).held.set()
    polling.join(30)
    watch.close()


def fake(group: KafkaGroup) -> FakeConsumer:
    assert isinstance(group.consumer, FakeConsumer)
    return group.consumer


def test_a_poll_that_does_not_return_gives_the_process_up(
    group: KafkaGroup, given_up: list[str], assigning: threading.Event
) -> None:
    assigning.set()
    assert fake(group).polling.wait(30)
    group.look(Told({0: 5}), 0.0)
    group.look(Told({0: 5}), CALL_MOST_S - 1)
    assert given_up == []
    group.look(Told({0: 5}), CALL_MOST_S)

    assert given_up == ["the log's group member did not return"]


def test_what_is_asked_on_assignment_may_take_as_long_as_postgresql_is_away(
    group: KafkaGroup, given_up: list[str]
) -> None:
    for second in range(100):
        group.look(Told({0: 5}), float(second))

    assert given_up == []


def test_a_partition_that_another_member_takes_over_within_a_poll_is_not_missed(
    monkeypatch: pytest.MonkeyPatch, given_up: list[str]
) -> None:
    monkeypatch.setattr(kafka_reader, "Consumer", LosingConsumer)
    watch = LogWatch(MemoryAsker(MemoryLog(1)), _NEVER_S)
    group = KafkaGroup(
        KafkaConnection("nowhere:1"),
        "topic",
        "persister",
        1,
        assigned=lambda partitions: dict.fromkeys(partitions, 0),
        revoked=lambda _: None,
        watch=watch,
        give_up=given_up.append,
    )
    member = group.consumer
    assert [record.offset for record in group.poll(0.5, 10)] == [0]
    for second in range(20):
        group.look(Told({0: 5}), float(second))
        group.poll(0.5, 10)
    watch.close()

    assert group.consumer is member
