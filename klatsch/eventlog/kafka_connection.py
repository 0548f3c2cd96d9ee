"""Connects to the brokers: the settings that each kind of client needs, with every dangerous default set (D1)."""

import logging
from dataclasses import dataclass
from typing import Any

SEND_TIMEOUT_MS = 8_000
"""An unsent record fails after this time; below an answer's deadline, so that the reason is known in time."""
_SIGNAL_TIMEOUT_MS = 3_000
"""An unsent signal is dropped after this time: it is said again, or it is not true any more."""


LINGER_MS_EACH = 2.5
LINGER_MS_MOST = 20.0
"""The time for which entries are gathered, for each partition and at most: 400 requests a second (decision 0055)."""

LOGGED: dict[str, Any] = {"logger": logging.getLogger("librdkafka"), "log_level": 4}
"""For clients that are polled, as librdkafka hands over its log lines in a poll: warnings and worse."""
NOT_LOGGED: dict[str, Any] = {"log_level": 0}
"""For clients that are not polled: their lines would pile up or go to stderr. The caller is told what failed."""

_ASKING: dict[str, Any] = {"topic.metadata.refresh.interval.ms": 5_000}
"""For clients that ask for leaders themselves before most questions: each would ask once more every second."""

NO_GROUP = "klatsch-no-group"
"""librdkafka requires a group id even where partitions are assigned by hand; the group is not used."""


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """Brokers and credentials. Its repr holds no password."""

    bootstrap_servers: str
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = ""
    sasl_username: str = ""
    sasl_password: str = ""
    ssl_ca: str = ""

    def __repr__(self) -> str:
        return f"KafkaConnection({self.bootstrap_servers!r})"

    def common(self, role: str) -> dict[str, str | int | float | bool]:
        config: dict[str, str | int | float | bool] = {
            "bootstrap.servers": self.bootstrap_servers,
            "client.id": f"klatsch-{role}",
            "security.protocol": self.security_protocol,
            "socket.keepalive.enable": True,
            "socket.nagle.disable": True,
            # Reconnects to a returning broker within one second instead of ten.
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 1_000,
            # The default, "rebootstrap", ignores both limits while all brokers are down: forty attempts and eighty
            # lines a second from each consumer (librdkafka 2.15). The addresses of bootstrap.servers are kept without
            # it too.
            "metadata.recovery.strategy": "none",
            # A broker that hangs closes no connection, so only asking finds its partitions' new leaders. By default
            # librdkafka asks every five minutes, and a reader waits up to a minute for the answer.
            "topic.metadata.refresh.interval.ms": 1_000,
            # A removed container or machine refuses no connection. By default librdkafka waits 30 s for it, while the
            # broker has returned under another address.
            "socket.connection.setup.timeout.ms": 4_000,
            # A request to a hanging broker is dropped, with its connection, after this time instead of a minute.
            "socket.timeout.ms": 10_000,
        }
        if self.security_protocol.startswith("SASL"):
            config["sasl.mechanism"] = self.sasl_mechanism
            config["sasl.username"] = self.sasl_username
            config["sasl.password"] = self.sasl_password
        if self.ssl_ca:
            config["ssl.ca.location"] = self.ssl_ca
        return config

    def admin(self, role: str) -> dict[str, str | int | float | bool]:
        """Returns the settings of a client that asks about topics, and creates none by asking."""
        return self.common(role) | NOT_LOGGED | {"allow.auto.create.topics": False} | _ASKING

    def asker(self) -> dict[str, str | int | float | bool]:
        """Returns the settings of a client that asks for offsets, and reads nothing."""
        return self.common("asker") | self._consumer() | NOT_LOGGED | {"group.id": NO_GROUP} | _ASKING

    def producer(self, partitions: int) -> dict[str, str | int | float | bool]:
        """Returns the settings of a durable producer to that many partitions, to each of which it makes requests."""
        return self.common("writer") | {
            "acks": "all",
            "enable.idempotence": True,
            # A writer sends at once where it has little to send (`pacing`).
            "linger.ms": min(LINGER_MS_EACH * partitions, LINGER_MS_MOST),
            "message.timeout.ms": SEND_TIMEOUT_MS,
            "queue.buffering.max.messages": 100_000,
            "queue.buffering.max.kbytes": 65_536,
        }

    def signals(self) -> dict[str, str | int | float | bool]:
        """Returns the settings of a producer of signals: one broker has them, and what is late is dropped (D20)."""
        return self.common("signals") | {
            "acks": "1",
            "linger.ms": 5,
            "message.timeout.ms": _SIGNAL_TIMEOUT_MS,
            "queue.buffering.max.messages": 10_000,
            "queue.buffering.max.kbytes": 8_192,
        }

    def tail(self) -> dict[str, str | int | float | bool]:
        return (
            self.common("tail")
            | self._consumer()
            | {
                "group.id": NO_GROUP,
                "queued.max.messages.kbytes": 65_536,
            }
        )

    def group(self, name: str) -> dict[str, str | int | float | bool]:
        return (
            self.common("persister")
            | self._consumer()
            | {
                "group.id": name,
                "group.protocol": "consumer",
                # Sockets have the message already: larger batches are worth a few milliseconds to the archive. What was
                # fetched is a batch. The next fetch comes that much later, or once the batch is taken (decision 0057).
                "queued.min.messages": 1,
                "fetch.queue.backoff.ms": 20,
                "queued.max.messages.kbytes": 65_536,
            }
        )

    @staticmethod
    def _consumer() -> dict[str, str | int | float | bool]:
        return {
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "allow.auto.create.topics": False,
            "isolation.level": "read_uncommitted",
            "fetch.wait.max.ms": 500,
            "fetch.queue.backoff.ms": 10,
        }
