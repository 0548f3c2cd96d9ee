"""Creates and checks the topic."""

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # documented there, and not in its __all__
    AdminClient,
    NewTopic,
)

from channels_kafka_layer.connection import RECORD_BYTES_MOST, Connection
from channels_kafka_layer.errors import KafkaUnavailable, TopicMissing

KEPT_MS = 600_000
"""Far longer than a message lives: a reader may be away for this long and lose nothing."""
_SEGMENT_BYTES = 16 * 1024 * 1024
_ASK_S = 30.0
_GRACE_S = 2.0


def topic_settings(replication: int) -> dict[str, str]:
    """Returns the topic's settings. With three copies, two must have a record before it is acknowledged."""
    return {
        "cleanup.policy": "delete",
        "retention.ms": str(KEPT_MS),
        # Retention removes whole segments: small ones, or the topic would keep a week's.
        "segment.ms": str(KEPT_MS // 2),
        "segment.bytes": str(_SEGMENT_BYTES),
        # Expiry and newcomers go by the brokers' clock: there is one, and producers have many.
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(RECORD_BYTES_MOST),
        "min.insync.replicas": "2" if replication >= 3 else "1",  # noqa: PLR2004 - see the docstring
        "unclean.leader.election.enable": "false",
    }


def create_topic(connection: Connection, replication: int = 1, deadline_s: float = _ASK_S) -> bool:
    """Creates the topic, with one partition; returns False where there is one already. Raises KafkaUnavailable."""
    admin = AdminClient(connection.admin())
    new = NewTopic(connection.topic, 1, replication, config=topic_settings(replication))
    try:
        asked = admin.create_topics([new], operation_timeout=deadline_s, request_timeout=deadline_s)
        asked[connection.topic].result(deadline_s + _GRACE_S)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise KafkaUnavailable(f"the topic {connection.topic!r} cannot be created: {error.args[0].str()}") from error
    except TimeoutError as error:
        raise KafkaUnavailable("Kafka does not answer") from error
    return True


def check_topic(connection: Connection, deadline_s: float) -> None:
    """Raises TopicMissing, saying what to do, where there is no topic; KafkaUnavailable where no broker answers."""
    admin = AdminClient(connection.admin())
    try:
        found = admin.list_topics(connection.topic, timeout=deadline_s).topics[connection.topic]
    except KafkaException as error:
        raise KafkaUnavailable(f"Kafka does not answer: {error.args[0].str()}") from error
    if found.error is not None and found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        raise TopicMissing(
            f"The topic {connection.topic!r} does not exist. Run `python manage.py channels_kafka_topic`, "
            'or set "create_topic" in CONFIG.'
        )
