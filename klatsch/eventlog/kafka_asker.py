"""Asks Kafka for the log's ends, on clients that do not read and that are replaced when they do not answer."""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from klatsch.eventlog.deadline import call_within
from klatsch.eventlog.kafka_connection import KafkaConnection
from klatsch.eventlog.log import LogError
from klatsch.eventlog.watch import Told, count_replaced

_log = structlog.get_logger(__name__)
T = TypeVar("T")
_ASK_S = 10.0
_AGAIN_S = 0.1
_ROUND_S = 1.0
_GRACE_S = 3.0
"""The driver's own time-outs come first. A call that takes this much longer never returns."""
_SILENT_S = 10.0
"""A client that got no answer for this long is replaced, as the client itself may be at fault."""
_SILENT_MOST_S = 30.0
"""The log is probably away when further clients get no answer either: each is given longer, up to this."""
_END = -1


class KafkaAsker:
    """Asks on its own connections: while a fetch waits on a connection, a broker answers nothing else there."""

    def __init__(self, connection: KafkaConnection, topic: str, partitions: int) -> None:
        self._topic = topic
        self._partitions = range(partitions)
        self._config = connection.asker()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._client = Consumer(self._config)
        self._silent_s: float | None = None
        self._in_vain = 0
        self._silent: set[int] = set()

    def ends(self, deadline_s: float = _ASK_S) -> dict[int, int]:
        """Returns the offset after each partition's last record; raises LogError when no broker answers in time."""
        return self._insist(_END, deadline_s)

    def offsets_at(self, time_ms: int) -> dict[int, int]:
        """Returns each partition's first offset whose record is of that time or later; else its end."""
        found = self._insist(time_ms, _ASK_S)
        if any(offset < 0 for offset in found.values()):
            ends = self.ends()
            found = {p: offset if offset >= 0 else ends[p] for p, offset in found.items()}
        return found

    def ask(self) -> Told:
        """Asks each leader separately. Asks leaders that did not answer before last, as they delay the others."""
        leaders = self._leaders()
        ends: dict[int, int] = {}
        for leader in sorted(set(leaders.values()), key=lambda leader: (leader in self._silent, leader)):
            of_leader = [p for p, its_leader in leaders.items() if its_leader == leader]
            try:
                ends |= self._offsets(of_leader, _END, _ROUND_S)
                self._silent.discard(leader)
            except LogError:
                self._silent.add(leader)
        if ends:
            self._silent_s = None
        elif self._silent_s is None:
            self._silent_s = time.monotonic()
        elif time.monotonic() - self._silent_s > min(_SILENT_S * 2 ** min(self._in_vain, 8), _SILENT_MOST_S):
            self._replace(self._client, "it is answered nothing")
        return Told(ends, leaders)

    def close(self) -> None:
        self._closing.set()
        with contextlib.suppress(TimeoutError):
            call_within(_GRACE_S, self._client.close)

    def _insist(self, time_ms: int, deadline_s: float) -> dict[int, int]:
        until_s = time.monotonic() + deadline_s
        while True:
            try:
                return self._offsets(self._partitions, time_ms, max(until_s - time.monotonic(), _AGAIN_S))
            except LogError:
                # A partition that was just created, or that just lost its leader, soon has one again.
                if time.monotonic() > until_s or self._closing.wait(_AGAIN_S):
                    raise

    def _offsets(self, partitions: "range | list[int]", time_ms: int, timeout_s: float) -> dict[int, int]:
        asked = [TopicPartition(self._topic, partition, time_ms) for partition in partitions]
        answers = self._call(lambda client: client.offsets_for_times(asked, timeout=timeout_s), timeout_s)
        if refused := next((answer.error for answer in answers if answer.error is not None), None):
            raise _unanswered(refused)
        self._in_vain = 0
        return {answer.partition: answer.offset for answer in answers}

    def _leaders(self) -> Mapping[int, int]:
        """Returns the leading brokers by partition, for partitions whose leader is available."""
        try:
            told = self._call(lambda client: client.list_topics(self._topic, timeout=_ROUND_S), _ROUND_S)
        except LogError:
            return {}
        found = told.topics[self._topic].partitions if self._topic in told.topics else {}
        return {p: about.leader for p, about in found.items() if p in self._partitions and about.leader in told.brokers}

    def _call(self, call: Callable[[Consumer], T], timeout_s: float) -> T:
        client = self._client
        try:
            return call_within(timeout_s + _GRACE_S, lambda: call(client))
        except TimeoutError as error:
            self._replace(client, "a call did not return")
            raise LogError("the log does not answer: the driver did not return") from error
        except KafkaException as error:
            raise _unanswered(error.args[0]) from error
        except RuntimeError as error:  # closed in the meantime
            raise LogError(f"the log does not answer: {error}") from error

    def _replace(self, client: Consumer, why: str) -> None:
        with self._lock:
            if client is not self._client or self._closing.is_set():
                return
            self._client, self._silent_s = Consumer(self._config), None
            self._in_vain += 1
        count_replaced("asker")
        if self._in_vain == 1:  # the next ones are no news until the log answers
            _log.warning("log_client_replaced", client="asker", why=why)
        threading.Thread(target=self._dismiss, args=(client,), name="log-close", daemon=True).start()

    def _dismiss(self, _client: Consumer) -> None:
        """Keeps a client while other calls may use it, as it must not be destroyed in use."""
        self._closing.wait(_ASK_S + 2 * _GRACE_S)


def _unanswered(error: KafkaError) -> LogError:
    return LogError(f"the log does not answer: {error}")
