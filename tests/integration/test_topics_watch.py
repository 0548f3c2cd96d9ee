"""A watch of the known topic on the real Kafka: it says when the topic is another one, and warns of partitions."""

import contextlib
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from klatsch.core.metrics import ADDED_PARTITIONS, IGNORED_RECORDS
from klatsch.eventlog.epochs import current_epoch
from klatsch.eventlog.log import LogError
from klatsch.eventlog.topic_watch import TopicWatch
from klatsch.eventlog.topics import KafkaTopics
from tests.integration.topic_desk import Desk
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db


@contextlib.contextmanager
def watching(desk: Desk) -> Iterator[list[LogError]]:
    """Collects the failures that a watch of the known topic has told."""
    epoch, failures = current_epoch(), list[LogError]()
    assert epoch is not None
    watch = TopicWatch(KafkaTopics(desk.connection, desk.topic), epoch, failures.append)
    yield failures
    watch.stop()


@pytest.mark.django_db(transaction=True)
def test_a_watch_says_once_that_the_topic_was_made_again(desk: Desk) -> None:
    desk.create()
    with watching(desk) as failures:
        desk.delete()
        desk.make_anew()
        wait_until(lambda: failures)

    assert ["not the known one" in str(error) for error in failures] == [True]


@pytest.mark.django_db(transaction=True)
def test_a_watch_says_that_the_topic_is_gone(desk: Desk) -> None:
    desk.create()
    with watching(desk) as failures:
        desk.delete()
        wait_until(lambda: failures)

    assert ["is gone" in str(error) for error in failures] == [True]


@pytest.mark.django_db(transaction=True)
def test_a_watch_says_that_another_epoch_was_opened(desk: Desk) -> None:
    desk.create()
    with watching(desk) as failures:
        desk.add_partition()
        desk.adopt()
        wait_until(lambda: failures)

    assert ["Epoch 1 has ended" in str(error) for error in failures] == [True]


@pytest.mark.django_db(transaction=True)
def test_a_watch_warns_once_of_added_partitions_and_of_records_in_them_and_goes_on(desk: Desk) -> None:
    desk.create()
    with capture_logs() as lines, watching(desk) as failures:
        desk.add_partition()
        wait_until(lambda: "partitions_added" in [line["event"] for line in lines])
        desk.write_into(3)
        wait_until(lambda: IGNORED_RECORDS._value.get() == 1)

    assert failures == []
    assert ADDED_PARTITIONS._value.get() == 1
    assert [line["event"] for line in lines if line["log_level"] == "warning"] == [
        "partitions_added",
        "records_ignored",
    ]
