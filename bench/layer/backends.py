"""The channel layers that are compared, and the servers behind them."""

import contextlib
import importlib.util
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import psutil

from bench.peers.redis import Redis
from bench.systems import NotInstalled

_KAFKA: Final = "channels_kafka_layer.KafkaChannelLayer"
_CORE: Final = "channels_redis.core.RedisChannelLayer"
_PUBSUB: Final = "channels_redis.pubsub.RedisPubSubChannelLayer"
_INSTALL: Final = "make bench-peers"


@dataclass(frozen=True, slots=True)
class Backend:
    """A channel layer: its class, what it is given, and the server whose CPU counts as its own."""

    name: str
    path: str
    server: int
    config: dict[str, Any] = field(default_factory=dict)


@contextlib.contextmanager
def all_backends() -> Iterator[list[Backend]]:
    """Starts a Redis, and takes the Kafka of `make up`; ends with a message where something must be installed."""
    if importlib.util.find_spec("channels_redis") is None:
        raise SystemExit(f"channels_redis is not installed: {_INSTALL}")
    try:
        redis = Redis()
    except NotInstalled as missing:
        raise SystemExit(str(missing)) from missing
    kafka = os.environ["KAFKA_BOOTSTRAP_SERVERS"]
    topic = f"channels-bench-{secrets.token_hex(4)}"
    redis.start()
    try:
        config = {"hosts": [redis.url]}
        kafka_pid = _listener(int(kafka.rpartition(":")[2]))
        yield [
            Backend("kafka", _KAFKA, kafka_pid, {"hosts": kafka, "topic": topic, "create_topic": True}),
            Backend("redis core", _CORE, redis.pid, config),
            Backend("redis pubsub", _PUBSUB, redis.pid, config),
        ]
    finally:
        redis.stop()


def _listener(port: int) -> int:
    """Returns the process that listens on a port of this machine."""
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,) and connection.pid is not None:
            return int(connection.pid)
    raise SystemExit(f"Nothing listens on port {port}: the bench needs a Kafka on this machine.")
