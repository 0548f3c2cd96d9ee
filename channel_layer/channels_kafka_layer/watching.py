"""Asks for the topic's end each second on a client of its own, and finds a reader that has stopped reading.

librdkafka (2.4 to 2.16, issues 5280 and 5431) may leave a partition unread for good after a broker's restart. The
reader cannot notice it by itself: there seems to be nothing to read.
"""

import threading
import time
from collections.abc import Callable

from confluent_kafka import Consumer, KafkaException, TopicPartition

from channels_kafka_layer.connection import Connection
from channels_kafka_layer.errors import KafkaUnavailable

_EVERY_S = 1.0
_SOON_S = 0.1
_ASK_S = 2.0
_SILENT_S = 15.0
"""A client that gets no answer for this long is replaced: it may be at fault itself."""
_PARTITION = 0


class Watch:
    """Calls `look` with the topic's end after each answer."""

    def __init__(self, connection: Connection, look: Callable[[int], None]) -> None:
        self._connection = connection
        self._look = look
        self._client = Consumer(connection.asker())
        self._answered_s = 0.0
        self._woken = threading.Event()
        self._is_closed = False
        self._thread = threading.Thread(target=self._serve, name="channels-kafka-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ends(self, deadline_s: float) -> tuple[int, int]:
        """Returns the first offset and that after the last; raises KafkaUnavailable."""
        until_s = time.monotonic() + deadline_s
        while True:
            try:
                return self._ask()
            except KafkaException as error:
                if time.monotonic() > until_s or self._is_closed:
                    raise KafkaUnavailable(f"Kafka does not answer: {error.args[0].str()}") from error
                time.sleep(_SOON_S)

    def offset_at(self, time_ms: int) -> int | None:
        """Returns the first offset of that time or later, or None where there is none; raises KafkaUnavailable."""
        asked = TopicPartition(self._connection.topic, _PARTITION, time_ms)
        try:
            [found] = self._client.offsets_for_times([asked], timeout=_ASK_S)
        except KafkaException as error:
            raise KafkaUnavailable(error.args[0].str()) from error
        return found.offset if found.offset >= 0 else None

    def has_answered_since(self, time_s: float) -> bool:
        """Returns whether the partition's leader has answered what was asked after that time (monotonic)."""
        return self._answered_s > time_s

    def ask_soon(self) -> None:
        self._woken.set()

    def close(self, deadline_s: float) -> None:
        self._is_closed = True
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(deadline_s)
        elif self._thread.ident is None:
            self._client.close()

    def _ask(self) -> tuple[int, int]:
        begun_s = time.monotonic()
        place = TopicPartition(self._connection.topic, _PARTITION)
        ends: tuple[int, int] = self._client.get_watermark_offsets(place, timeout=_ASK_S)
        self._answered_s = begun_s
        return ends

    def _serve(self) -> None:
        silent_since_s = time.monotonic()
        while not self._is_closed:
            try:
                _, end = self._ask()
            except KafkaException:
                if time.monotonic() - silent_since_s > _SILENT_S:
                    self._client, silent_since_s = Consumer(self._connection.asker()), time.monotonic()
            else:
                silent_since_s = time.monotonic()
                self._look(end)
            if self._woken.wait(_EVERY_S) and not self._is_closed:
                self._woken.clear()
                time.sleep(_SOON_S)
        self._client.close()
