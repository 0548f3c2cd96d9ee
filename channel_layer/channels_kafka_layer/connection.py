"""Connects to the brokers: the settings of each of the driver's clients, with every dangerous default set."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from channels_kafka_layer.forking import client_begins

Setting = str | int | float | bool
Hosts = str | Sequence[str | tuple[str, int]]

RECORD_BYTES_MOST = 2 * 1024 * 1024
"""The topic's largest record."""
MESSAGE_BYTES_MOST = RECORD_BYTES_MOST - 1024
"""The largest encoded message: the rest of the record is its key, its head and what Kafka adds."""
_LOGGED: dict[str, Any] = {"logger": logging.getLogger("channels_kafka_layer.librdkafka"), "log_level": 4}
"""Warnings and worse, for clients that are polled: librdkafka hands its lines over in a poll."""
_NOT_LOGGED: dict[str, Any] = {"log_level": 0}


def parse_hosts(hosts: Hosts) -> str:
    """Returns `host:port,…` from that, from a list of `host:port`, or from a list of (host, port)."""
    if isinstance(hosts, str):
        return hosts
    return ",".join(host if isinstance(host, str) else f"{host[0]}:{host[1]}" for host in hosts)


@dataclass(frozen=True, slots=True)
class Connection:
    """The brokers and the topic. `extra` are settings of librdkafka for all clients (TLS, SASL), hidden in the repr.

    Ask for a client's settings right before it is made: forks wait for it to connect.
    """

    hosts: str
    topic: str
    extra: Mapping[str, Setting] = field(default_factory=dict, repr=False)

    def producer(self, timeout_s: float) -> dict[str, Any]:
        return (
            self._common("producer")
            | {
                "acks": "all",
                "enable.idempotence": True,
                # Records of several coroutines share a request: a third less CPU here, half of the broker's.
                "linger.ms": 1,
                "message.timeout.ms": int(timeout_s * 1_000),
                "message.max.bytes": RECORD_BYTES_MOST,
                "queue.buffering.max.messages": 100_000,
                "queue.buffering.max.kbytes": 262_144,
            }
            | dict(self.extra)
            | _LOGGED
        )

    def reader(self) -> dict[str, Any]:
        return self._consumer("reader") | dict(self.extra) | _LOGGED

    def asker(self) -> dict[str, Any]:
        """Returns the settings of a consumer that only asks for offsets; it is not polled, so it logs nothing."""
        return self._consumer("asker") | dict(self.extra) | _NOT_LOGGED

    def admin(self) -> dict[str, Any]:
        # Where brokers create topics on demand, a question about a topic would create it, with their settings.
        return self._common("admin") | dict(self.extra) | _NOT_LOGGED | {"allow.auto.create.topics": False}

    def _consumer(self, role: str) -> dict[str, Any]:
        return self._common(role) | {
            # librdkafka wants a name even where partitions are assigned by hand; no group is joined.
            "group.id": "channels-kafka-layer-none",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "allow.auto.create.topics": False,
            "isolation.level": "read_uncommitted",
            # The broker answers as soon as there is one record.
            "fetch.min.bytes": 1,
            "fetch.wait.max.ms": 500,
            # By default a reader that was full pauses for a second.
            "fetch.queue.backoff.ms": 10,
            "queued.max.messages.kbytes": 65_536,
        }

    def _common(self, role: str) -> dict[str, Any]:
        client_begins()
        return {
            "bootstrap.servers": self.hosts,
            "client.id": f"channels-kafka-layer-{role}",
            "socket.keepalive.enable": True,
            "socket.nagle.disable": True,
            # A broker that returns is found within a second, instead of ten.
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 1_000,
            # The default ignores both limits while all brokers are away.
            "metadata.recovery.strategy": "none",
            # A broker that hangs closes no connection: only asking finds its successor. The default is five minutes.
            "topic.metadata.refresh.interval.ms": 1_000,
            # A machine that is gone refuses no connection. The default is 30 s.
            "socket.connection.setup.timeout.ms": 4_000,
            "socket.timeout.ms": 10_000,
        }
