"""Users and rights at brokers that authenticate: one user for each kind of process, with the rights that it needs."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # documented there, and not in its __all__
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from klatsch.eventlog.kafka_connection import NO_GROUP, KafkaConnection
from klatsch.eventlog.log import LogError

_ASK_S = 20.0
_ITERATIONS = 8_192  # twice what Kafka's own tools use; each connection pays for them once
_SALT_BYTES = 32

_TALKS = ("DESCRIBE", "DESCRIBE_CONFIGS", "READ", "WRITE")


@dataclass(frozen=True, slots=True)
class Rights:
    """A user's rights on the log's topic, on the persisters' group and on the topic of signals.

    Every user may describe the group whose name readers without a group must give (`KafkaConnection.tail`).
    """

    topic: tuple[str, ...]
    group: tuple[str, ...] = ()
    signals: tuple[str, ...] = ()


ROLES: dict[str, Rights] = {
    "gateway": Rights(_TALKS, signals=("DESCRIBE", "READ", "WRITE")),
    "api": Rights(_TALKS),
    "persister": Rights(_TALKS, group=("READ",)),
    "topics": Rights(
        ("DESCRIBE", "CREATE", "READ", "DESCRIBE_CONFIGS", "ALTER_CONFIGS"),
        signals=("DESCRIBE", "CREATE", "DESCRIBE_CONFIGS"),
    ),
}
"""Rights by the user's name. None of these users may delete a topic, add partitions to it, or grant rights."""


class KafkaAccess:
    """Changes the brokers' users and rules, connected as a super user."""

    def __init__(self, connection: KafkaConnection, topic: str, group: str, signals: str) -> None:
        self._topic = topic
        self._signals = signals
        self._group = group
        self._admin = AdminClient(connection.admin("access"))

    def give(self, passwords: Mapping[str, str]) -> None:
        """Creates or updates these roles' users with these passwords, and their rules.

        Raises LogError when the brokers do not answer or refuse.
        """
        users = [_credential(name, password) for name, password in passwords.items()]
        rules = [rule for name in passwords for rule in self._rules(name)]
        try:
            for done in self._admin.alter_user_scram_credentials(users, request_timeout=_ASK_S).values():
                done.result(_ASK_S)
            for done in self._admin.create_acls(rules, request_timeout=_ASK_S).values():
                done.result(_ASK_S)
        except KafkaException as error:
            raise LogError(f"the brokers refuse: {error.args[0].str()}") from error
        except TimeoutError as error:
            raise LogError("the brokers do not answer") from error

    def _rules(self, name: str) -> list[AclBinding]:
        topic = [_rule(name, ResourceType.TOPIC, self._topic, operation) for operation in ROLES[name].topic]
        group = [_rule(name, ResourceType.GROUP, self._group, operation) for operation in ROLES[name].group]
        signals = [_rule(name, ResourceType.TOPIC, self._signals, operation) for operation in ROLES[name].signals]
        return [*topic, *group, *signals, _rule(name, ResourceType.GROUP, NO_GROUP, "DESCRIBE")]


def _credential(name: str, password: str) -> UserScramCredentialAlteration:
    mechanism = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _ITERATIONS)
    return UserScramCredentialUpsertion(name, mechanism, password.encode(), secrets.token_bytes(_SALT_BYTES))


def _rule(name: str, kind: ResourceType, resource: str, operation: str) -> AclBinding:
    pattern = ResourcePatternType.LITERAL
    who = f"User:{name}"
    return AclBinding(kind, resource, pattern, who, "*", AclOperation[operation], AclPermissionType.ALLOW)
