"""The log's watch, and the asker that it believes: both go on when a call does not return."""

import itertools
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from klatsch.eventlog import kafka_asker
from klatsch.eventlog.deadline import call_within
from klatsch.eventlog.kafka_asker import KafkaAsker
from klatsch.eventlog.kafka_connection import KafkaConnection
from klatsch.eventlog.log import LogError
from klatsch.eventlog.watch import LogWatch, Told
from tests.support.waiting import wait_until


def asked_anew() -> float:
    return REGISTRY.get_sample_value("klatsch_log_clients_replaced_total", {"client": "asker"}) or 0.0


class FakeClient:
    """Answers as the driver's consumer does; the first that is made does not return, once it is `hung`."""

    made: list["FakeClient"]
    hung = threading.Event()
    away = False

    def __init__(self, _config: object) -> None:
        self.made.append(self)

    def offsets_for_times(self, asked: list[Any], timeout: float) -> list[Any]:
        if self.made[0] is self and self.hung.is_set():
            threading.Event().wait()
        if FakeClient.away:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return [SimpleNamespace(partition=place.partition, offset=place.partition * 10, error=None) for place in asked]

    def list_topics(self, topic: str, timeout: float) -> Any:
        leaders = {0: SimpleNamespace(leader=1), 1: SimpleNamespace(leader=-1), 2: SimpleNamespace(leader=2)}
        return SimpleNamespace(topics={topic: SimpleNamespace(partitions=leaders)}, brokers={1: None})

    def close(self) -> None:
        """Does nothing: it holds nothing."""


@pytest.fixture
def asker(monkeypatch: pytest.MonkeyPatch) -> Iterator[KafkaAsker]:
    FakeClient.made, FakeClient.hung, FakeClient.away = [], threading.Event(), False
    monkeypatch.setattr(kafka_asker, "Consumer", FakeClient)
    monkeypatch.setattr(kafka_asker, "_GRACE_S", 0.05)
    asker = KafkaAsker(KafkaConnection("nowhere:1"), "topic", 3)
    yield asker
    asker.close()


def test_an_asker_that_does_not_return_is_replaced_and_who_asked_is_told_so_in_time(asker: KafkaAsker) -> None:
    before = asked_anew()
    assert asker.ends() == {0: 0, 1: 10, 2: 20}
    FakeClient.hung.set()
    with pytest.raises(LogError):
        asker.ends(0.01)

    assert len(FakeClient.made) == 2
    assert asked_anew() == before + 1
    assert asker.ends() == {0: 0, 1: 10, 2: 20}


def test_while_the_log_is_away_an_asker_is_replaced_ever_more_rarely_and_logged_once(
    asker: KafkaAsker, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 0.0
    monkeypatch.setattr(kafka_asker, "time", SimpleNamespace(monotonic=lambda: now_s))

    def ask_for(seconds: int) -> list[float]:
        """Asks each second; returns when clients were replaced."""
        nonlocal now_s
        replaced: list[float] = []
        for _ in range(seconds):
            made = len(FakeClient.made)
            asker.ask()
            replaced += [now_s] * (len(FakeClient.made) - made)
            now_s += 1.0
        return replaced

    with capture_logs() as logs:
        for _ in range(2):
            FakeClient.away = True
            replaced = ask_for(150)
            pauses = [after - before for before, after in itertools.pairwise(replaced)]
            FakeClient.away = False
            ask_for(1)
            assert 4 <= len(replaced) <= 6
            assert pauses == sorted(pauses)
            assert 25 <= pauses[-1] <= 35

    assert [line["event"] for line in logs] == ["log_client_replaced", "log_client_replaced"]


def test_a_round_tells_the_ends_of_partitions_that_have_a_leader_which_is_there(asker: KafkaAsker) -> None:
    assert asker.ask() == Told({0: 0}, {0: 1})


def test_call_within_raises_what_the_call_raises() -> None:
    with pytest.raises(ZeroDivisionError):
        call_within(30, lambda: 1 // 0)
    assert call_within(30, lambda: 7) == 7


class FakeAsker:
    """Tells what it is given to tell."""

    def __init__(self) -> None:
        self.told = Told({0: 3}, {0: 1})

    def ends(self, deadline_s: float) -> dict[int, int]:
        return dict(self.told.ends)

    def offsets_at(self, time_ms: int) -> dict[int, int]:
        return {}

    def ask(self) -> Told:
        return self.told

    def close(self) -> None:
        """Does nothing: it holds nothing."""


class Looked:
    def __init__(self) -> None:
        self.told: list[Told] = []

    def look(self, told: Told, now_s: float) -> None:
        self.told.append(told)


def test_a_watch_shows_each_what_the_log_tells_and_knows_it_by_itself_when_it_tells_no_more() -> None:
    asker, looked = FakeAsker(), Looked()
    watch = LogWatch(asker, every_s=0.01)
    begun_s = time.monotonic()
    watch.add(looked)
    wait_until(lambda: looked.told)
    assert watch.known_ends() == {0: 3}
    assert watch.leader(0) == 1
    assert watch.has_told_since(0, begun_s)
    asker.told = Told()
    wait_until(lambda: looked.told[-1] == Told())
    silent_s = time.monotonic()
    seen = len(looked.told)
    wait_until(lambda: len(looked.told) > seen + 1)

    assert watch.known_ends() == {0: 3}
    assert not watch.has_told_since(0, silent_s)
    watch.remove(looked)
    watch.close()
