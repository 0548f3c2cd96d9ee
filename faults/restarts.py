"""Readers of the log alone, while their broker is killed and restarted: what the tail and the group make of it.

Each round kills the broker, six times in ten once more within seconds, while a trickle of records is written, and ends
when every reader has everything again. Nothing else of Klatsch runs: so a hundred rounds take half an hour, and what
librdkafka does with a broker that has just started is met often.
"""

import contextlib
import logging
import random
import statistics
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog
from confluent_kafka import KafkaError, Message, Producer

from faults.cluster import Cluster
from klatsch.embedded.child import free_ports
from klatsch.embedded.kafka import EmbeddedKafka
from klatsch.eventlog.kafka_connection import KafkaConnection
from klatsch.eventlog.kafka_reader import KafkaGroup, KafkaTail
from klatsch.eventlog.log import LogError, Record
from klatsch.eventlog.topics import KafkaTopics, TopicPlan

_PARTITIONS = 12
_TOPIC = "restarts"
_LOOK_S = 0.05
_GIVE_UP_S = 60.0
_TWICE = 0.6
_BURST = 50


class _Seen:
    """The records that one reader got: each once, in the order of its partition."""

    def __init__(self) -> None:
        self.ends = dict.fromkeys(range(_PARTITIONS), 0)
        self.wrong: list[str] = []

    def take(self, records: Sequence[Record]) -> None:
        for record in records:
            if record.offset != self.ends[record.partition]:
                self.wrong.append(f"{record.partition}:{record.offset} after {self.ends[record.partition]}")
            self.ends[record.partition] = record.offset + 1

    def failed(self, error: LogError) -> None:
        self.wrong.append(str(error))


class _Garbled(logging.Handler):
    """Counts librdkafka's log lines about unknown leaders: they name partitions that may not exist."""

    count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += "METADATAUPDATE" in record.getMessage()


class Restarts:
    """Runs `readers` tails and one member of a group, over one broker or three. Blocks until it is over."""

    def __init__(self, folder: Path, readers: int, seed: int, brokers: int) -> None:
        self._chance = random.Random(seed)
        self._kafka: EmbeddedKafka | Cluster = (
            EmbeddedKafka(folder / "kafka", port=free_ports(1)[0]) if brokers == 1 else Cluster(folder / "kafka")
        )
        self._brokers = brokers
        self._connection = KafkaConnection(self._kafka.bootstrap_servers)
        self._written = dict.fromkeys(range(_PARTITIONS), 0)
        self._stopping = threading.Event()
        self._tails = [KafkaTail(self._connection, _TOPIC, _PARTITIONS) for _ in range(readers)]
        self._seen = [_Seen() for _ in range(readers + 1)]
        self._garbled = _Garbled()

    def run(self, rounds: int) -> int:
        """Returns 0 when every reader had everything again after each round, once and in order."""
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
        logging.getLogger("librdkafka").addHandler(self._garbled)
        self._kafka.start()
        self._kafka.wait_ready()
        try:
            return self._go(rounds)
        finally:
            self._stopping.set()
            self._kafka.kill()

    def _go(self, rounds: int) -> int:
        KafkaTopics(self._connection, _TOPIC).create(
            TopicPlan(_PARTITIONS, replication=self._brokers, retention_hours=24)
        )
        for tail, seen in zip(self._tails, self._seen, strict=False):
            tail.start(seen.ends, seen.take, seen.failed)
        for work in (self._write, self._read_as_member):
            threading.Thread(target=work, daemon=True).start()
        times: list[float | None] = []
        with contextlib.suppress(KeyboardInterrupt):  # what was seen until then is told
            for number in range(rounds):
                self._hurt()
                times.append(self._time_until_read())
                print(f"round {number}: {self._told(times[-1])}", flush=True)
        return self._tell(times)

    def _hurt(self) -> None:
        """Kills the broker, or the leader of most partitions, and restarts it; the second time soon after."""
        time.sleep(self._chance.uniform(0.3, 2))
        self._kill_and_start()
        if self._chance.random() < _TWICE:
            time.sleep(self._chance.uniform(0, 4))
            self._kill_and_start(away_s=self._chance.uniform(0, 3))

    def _kill_and_start(self, away_s: float = 0.0) -> None:
        broker = self._kafka if isinstance(self._kafka, EmbeddedKafka) else self._kafka.leader(_TOPIC)
        broker.kill()
        time.sleep(away_s)
        broker.start()
        broker.wait_ready()

    def _time_until_read(self) -> float | None:
        """Returns the seconds from the broker's return until all have read what was written since; None where never."""
        begun_s, before = time.monotonic(), dict(self._written)
        while time.monotonic() - begun_s < _GIVE_UP_S:
            goal = dict(self._written)
            time.sleep(_LOOK_S)
            if all(goal[p] > before[p] for p in goal) and not self._behind(goal):
                return time.monotonic() - begun_s
        return None

    def _behind(self, goal: Mapping[int, int]) -> dict[int, list[int]]:
        """Returns, by reader, the partitions in which it lacks records; the last reader is the member of the group."""
        lacking = {n: [p for p in goal if seen.ends[p] < goal[p]] for n, seen in enumerate(self._seen)}
        return {n: partitions for n, partitions in lacking.items() if partitions}

    def _write(self) -> None:
        """Writes each second with a new producer, as producers are not under test."""
        number = 0
        while not self._stopping.is_set():
            producer = Producer(self._connection.producer(_PARTITIONS) | {"message.timeout.ms": 3_000, "log_level": 0})
            for _ in range(_BURST):
                number += 1
                producer.produce(_TOPIC, b"x" * 100, partition=number % _PARTITIONS, on_delivery=self._note)
                producer.poll(0.02)
            producer.flush(1)

    def _note(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            partition = message.partition() or 0
            self._written[partition] = max(self._written[partition], (message.offset() or 0) + 1)

    def _read_as_member(self) -> None:
        seen = self._seen[-1]
        given: dict[str, Any] = {"assigned": lambda partitions: {p: seen.ends[p] for p in partitions}}
        given |= {"revoked": lambda _: None, "watch": self._tails[0].watch}
        member = KafkaGroup(self._connection, _TOPIC, _TOPIC, _PARTITIONS, **given)
        while not self._stopping.is_set():
            seen.take(member.poll(0.5, 1_000))

    def _told(self, time_s: float | None) -> str:
        return f"NOT READ: {self._behind(self._written)}" if time_s is None else f"{time_s:.1f} s"

    def _tell(self, times: Sequence[float | None]) -> int:
        wrong = [sentence for seen in self._seen for sentence in seen.wrong]
        read = [seconds for seconds in times if seconds is not None]
        replaced = sum(tail.replaced for tail in self._tails)
        median, most = (statistics.median(read), max(read)) if read else (0.0, 0.0)
        print(f"{len(times)} rounds, {len(times) - len(read)} of them with a partition unread for {_GIVE_UP_S:g} s")
        print(f"read on after a median of {median:.1f} s, at most {most:.1f} s; {replaced} tails replaced")
        print(f"{self._garbled.count} lines METADATAUPDATE; wrong: {wrong or 'nothing'}")
        return 1 if wrong or len(read) < len(times) else 0
