"""Creating topics while brokers are starting: what they cannot do yet is tried again, and told (D2)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.cluster import Cluster
from klatsch.eventlog.kafka_connection import KafkaConnection
from klatsch.eventlog.log import LogError, TopicChanged
from klatsch.eventlog.topics import KafkaTopics, TopicPlan
from klatsch.processes import topics as topics_module
from klatsch.processes.topics import once_brokers_can


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path)
    yield cluster
    cluster.kill()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics_module, "_TRY_AGAIN_S", 0.01)


def test_a_topic_with_three_copies_is_created_once_the_third_broker_is_there(cluster: Cluster) -> None:
    for node in cluster.nodes[:2]:
        node.start()
    for node in cluster.nodes[:2]:
        node.wait_ready()
    topics = KafkaTopics(KafkaConnection(cluster.bootstrap_servers), "chat")
    told: list[str] = []

    def create() -> str:
        topics.create(TopicPlan(partitions=3, replication=3, retention_hours=1))
        return "created"

    def tell(sentence: str) -> None:
        told.append(sentence)
        cluster.nodes[2].start()

    assert once_brokers_can(create, tell) == "created"
    assert len(told) == 1
    assert "the topic cannot be created" in told[0]


def test_the_first_failure_is_told_and_the_outcome_is_that_of_the_last_try(quick: None) -> None:
    tries, told = iter([LogError("one"), LogError("two"), None]), list[str]()

    def act() -> str:
        error = next(tries)
        if error is not None:
            raise error
        return "done"

    assert once_brokers_can(act, told.append) == "done"
    assert told == ["Not yet: one. Trying again for 30 s ..."]


def test_another_topic_is_refused_at_once() -> None:
    tries = 0

    def act() -> str:
        nonlocal tries
        tries += 1
        raise TopicChanged("another one")

    with pytest.raises(TopicChanged):
        once_brokers_can(act, lambda _: None)
    assert tries == 1


def test_what_never_works_is_refused_with_its_reason_in_the_end(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics_module, "_STARTED_S", 0.1)

    def act() -> str:
        raise LogError("nobody is there")

    told: list[str] = []
    with pytest.raises(LogError, match="nobody is there"):
        once_brokers_can(act, told.append)
    assert len(told) == 1
