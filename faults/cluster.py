"""Runs three brokers as plain processes: each record has three copies, and two before it is acknowledged."""

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from klatsch.embedded.child import free_ports
from klatsch.embedded.kafka import EmbeddedKafka, new_cluster_id
from klatsch.embedded.kafka_settings import HOST

_BROKERS = 3
_ASK_S = 5.0
_WHOLE_S = 60.0
_POLL_S = 0.1
_THREEFOLD = {
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
    # A follower that is away is left out before a run's clients give up, not after 30 s.
    "replica.lag.time.max.ms": "4000",
    "auto.leader.rebalance.enable": "true",
    "leader.imbalance.check.interval.seconds": "5",
}


class Cluster:
    """A cluster with the interface of one broker: started, waited for and killed as one. `nodes` are the brokers."""

    def __init__(self, folder: Path) -> None:
        ports, controllers = free_ports(_BROKERS), free_ports(_BROKERS)
        voters = ",".join(f"{number}@{HOST}:{port}" for number, port in enumerate(controllers, 1))
        cluster_id = new_cluster_id()
        self.bootstrap_servers = ",".join(f"{HOST}:{port}" for port in ports)
        self.nodes = [
            EmbeddedKafka(
                folder / str(number),
                port=port,
                cluster_id=cluster_id,
                changed=_THREEFOLD | {
                    "node.id": str(number),
                    "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller}",
                    "controller.quorum.voters": voters,
                },
            )
            for number, (port, controller) in enumerate(zip(ports, controllers, strict=True), 1)
        ]  # fmt: skip

    def start(self) -> None:
        for node in self.nodes:
            node.start()

    def wait_ready(self) -> None:
        for node in self.nodes:
            node.wait_ready()

    def kill(self) -> None:
        for node in self.nodes:
            with contextlib.suppress(psutil.NoSuchProcess):
                if node.process is not None:
                    psutil.Process(node.process.pid).resume()
            node.kill()

    def leader(self, topic: str) -> EmbeddedKafka:
        """Returns the broker that leads most of the topic's partitions."""
        until_s = time.monotonic() + _WHOLE_S
        while True:
            try:
                counted = Counter(leader for leader, _ in self._partitions(topic) if leader > 0)
            except KafkaException:  # who was asked is gone, or stands still
                counted = Counter()
            if counted:
                return self.nodes[counted.most_common(1)[0][0] - 1]
            if time.monotonic() > until_s:
                raise TimeoutError("nobody leads")
            time.sleep(_POLL_S)

    def followers(self, leader: EmbeddedKafka) -> list[EmbeddedKafka]:
        return [node for node in self.nodes if node is not leader]

    def wait_whole(self, topic: str) -> bool:
        """Returns whether every partition gets all its copies in time."""
        until_s = time.monotonic() + _WHOLE_S
        while time.monotonic() < until_s:
            with contextlib.suppress(KafkaException):
                partitions = self._partitions(topic)
                if partitions and all(len(copies) == _BROKERS for _, copies in partitions):
                    return True
            time.sleep(_POLL_S)
        return False

    def _partitions(self, topic: str) -> list[tuple[int, list[int]]]:
        """Returns the leader and the in-sync copies of each partition."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        found = admin.list_topics(topic, timeout=_ASK_S).topics[topic].partitions
        return [(partition.leader, list(partition.isrs)) for partition in found.values()]


@contextlib.contextmanager
def suspended(nodes: list[EmbeddedKafka]) -> Iterator[None]:
    """Stops a broker with SIGSTOP, and continues it at the end of the block."""
    processes = [psutil.Process(node.process.pid) for node in nodes if node.process is not None]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()
