"""Creates and describes the topic: Kafka must never create one on first use (D1, D2)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # documented there, and not in its __all__
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from klatsch.eventlog.kafka_connection import KafkaConnection
from klatsch.eventlog.log import LogError, TopicChanged

_ASK_S = 10.0
_STAMPS = "message.timestamp.type"
_BY_THE_LOG = "LogAppendTime"
SIGNALS_PARTITIONS = 3
"""The partitions of the topic of signals. Gateways use no others, so that added ones do no harm."""
_SIGNALS_KEPT_MS = 600_000


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as the brokers describe it. `topic_id` changes when a topic is deleted and created again."""

    topic_id: str
    partitions: int
    replication: int


@dataclass(frozen=True, slots=True)
class TopicPlan:
    """A topic's wanted settings. With three copies or more, two must have a record before it is acknowledged."""

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
            # A starting feed finds its beginning by time: the slow clock of a producer would hide its records.
            _STAMPS: _BY_THE_LOG,
        }


@dataclass(frozen=True, slots=True)
class SignalsPlan:
    """The wanted settings of the topic of signals, which are kept for minutes and may be lost with a broker (D20)."""

    replication: int
    partitions: int = SIGNALS_PARTITIONS

    def config(self) -> dict[str, str]:
        return {
            "min.insync.replicas": "1",
            "retention.ms": str(_SIGNALS_KEPT_MS),
            # Retention drops whole segments only, and by default a segment is closed after a week.
            "segment.ms": str(_SIGNALS_KEPT_MS),
            "cleanup.policy": "delete",
        }


class KafkaTopics:
    """The brokers' own view of one topic."""

    def __init__(self, connection: KafkaConnection, topic: str) -> None:
        self._topic = topic
        self._admin = AdminClient(connection.admin("topics"))

    def find(self, deadline_s: float = _ASK_S) -> Topic | None:
        """Returns the topic, or None where there is none; raises LogError when the brokers do not answer in time."""
        admin = self._answered(deadline_s)
        future = admin.describe_topics(TopicCollection([self._topic]), request_timeout=deadline_s)[self._topic]
        try:
            found = future.result(deadline_s)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                return None
            raise LogError(f"the log does not answer: {error.args[0]}") from error
        except TimeoutError as error:
            raise LogError("the log does not answer") from error
        return Topic(str(found.topic_id), len(found.partitions), len(found.partitions[0].replicas))

    def create(self, plan: TopicPlan | SignalsPlan) -> None:
        """Creates the topic; leaves an existing topic as it is."""
        new = NewTopic(
            self._topic,
            num_partitions=plan.partitions,
            replication_factor=plan.replication,
            config=plan.config(),
        )
        try:
            self._answered().create_topics([new], operation_timeout=_ASK_S)[self._topic].result(_ASK_S * 2)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise LogError(f"the topic cannot be created: {error.args[0].str()}") from error
        except TimeoutError as error:
            raise LogError("the log does not answer") from error

    def differences(self, plan: TopicPlan | SignalsPlan) -> list[str]:
        """Returns each setting of the topic that differs from the plan, as a sentence."""
        found = self._settings()
        return [
            f"{name} is {found[name].value}, not {wanted}"
            for name, wanted in plan.config().items()
            if name in found and found[name].value != wanted
        ]

    def check_stamps(self) -> None:
        """Raises TopicChanged, saying what to do, unless the brokers' own clock stamps each record (D18)."""
        found = self._settings()[_STAMPS].value
        if found != _BY_THE_LOG:
            raise TopicChanged(
                f"The topic's {_STAMPS} is {found}: records of a producer with a slow clock would be missed. "
                "Run `manage.py topics create`: it sets LogAppendTime."
            )

    def set_stamps(self) -> bool:
        """Makes the brokers stamp each record; returns False where they do already."""
        if self._settings()[_STAMPS].value == _BY_THE_LOG:
            return False
        entry = ConfigEntry(_STAMPS, _BY_THE_LOG, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, self._topic, incremental_configs=[entry])
        _answer(self._answered().incremental_alter_configs([resource], request_timeout=_ASK_S)[resource])
        return True

    def ends(self, partitions: Iterable[int]) -> dict[int, int]:
        """Returns the offset after the last record of each of the partitions."""
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # the driver has no types
        asked = {TopicPartition(self._topic, partition): latest for partition in partitions}
        answers = self._answered().list_offsets(asked, request_timeout=_ASK_S)
        return {place.partition: _answer(answer).offset for place, answer in answers.items()}

    def _answered(self, deadline_s: float = _ASK_S) -> AdminClient:
        """Returns the client once a broker has answered it; raises LogError when none does in time.

        While a request of an AdminClient waits for brokers that are away, librdkafka reconnects without any pause
        (decision 0056). A question for metadata waits quietly.
        """
        try:
            self._admin.list_topics(self._topic, timeout=deadline_s)
        except KafkaException as error:
            raise LogError(f"the log does not answer: {error.args[0].str()}") from error
        return self._admin

    def _settings(self) -> dict[str, ConfigEntry]:
        resource = ConfigResource(ResourceType.TOPIC, self._topic)
        settings: dict[str, ConfigEntry] = _answer(
            self._answered().describe_configs([resource], request_timeout=_ASK_S)[resource]
        )
        return settings


def _answer(asked: Any) -> Any:
    """Returns the result of a confluent-kafka future; raises LogError."""
    try:
        return asked.result(_ASK_S)
    except KafkaException as error:
        raise LogError(f"the log does not answer: {error.args[0].str()}") from error
    except TimeoutError as error:
        raise LogError("the log does not answer") from error
