"""A gateway that has read nothing of the log yet."""

import time
from typing import Final

from klatsch.conversations.access import Access
from klatsch.core.ids import uuid7
from klatsch.eventlog.kafka_connection import KafkaConnection
from klatsch.eventlog.kafka_writer import KafkaWriter
from klatsch.messaging.sending import Draft, send_message
from tests.support.system import System

_PARTITIONS: Final = 12


def append_as(system: System, access: Access, content: str) -> None:
    """Appends a message of a sender who may have lost the right to send; on return it is in the log."""
    writer = KafkaWriter(KafkaConnection(system.log.bootstrap_servers), system.log.topic, _PARTITIONS)
    now_ms = time.time_ns() // 1_000_000
    send_message(log=writer, access=access, draft=Draft(content, uuid7(now_ms)), now_ms=now_ms)
    assert writer.close(10) == 0
