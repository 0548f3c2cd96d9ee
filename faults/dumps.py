"""Reads the log and the archive for the checker, through clients of its own."""

import json
from collections.abc import Mapping
from typing import Any

import psycopg
from confluent_kafka import Consumer, Message, TopicPartition

from faults.evidence import About, ChangeRow, Evidence, LogRecord, MarkerRow, MentionRow, Row
from faults.folding import state_of
from faults.history import hash_of

_ASK_S = 20.0
_BATCH_MOST = 1_000
_MESSAGE = "01"
_ARCHIVE = """
    SELECT id::text, client_id, conversation_id::text, sender_id::text,
           concat_ws(':', epoch, partition, "offset"), seq, content,
           concat_ws(':', changed_epoch, partition, changed_offset), deleted, pinned_at, reactions
    FROM messaging_message ORDER BY conversation_id, epoch, "offset" """
_CHANGES = "SELECT id::text, concat_ws(':', epoch, partition, \"offset\"), effective FROM messaging_change"
_MENTIONS = "SELECT message_id::text, user_id::text, seq FROM messaging_mention"
_MARKERS = "SELECT conversation_id::text, user_id::text, delivered_offset, read_offset, read_seq FROM messaging_marker"


def dump(brokers: Mapping[str, Any], topic: str, database_url: str) -> Evidence:
    """Returns the log and the archive, without histories. `brokers` is a consumer's configuration."""
    log = dump_log(brokers, topic)
    with psycopg.connect(database_url) as connection:
        changes, mentions, markers = (connection.execute(one).fetchall() for one in (_CHANGES, _MENTIONS, _MARKERS))
    return Evidence(
        dump_about(database_url), log, dump_archive(database_url), {}, [ChangeRow(*row) for row in changes],
        [MentionRow(*row) for row in mentions], [MarkerRow(*row) for row in markers],
    )  # fmt: skip


def dump_log(brokers: Mapping[str, Any], topic: str) -> list[LogRecord]:
    """Returns every record, each partition in order. `brokers` is a consumer's configuration."""
    consumer = Consumer({"group.id": "faults-dump", "enable.auto.commit": False, **brokers})
    try:
        partitions = consumer.list_topics(topic, timeout=_ASK_S).topics[topic].partitions
        places = {p: consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=_ASK_S) for p in partitions}
        left = {p: high for p, (low, high) in places.items() if high > low}
        consumer.assign([TopicPartition(topic, p, places[p][0]) for p in left])
        found: dict[int, list[LogRecord]] = {p: [] for p in partitions}
        while left:
            first = consumer.poll(_ASK_S)
            if first is None:
                raise RuntimeError("the log does not answer")
            for message in (first, *consumer.consume(_BATCH_MOST, 0)):  # with a time, it would wait all of it
                if message.error() is not None:
                    raise RuntimeError(str(message.error()))
                record = _record(message)
                found[record.partition].append(record)
                if record.offset + 1 >= left.get(record.partition, 0):
                    left.pop(record.partition, None)
        return [record for p in sorted(found) for record in found[p]]
    finally:
        consumer.close()


def _record(message: Message) -> LogRecord:
    partition, offset = message.partition() or 0, message.offset() or 0
    key, value = _bytes(message.key()).decode(errors="replace"), _bytes(message.value())
    judge = _judge(message)
    if not judge:
        return LogRecord(partition, offset, key, value=value.decode(errors="replace"))
    body = json.loads(value)
    if judge.startswith(_MESSAGE):
        named = body.get("mention_ids", [])
        return LogRecord(partition, offset, key, judge, body["client_id"], hash_of(body["content"]), mention_ids=named)
    if "content" in body:
        body["hash"] = hash_of(body.pop("content"))
    return LogRecord(partition, offset, key, judge, value=json.dumps(body), time_ms=message.timestamp()[1])


def _judge(message: Message) -> str:
    headers: list[tuple[str, bytes]] = message.headers() or []  # type: ignore[assignment]  # a list is what it gives
    return next((header for name, header in headers if name == "judge"), b"").hex()


def _bytes(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""


def dump_archive(database_url: str) -> list[Row]:
    with psycopg.connect(database_url) as connection, connection.cursor(name="faults") as cursor:
        cursor.execute(_ARCHIVE)
        return [_row(*row) for row in cursor]


def _row(*told: Any) -> Row:
    message_id, client_id, conversation, sender_id, position, seq, content, changed, deleted, pinned_at, reactions = (
        told
    )
    state = state_of({"content": content, "deleted": deleted, "pinned_at": pinned_at, "reactions": reactions})
    return Row(message_id, client_id, conversation, sender_id, position, seq, hash_of(content), changed, state.text())


def dump_about(database_url: str) -> About:
    with psycopg.connect(database_url) as connection:
        [[epoch]] = connection.execute("SELECT max(epoch) FROM eventlog_epoch").fetchall()
        people = connection.execute("SELECT username, id::text FROM accounts_user").fetchall()
    return About(epoch, dict(people))
