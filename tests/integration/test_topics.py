"""The topic's life on the real Kafka: made once, checked at each start, and exchanged only on purpose (D2)."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.db import connection

from klatsch.archive.models import LogOffset
from klatsch.embedded.kafka import EmbeddedKafka
from klatsch.eventlog.epochs import check_topic, current_epoch
from klatsch.eventlog.kafka_connection import KafkaConnection
from klatsch.eventlog.kafka_reader import KafkaTail
from klatsch.eventlog.log import LogError, OffsetGone, TopicChanged
from klatsch.eventlog.models import Epoch
from klatsch.eventlog.topics import KafkaTopics, SignalsPlan, TopicPlan
from klatsch.processes.topics import adopt_topic, create_signals_topic, verify_signals_topic
from tests.integration.topic_desk import PLAN, Desk
from tests.support.logs import Delivered, broker
from tests.support.waiting import wait_until

pytestmark = pytest.mark.django_db


@pytest.fixture
def other_desk(kafka: EmbeddedKafka | None) -> Iterator[Desk]:
    """Changes another topic, as if it were on other brokers."""
    desk = Desk(broker(), f"topics-{uuid4().hex}")
    yield desk
    desk.delete()


def offsets(epoch: int) -> dict[int, int]:
    return dict(LogOffset.objects.filter(epoch=epoch).values_list("partition", "next_offset"))


def test_create_makes_the_topic_as_planned_and_opens_epoch_1(desk: Desk) -> None:
    assert desk.create() == "Created the topic: epoch 1, 3 partitions."

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

    assert desk.create() == "The topic exists already: epoch 1, 3 partitions."
    assert desk.topics.find() == found
    assert Epoch.objects.count() == 1


def test_an_empty_topic_that_somebody_else_made_is_taken(desk: Desk) -> None:
    desk.make_anew()

    assert desk.create() == "Created the topic: epoch 1, 3 partitions."


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


def test_an_adoption_that_another_has_overtaken_changes_nothing(desk: Desk) -> None:
    desk.make_anew()
    first, second = desk.plan_adoption(), desk.plan_adoption()
    assert first is not None
    assert second is not None
    adopt_topic(first)

    with pytest.raises(LogError, match="another command has opened an epoch meanwhile"):
        adopt_topic(second)
    assert list(Epoch.objects.values_list("epoch", flat=True)) == [1]


@pytest.mark.django_db(transaction=True)
def test_of_two_commands_that_create_the_topic_at_once_both_end_in_a_sentence(desk: Desk) -> None:
    def create() -> str:
        try:
            return desk.create()
        except LogError as error:
            return str(error)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        told = [call.result() for call in [threads.submit(create) for _ in range(4)]]
    assert Epoch.objects.count() == 1
    assert "Created the topic: epoch 1, 3 partitions." in told


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
    for attempt in (desk.verify, desk.create, desk.plan_adoption):
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
    tail = KafkaTail(desk.connection, desk.topic, PLAN.partitions)
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

    assert desk.plan_adoption() is None
    assert Epoch.objects.count() == 1


def test_a_topic_that_becomes_the_log_again_is_read_from_what_the_archive_lacks_of_it(
    desk: Desk, other_desk: Desk
) -> None:
    desk.create()
    desk.write(4)
    desk.archive_all()
    archived = offsets(1)
    desk.write(2)
    other_desk.make_anew()
    other_desk.adopt()

    adoption = desk.plan_adoption()
    assert adoption is not None
    assert "with 2 records to read" in adoption.meaning
    assert adopt_topic(adoption).startswith("Epoch 3 is open.")
    assert offsets(3) == archived
    assert desk.verify() == "The topic is the known one: epoch 3, 3 partitions."


def test_an_added_partition_is_told_and_changes_nothing(desk: Desk) -> None:
    desk.create()
    desk.add_partition()
    desk.write_into(3)

    assert desk.create() == "The topic exists already: epoch 1, 3 partitions."
    assert check_topic(desk.topics.find()).partitions == 3
    first, *warned = desk.verify().splitlines()
    assert first == "The topic is the known one: epoch 1, 3 partitions."
    assert len(warned) == 1
    assert "1 partitions were added" in warned[0]
    assert "the 1 records in them are ignored" in warned[0]


@pytest.mark.django_db(transaction=True)  # a gateway that starts reads over a connection of its own
def test_added_partitions_are_adopted_when_all_else_is_archived_and_then_read_from_their_beginning(desk: Desk) -> None:
    desk.create()
    desk.write(4)
    desk.add_partition()
    desk.write_into(3)
    with pytest.raises(TopicChanged, match="lacks 4 records of epoch 1"):
        desk.plan_adoption()
    desk.archive_all()
    adoption = desk.plan_adoption()

    assert adoption is not None
    assert "4 partitions instead of 3" in adoption.meaning
    assert "1 ignored records in added partitions" in adoption.meaning
    assert Epoch.objects.count() == 1
    ends = desk.topics.ends(range(3))
    adopt_topic(adoption)
    assert offsets(2) == ends | {3: 0}
    desk.write(3)
    desk.archive_all()
    assert desk.plan_start().begin == ends | {3: 0}, "a feed begins to read where its epoch begins"
    assert desk.verify() == "The topic is the known one: epoch 2, 4 partitions."


def test_a_topic_with_fewer_partitions_than_its_epoch_is_refused(desk: Desk) -> None:
    desk.create()
    Epoch.objects.update(partitions=4)
    with pytest.raises(TopicChanged, match="3 partitions, but epoch 1 has 4"):
        desk.verify()


def test_the_brokers_give_each_record_its_time_and_a_topic_that_says_otherwise_is_refused_until_created_again(
    desk: Desk,
) -> None:
    desk.create()
    desk.topics.check_stamps()
    desk.set_stamps("CreateTime")
    with pytest.raises(TopicChanged, match="is CreateTime"):
        desk.topics.check_stamps()
    assert desk.verify().splitlines()[1:] == ["  message.timestamp.type is CreateTime, not LogAppendTime"]

    assert desk.create().endswith("From now on, the brokers stamp each record.")
    desk.topics.check_stamps()
    assert desk.create() == "The topic exists already: epoch 1, 3 partitions."


def test_an_empty_topic_that_another_tool_made_gets_the_brokers_times(desk: Desk) -> None:
    desk.make_anew()
    desk.set_stamps("CreateTime")
    desk.create()

    desk.await_stamps("LogAppendTime")
    desk.topics.check_stamps()


def test_brokers_that_do_not_answer_are_an_error_and_not_a_missing_topic() -> None:
    nowhere = KafkaTopics(KafkaConnection("127.0.0.1:1"), "topic")
    with pytest.raises(LogError) as caught:
        nowhere.find(deadline_s=0.2)

    assert not isinstance(caught.value, TopicChanged)


def test_three_copies_need_two_before_a_record_is_acknowledged() -> None:
    assert TopicPlan(12, 3, 168).config()["min.insync.replicas"] == "2"
    assert TopicPlan(12, 1, 168).config()["min.insync.replicas"] == "1"
    assert TopicPlan(12, 3, 168).config()["unclean.leader.election.enable"] == "false"


def test_the_topic_of_signals_is_made_as_planned_once_and_needs_no_epoch(desk: Desk) -> None:
    plan = SignalsPlan(replication=1)

    assert verify_signals_topic(desk.topics, plan).startswith("There is no topic of signals")
    assert create_signals_topic(desk.topics, plan) == "Created the topic of signals: 3 partitions."
    assert create_signals_topic(desk.topics, plan) == "The topic of signals exists already: 3 partitions."
    assert verify_signals_topic(desk.topics, plan) == "The topic of signals has 3 partitions."
    assert current_epoch() is None


def test_a_topic_of_signals_that_somebody_else_made_is_said_to_differ(desk: Desk) -> None:
    desk.topics.create(TopicPlan(partitions=1, replication=1, retention_hours=168))
    wait_until(lambda: desk.topics.find() is not None)
    told = verify_signals_topic(desk.topics, SignalsPlan(replication=1))

    assert "retention.ms is 604800000, not 600000" in told
    assert "It has 1 partitions, and gateways need 3." in told
