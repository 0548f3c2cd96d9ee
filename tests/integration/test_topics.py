"""The topic's life on the real Kafka: made once, checked at each start, and exchanged only on purpose (D2)."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined]  # not in its __all__

from klatsch.embedded.kafka import EmbeddedKafka
from klatsch.eventlog.epochs import check_topic, current_epoch
from klatsch.eventlog.kafka_connection import KafkaConnection
from klatsch.eventlog.kafka_reader import KafkaTail
from klatsch.eventlog.kafka_writer import KafkaWriter
from klatsch.eventlog.log import Entry, LogError, OffsetGone, TopicChanged
from klatsch.eventlog.models import Epoch
from klatsch.eventlog.topics import KafkaTopics, TopicPlan
from klatsch.messaging.models import LogOffset
from klatsch.processes.topics import adopt_topic, create_topic, verify_topic
from tests.contract.logs import Delivered, append_all, broker
from tests.contract.waiting import wait_until

pytestmark = pytest.mark.django_db

PLAN = TopicPlan(partitions=3, replication=1, retention_hours=168)


class Desk:
    """What an operator does with `manage.py topics`, and what others do behind their back."""

    def __init__(self, connection: KafkaConnection) -> None:
        self.connection = connection
        self.topics = KafkaTopics(connection)
        self.admin = AdminClient({"bootstrap.servers": connection.bootstrap_servers})

    def create(self, plan: TopicPlan = PLAN, *, again: bool = False) -> str:
        tail = KafkaTail(self.connection, plan.partitions)
        try:
            return create_topic(self.topics, plan, tail, again=again)
        finally:
            tail.stop()

    def verify(self, plan: TopicPlan = PLAN) -> str:
        return verify_topic(self.topics, plan)

    def adopt(self) -> str:
        tail = KafkaTail(self.connection, PLAN.partitions)
        try:
            return adopt_topic(self.topics, tail)
        finally:
            tail.stop()

    def delete(self) -> None:
        self.admin.delete_topics([self.connection.topic])[self.connection.topic].result(30)
        wait_until(lambda: self.topics.find() is None)

    def make_anew(self) -> None:
        """As another tool would."""
        self.topics.create(PLAN)
        wait_until(lambda: self.topics.find() is not None)

    def write(self, count: int) -> None:
        writer = KafkaWriter(self.connection, PLAN.partitions)
        append_all(writer, [Entry(b"key", b"%d" % number) for number in range(count)])
        writer.close(10)


@pytest.fixture
def desk(kafka: EmbeddedKafka | None) -> Iterator[Desk]:
    desk = Desk(broker(f"topics-{uuid4().hex}"))
    yield desk
    if desk.topics.find() is not None:
        desk.delete()


def offsets(epoch: int) -> dict[int, int]:
    return dict(LogOffset.objects.filter(epoch=epoch).values_list("partition", "next_offset"))


def test_create_makes_the_topic_as_planned_and_opens_epoch_1(desk: Desk) -> None:
    assert desk.create() == "Made the topic: epoch 1, 3 partitions."

    found, epoch = desk.topics.find(), current_epoch()
    assert found is not None
    assert epoch is not None
    assert (found.partitions, found.replication, found.topic_id) == (3, 1, epoch.topic_id)
    assert (epoch.epoch, epoch.partitions) == (1, 3)
    assert offsets(1) == {0: 0, 1: 0, 2: 0}
    assert desk.topics.differences(PLAN) == []


def test_create_is_harmless_when_the_topic_is_there(desk: Desk) -> None:
    desk.create()
    desk.write(2)
    found = desk.topics.find()

    assert desk.create() == "The topic is there already: epoch 1, 3 partitions."
    assert desk.topics.find() == found
    assert Epoch.objects.count() == 1


def test_an_empty_topic_that_somebody_else_made_is_taken(desk: Desk) -> None:
    desk.make_anew()

    assert desk.create() == "Made the topic: epoch 1, 3 partitions."


def test_a_topic_with_records_unknown_to_the_database_is_refused(desk: Desk) -> None:
    desk.make_anew()
    desk.write(3)
    with pytest.raises(TopicChanged, match="does not know"):
        desk.create()

    assert current_epoch() is None


def test_a_topic_with_unknown_records_can_be_adopted_and_is_read_from_its_beginning(desk: Desk) -> None:
    desk.make_anew()
    desk.write(3)

    assert desk.adopt().startswith("Epoch 1 is open.")
    assert offsets(1) == {0: 0, 1: 0, 2: 0}


def test_verify_says_that_the_topic_is_the_known_one(desk: Desk) -> None:
    desk.create()

    assert desk.verify() == "The topic is the known one: epoch 1, 3 partitions."


def test_verify_names_each_setting_that_is_not_as_planned(desk: Desk) -> None:
    desk.create()
    said = desk.verify(TopicPlan(partitions=3, replication=1, retention_hours=24))

    assert said.splitlines()[1:] == ["  retention.ms is 604800000, not 86400000"]


def test_before_any_topic_was_made_none_is_the_known_one(desk: Desk) -> None:
    with pytest.raises(TopicChanged, match="topics create"):
        desk.verify()


def test_a_topic_that_is_gone_is_refused_and_made_anew_only_on_purpose(desk: Desk) -> None:
    desk.create()
    desk.delete()
    for attempt in (desk.verify, desk.create, desk.adopt):
        with pytest.raises(TopicChanged):
            attempt()
    assert desk.topics.find() is None

    assert "topics adopt" in desk.create(again=True)
    with pytest.raises(TopicChanged):
        desk.verify()
    assert desk.adopt() == "Epoch 2 is open. Restart gateways, api and persisters."
    assert desk.verify() == "The topic is the known one: epoch 2, 3 partitions."


def test_a_topic_deleted_and_made_again_behind_our_back_is_refused_until_it_is_adopted(desk: Desk) -> None:
    desk.create()
    desk.write(2)
    desk.delete()
    desk.make_anew()
    for attempt in (desk.verify, desk.create):
        with pytest.raises(TopicChanged, match="not the known one"):
            attempt()

    desk.adopt()
    assert [epoch.epoch for epoch in Epoch.objects.order_by("epoch")] == [1, 2]
    assert (offsets(1), offsets(2)) == ({0: 0, 1: 0, 2: 0}, {0: 0, 1: 0, 2: 0})
    assert check_topic(desk.topics.find()).epoch == 2


def test_a_reader_of_a_topic_that_was_made_again_ends_rather_than_waiting_for_its_offset(desk: Desk) -> None:
    desk.create()
    desk.write(3)
    read = Delivered()
    tail = KafkaTail(desk.connection, PLAN.partitions)
    tail.start(dict.fromkeys(range(PLAN.partitions), 0), read.deliver, read.failures.append)
    wait_until(lambda: len(read.records) == 3)
    desk.delete()
    desk.make_anew()
    wait_until(lambda: read.failures)
    tail.stop()

    assert isinstance(read.failures[0], (OffsetGone, TopicChanged))
    assert len(read.records) == 3


def test_what_is_adopted_already_stays_as_it_is(desk: Desk) -> None:
    desk.create()

    assert desk.adopt() == "The topic is the known one already: epoch 1."
    assert Epoch.objects.count() == 1


def test_another_number_of_partitions_is_refused(desk: Desk) -> None:
    desk.create()
    topic = desk.connection.topic
    desk.admin.create_partitions([NewPartitions(topic, 4)])[topic].result(30)
    wait_until(lambda: (found := desk.topics.find()) is not None and found.partitions == 4)
    with pytest.raises(TopicChanged, match="4 partitions, but was made with 3"):
        desk.verify()


def test_brokers_that_do_not_answer_are_an_error_and_not_a_missing_topic() -> None:
    nowhere = KafkaTopics(KafkaConnection("127.0.0.1:1", "topic"))
    with pytest.raises(LogError) as caught:
        nowhere.find(deadline_s=0.2)

    assert not isinstance(caught.value, TopicChanged)


def test_three_copies_need_two_before_a_record_is_acknowledged() -> None:
    assert TopicPlan(12, 3, 168).config()["min.insync.replicas"] == "2"
    assert TopicPlan(12, 1, 168).config()["min.insync.replicas"] == "1"
    assert TopicPlan(12, 3, 168).config()["unclean.leader.election.enable"] == "false"
