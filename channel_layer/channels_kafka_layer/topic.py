"""Creates and checks the topic."""

import threading
import time

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
_LEAST_S = 0.1


class Topic:
    """The topic as a node's threads find it: created where that is allowed, else seen to be there.

    `replication` is the number of copies of a topic that may be created; 0 allows none.
    """

    def __init__(self, connection: Connection, timeout_s: float, replication: int) -> None:
        self._connection = connection
        self._timeout_s = timeout_s
        self._replication = replication
        self._looking = threading.Lock()
        self._is_there = False

    def ensure(self) -> None:
        """Returns once the topic is there; raises KafkaUnavailable.

        The sender and the reader may begin together: the one that waits for the other's attempt has as much less time.
        """
        until_s = time.monotonic() + self._timeout_s
        with self._looking:
            if self._is_there:
                return
            left_s = max(until_s - time.monotonic(), _LEAST_S)
            try:
                check_topic(self._connection, left_s)
            except TopicMissing:
                if not self._replication:
                    raise
                create_topic(self._connection, self._replication, left_s)
            self._is_there = True

    def doubt(self) -> None:
        """Makes `ensure` look again: the topic may have been deleted."""
        self._is_there = False


class _Admin:
    """An admin client, and why it cannot talk to the brokers: its calls say no more than that none answers."""

    def __init__(self, connection: Connection) -> None:
        self._heard: list[KafkaError] = []
        self.client = AdminClient(connection.admin() | {"error_cb": self._heard.append})

    def reason(self, error: KafkaError) -> str:
        """Returns what the driver said last of a connection (refused, a wrong password), else the error's text."""
        self.client.poll(0)  # the driver hands over what it has to say in a poll
        said = [heard for heard in self._heard if heard.code() != KafkaError._ALL_BROKERS_DOWN]  # noqa: SLF001 - public
        return (said[-1] if said else error).str()


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
    admin = _Admin(connection)
    new = NewTopic(connection.topic, 1, replication, config=topic_settings(replication))
    try:
        asked = admin.client.create_topics([new], operation_timeout=deadline_s, request_timeout=deadline_s)
        asked[connection.topic].result(deadline_s + _GRACE_S)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        why = admin.reason(error.args[0])
        raise KafkaUnavailable(f"the topic {connection.topic!r} cannot be created: {why}") from error
    except TimeoutError as error:
        raise KafkaUnavailable("Kafka does not answer") from error
    return True


def check_topic(connection: Connection, deadline_s: float) -> None:
    """Raises TopicMissing, saying what to do, where there is no topic; KafkaUnavailable where it cannot be used."""
    admin = _Admin(connection)
    try:
        found = admin.client.list_topics(connection.topic, timeout=deadline_s).topics[connection.topic]
    except KafkaException as error:
        raise KafkaUnavailable(f"Kafka does not answer: {admin.reason(error.args[0])}") from error
    if found.error is None:
        return
    if found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        raise TopicMissing(
            f"The topic {connection.topic!r} does not exist. Run `python manage.py channels_kafka_topic`, "
            'or set "create_topic" in CONFIG.'
        )
    if found.error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
        raise KafkaUnavailable(f"this site may not use the topic {connection.topic!r}: it needs READ and WRITE")
