"""Creates the topic as it must be, and tells what a topic is: Kafka never makes one for us on first use (D1, D2)."""

from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # documented there, and not in its __all__
    AdminClient,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from klatsch.eventlog.kafka_connection import NOT_LOGGED, KafkaConnection
from klatsch.eventlog.log import LogError

_ASK_S = 10.0


@dataclass(frozen=True, slots=True)
class Topic:
    """What the brokers say that a topic is; `topic_id` is another one when it was deleted and made again."""

    topic_id: str
    partitions: int
    replication: int


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """What a topic is to be. With three copies or more, two must have a record before it is acknowledged."""

    partitions: int
    replication: int
    retention_hours: int

    def config(self) -> dict[str, str]:
        return {
            "min.insync.replicas": "2" if self.replication >= 3 else "1",  # noqa: PLR2004 - see the docstring
            "retention.ms": str(self.retention_hours * 3_600_000),
            "retention.bytes": "-1",
            "cleanup.policy": "delete",
            "unclean.leader.election.enable": "false",
            "message.timestamp.type": "CreateTime",
        }


class KafkaTopics:
    """The brokers' own view of the one topic."""

    def __init__(self, connection: KafkaConnection) -> None:
        self._topic = connection.topic
        self._admin = AdminClient(connection.common("topics") | NOT_LOGGED)

    def find(self, deadline_s: float = _ASK_S) -> Topic | None:
        """The topic, or None where there is none; raises LogError when the brokers do not answer in time."""
        future = self._admin.describe_topics(TopicCollection([self._topic]), request_timeout=deadline_s)[self._topic]
        try:
            found = future.result(deadline_s)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                return None
            raise LogError(f"the log does not answer: {error.args[0]}") from error
        except TimeoutError as error:
            raise LogError("the log does not answer") from error
        return Topic(str(found.topic_id), len(found.partitions), len(found.partitions[0].replicas))

    def create(self, plan: TopicPlan) -> None:
        """Makes the topic; one that is there already is left as it is."""
        new = NewTopic(
            self._topic,
            num_partitions=plan.partitions,
            replication_factor=plan.replication,
            config=plan.config(),
        )
        try:
            self._admin.create_topics([new], operation_timeout=_ASK_S)[self._topic].result(_ASK_S * 2)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise LogError(f"the topic cannot be made: {error.args[0].str()}") from error
        except TimeoutError as error:
            raise LogError("the log does not answer") from error

    def differences(self, plan: TopicPlan) -> list[str]:
        """Each setting of the topic that is not as planned, as a sentence."""
        resource = ConfigResource(ResourceType.TOPIC, self._topic)
        try:
            found = self._admin.describe_configs([resource], request_timeout=_ASK_S)[resource].result(_ASK_S)
        except (KafkaException, TimeoutError) as error:
            raise LogError("the log does not answer") from error
        return [
            f"{name} is {found[name].value}, not {wanted}"
            for name, wanted in plan.config().items()
            if name in found and found[name].value != wanted
        ]
