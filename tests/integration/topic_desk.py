"""Acts of an operator and of others on a topic of the real Kafka. The fixture `desk` is in conftest."""

from confluent_kafka import Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # not in its __all__
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)

from klatsch.archive.models import LogOffset
from klatsch.eventlog.epochs import check_topic
from klatsch.eventlog.kafka_connection import KafkaConnection
from klatsch.eventlog.kafka_reader import KafkaTail
from klatsch.eventlog.kafka_writer import KafkaWriter
from klatsch.eventlog.log import Entry
from klatsch.eventlog.topics import KafkaTopics, TopicPlan
from klatsch.processes.gateway_start import Start, plan_start
from klatsch.processes.topics import Adoption, adopt_topic, create_topic, plan_adoption, verify_topic
from tests.support.logs import append_all
from tests.support.waiting import wait_until

PLAN = TopicPlan(partitions=3, replication=1, retention_hours=168)


class Desk:
    """Runs `manage.py topics` as an operator, and changes the topic as others do behind their back."""

    def __init__(self, connection: KafkaConnection, topic: str) -> None:
        self.connection = connection
        self.topic = topic
        self.topics = KafkaTopics(connection, topic)
        self.admin = AdminClient({"bootstrap.servers": connection.bootstrap_servers})

    def create(self, plan: TopicPlan = PLAN, *, again: bool = False) -> str:
        tail = KafkaTail(self.connection, self.topic, plan.partitions)
        try:
            return create_topic(self.topics, plan, tail, again=again)
        finally:
            tail.stop()

    def verify(self, plan: TopicPlan = PLAN) -> str:
        return verify_topic(self.topics, plan)

    def plan_adoption(self) -> Adoption | None:
        found = self.topics.find()
        tail = KafkaTail(self.connection, self.topic, found.partitions if found else PLAN.partitions)
        try:
            return plan_adoption(self.topics, tail)
        finally:
            tail.stop()

    def adopt(self) -> str:
        adoption = self.plan_adoption()
        assert adoption is not None
        return adopt_topic(adoption)

    def plan_start(self) -> Start:
        """Plans where a gateway begins to read."""
        epoch = check_topic(self.topics.find())
        tail = KafkaTail(self.connection, self.topic, epoch.partitions)
        try:
            return plan_start(tail, epoch)
        finally:
            tail.stop()

    def add_partition(self) -> None:
        self.admin.create_partitions([NewPartitions(self.topic, PLAN.partitions + 1)])[self.topic].result(30)
        wait_until(lambda: (found := self.topics.find()) is not None and found.partitions == PLAN.partitions + 1)

    def write_into(self, partition: int) -> None:
        """Writes into a partition by its number, as no process of ours does."""
        producer = Producer({"bootstrap.servers": self.connection.bootstrap_servers})
        producer.produce(self.topic, b"value", b"key", partition=partition)
        assert producer.flush(10) == 0

    def archive_all(self) -> None:
        """Moves the archive's offsets to the ends, as a persister does."""
        for partition, end in self.topics.ends(range(PLAN.partitions)).items():
            LogOffset.objects.filter(partition=partition).update(next_offset=end)

    def set_stamps(self, by: str) -> None:
        entry = ConfigEntry("message.timestamp.type", by, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, self.topic, incremental_configs=[entry])
        self.admin.incremental_alter_configs([resource])[resource].result(30)
        self.await_stamps(by)

    def await_stamps(self, by: str) -> None:
        """Waits for a setting, which the broker shows some time after the controller has taken it."""
        resource = ConfigResource(ResourceType.TOPIC, self.topic)

        def shown() -> str:
            settings = self.admin.describe_configs([resource])[resource].result(30)
            return str(settings["message.timestamp.type"].value)

        wait_until(lambda: shown() == by)

    def delete(self) -> None:
        self.admin.delete_topics([self.topic])[self.topic].result(30)
        wait_until(lambda: self.topics.find() is None)

    def make_anew(self) -> None:
        """Creates the topic again, as another tool would."""
        self.topics.create(PLAN)
        wait_until(lambda: self.topics.find() is not None)

    def write(self, count: int) -> None:
        writer = KafkaWriter(self.connection, self.topic, PLAN.partitions)
        append_all(writer, [Entry(b"key", b"%d" % number) for number in range(count)])
        writer.close(10)
