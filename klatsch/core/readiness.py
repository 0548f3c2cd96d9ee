"""Reasons for a process not being ready, as `/readyz` tells them, and what an operator does then."""

from enum import StrEnum
from typing import Final


class Why(StrEnum):
    """A reason, for people, without addresses or machine names."""

    DOES_NOT_ANSWER = "does not answer"
    NOT_MIGRATED = "is not migrated"
    READ_ONLY = "is read-only"
    CANNOT_BE_REACHED = "cannot be reached"
    ANOTHER_TOPIC = "is not the known topic: see `manage.py topics verify`"
    CANNOT_BE_COMPARED = "cannot be compared with the known topic"
    NOT_READ = "has not read the log up to now, or is closing"
    BEHIND = "is behind the log"


REMEDIES: Final[dict[tuple[str, Why], str]] = {
    ("database", Why.DOES_NOT_ANSWER): "see [PostgreSQL does not answer](#postgresql-does-not-answer)",
    ("database", Why.READ_ONLY): "connect to the primary, or end `default_transaction_read_only`: requests get 503 "
    "until then, and the persisters wait",
    ("migrations", Why.NOT_MIGRATED): "run `manage.py migrate`",
    ("migrations", Why.DOES_NOT_ANSWER): "see `database`",
    ("log", Why.DOES_NOT_ANSWER): "see [Kafka does not answer](#kafka-does-not-answer)",
    ("log", Why.CANNOT_BE_REACHED): "the api has not connected to the log yet: Kafka does not answer, or the topic is "
    "not the known one. Run `manage.py topics verify`",
    ("log", Why.ANOTHER_TOPIC): "see [The topic](#the-topic)",
    ("log", Why.CANNOT_BE_COMPARED): "PostgreSQL does not answer",
    ("feed", Why.NOT_READ): "wait: a gateway that starts reads `KLATSCH_RING_SECONDS` of the log, and more if the "
    "archive is behind",
    ("feed", Why.BEHIND): "sends have waited for more than 5 s, on this gateway or others: Kafka is slow or does not "
    "answer, or this machine is overloaded",
}
"""The operator's action by part and reason; docs/operations.md shows it as a table."""
