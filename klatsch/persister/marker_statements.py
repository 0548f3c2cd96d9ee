"""The SQL of markers: how far each person has read each conversation, and when it was last active (D19).

Like `statements`, everything here runs inside the transaction of a batch, after its messages are stored.
"""
# ruff: noqa: S608 - statements are joined from constants; every value is a parameter

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from msgspec import UNSET

from klatsch.archive.markers import LARGE_FROM
from klatsch.eventlog.places import Position
from klatsch.persister.batch import Batch, IntervalRow, MarkerRow

Connection = psycopg.Connection[Any]
_NOWHERE: Final = Position(0, 0, -1)
"""Lower than every position: a marker that was never set."""


@dataclass(slots=True)
class LatestMarker:
    """The sum of a person's markers in a batch, in the log's order. `offset` is the last record's.

    `says` tells whether any record sets or clears `unread_from`. `rises` tells whether a record after that has a higher
    `read` than all before it. If that is also higher than the stored one, it clears the flag.
    """

    conversation: str
    user_id: str
    read: Position = _NOWHERE
    delivered: Position = _NOWHERE
    unread_from: Position | None = None
    says: bool = False
    rises: bool = False
    offset: int = 0

    def take(self, row: MarkerRow) -> None:
        event = row.event
        self.offset = row.record.offset
        if event.delivered is not None:
            self.delivered = max(self.delivered, Position.parse(event.delivered), key=_order)
        if event.read is not None and _order(read := Position.parse(event.read)) > _order(self.read):
            self.read, self.rises = read, True
        if event.unread_from is not UNSET:
            self.unread_from = Position.parse(event.unread_from) if event.unread_from else None
            self.says, self.rises = True, False


def _order(position: Position) -> tuple[int, int]:
    return position.epoch, position.offset


def merge_markers(rows: Iterable[MarkerRow]) -> list[LatestMarker]:
    """Returns one marker for each person and conversation: a batch changes a stored marker at most once."""
    merged: dict[tuple[str, str], LatestMarker] = {}
    for row in rows:
        who = (row.event.conversation, row.event.user_id)
        latest = merged.get(who)
        if latest is None:
            latest = merged[who] = LatestMarker(*who)
        latest.take(row)
    return [merged[who] for who in sorted(merged)]


def store_markers(connection: Connection, epoch: int, batch: Batch, active: Mapping[str, str]) -> None:
    """Stores what a batch says of markers. `active` has the time of the last message of conversations, by id."""
    if batch.intervals:
        begin_markers(connection, batch.intervals)
    if active:
        keep_active(connection, active)
    if batch.markers:
        move_markers(connection, epoch, batch.markers)


_RISES: Final = "new.rises AND (new.read[1], new.read[2]) > (stored.read_epoch, stored.read_offset)"
_MOVED: Final = {
    name: f"(new.{name}[1], new.{name}[2]) > (stored.{name}_epoch, stored.{name}_offset)"
    for name in ("read", "delivered")
}


def _higher(name: str) -> str:
    """Returns the assignments that keep the higher one of the stored and the new position."""
    columns = ((f"{name}_epoch", 1), (f"{name}_offset", 2), (f"{name}_partition", 3))
    return ", ".join(f"{c} = CASE WHEN {_MOVED[name]} THEN new.{name}[{i}] ELSE stored.{c} END" for c, i in columns)


def _flag() -> str:
    """Returns the assignments of `unread_from`: a higher `read` after it clears it."""
    columns = [f"unread_{part}" for part in ("epoch", "partition", "offset", "seq")]
    return ", ".join(
        f"{c} = CASE WHEN {_RISES} THEN NULL WHEN new.says THEN new.{c} ELSE stored.{c} END" for c in columns
    )


def _number(conversation: str, compared: str, epoch: str, offset: str) -> str:
    """Returns the number of the last message before (`<`) or up to (`<=`) a position; 0 if there is none.

    Every message after that position has a higher number. Messages that have a dead letter do not count, as a retry
    stored them late: their numbers are higher than those of messages after them.
    """
    return f"""coalesce((SELECT m.seq FROM messaging_message m
                WHERE m.conversation_id = {conversation} AND (m.epoch, m."offset") {compared} ({epoch}, {offset})
                  AND NOT EXISTS (SELECT FROM messaging_deadletter late WHERE late.epoch = m.epoch
                      AND late.partition = m.partition AND late."offset" = m."offset")
                ORDER BY m.epoch DESC, m."offset" DESC LIMIT 1), 0)"""


# A position beyond the last message becomes that of the last message. The join leaves out people who were never
# members, of whom only a foreign producer could write. No other process writes these rows, so MERGE meets no conflict.
_MERGE: Final = f"""
MERGE INTO messaging_marker AS stored
USING (
    SELECT clamped.*,
        CASE WHEN clamped.read = clamped.place THEN clamped.last_seq
            ELSE {_number("clamped.conversation_id", "<=", "clamped.read[1]", "clamped.read[2]")} END AS read_seq,
        CASE WHEN clamped.unread_epoch IS NOT NULL THEN
            1 + {_number("clamped.conversation_id", "<", "clamped.unread_epoch", "clamped.unread_offset")}
            END AS unread_seq
    FROM (
        SELECT asked.conversation_id, asked.user_id, asked.unread_epoch, asked.unread_partition, asked.unread_offset,
            asked.says, asked.rises, asked.at, last.*,
            least(ARRAY[read_epoch, read_offset, read_partition]::bigint[], last.place) AS read,
            least(ARRAY[delivered_epoch, delivered_offset, delivered_partition]::bigint[], last.place) AS delivered
        FROM unnest(%s::uuid[], %s::uuid[], %s::smallint[], %s::smallint[], %s::bigint[], %s::smallint[],
                %s::smallint[], %s::bigint[], %s::smallint[], %s::smallint[], %s::bigint[], %s::bool[], %s::bool[],
                %s::bigint[])
            AS asked(conversation_id, user_id, read_epoch, read_partition, read_offset, delivered_epoch,
                delivered_partition, delivered_offset, unread_epoch, unread_partition, unread_offset, says, rises, at)
        JOIN conversations_member mine
            ON mine.conversation_id = asked.conversation_id AND mine.user_id = asked.user_id
        CROSS JOIN LATERAL (
            SELECT coalesce(ARRAY[state.epoch, state.last_offset, state.partition]::bigint[], '{{0,-1,0}}') AS place,
                coalesce(state.last_seq, 0) AS last_seq,
                coalesce(state.last_sent_at, c.created_at) + interval '1 hour' AS until
            FROM conversations_conversation c
            LEFT JOIN messaging_conversationstate state ON state.conversation_id = c.id
            WHERE c.id = asked.conversation_id) last) clamped) AS new
ON stored.conversation_id = new.conversation_id AND stored.user_id = new.user_id
WHEN MATCHED AND (new.says OR {_MOVED["read"]} OR {_MOVED["delivered"]}) THEN
    UPDATE SET {_higher("read")}, {_higher("delivered")}, {_flag()},
        read_seq = greatest(stored.read_seq, new.read_seq), changed_epoch = %s, changed_offset = new.at
WHEN NOT MATCHED THEN
    INSERT (conversation_id, user_id, active_at, read_epoch, read_offset, read_partition, delivered_epoch,
        delivered_offset, delivered_partition, read_seq, unread_epoch, unread_partition, unread_offset, unread_seq,
        changed_epoch, changed_offset)
    VALUES (new.conversation_id, new.user_id, new.until, new.read[1], new.read[2], new.read[3], new.delivered[1],
        new.delivered[2], new.delivered[3], new.read_seq, new.unread_epoch, new.unread_partition, new.unread_offset,
        new.unread_seq, %s, new.at)
"""


def move_markers(connection: Connection, epoch: int, markers: Sequence[MarkerRow]) -> None:
    """Moves stored markers up to those of the batch; lower ones change nothing."""
    latest = merge_markers(markers)
    flags = [one.unread_from for one in latest]
    connection.execute(
        _MERGE.encode(),
        (
            [one.conversation for one in latest],
            [one.user_id for one in latest],
            *_columns([one.read for one in latest]),
            *_columns([one.delivered for one in latest]),
            [flag and flag.epoch for flag in flags],
            [flag and flag.partition for flag in flags],
            [flag and flag.offset for flag in flags],
            [one.says for one in latest],
            [one.rises for one in latest],
            [one.offset for one in latest],
            epoch,
            epoch,
        ),
    )


def _columns(positions: Sequence[Position]) -> tuple[list[int], list[int], list[int]]:
    return [p.epoch for p in positions], [p.partition for p in positions], [p.offset for p in positions]


# People begin at the last message before the record that added them. A change of their role alone adds nobody.
_BEGIN: Final = f"""
WITH touched AS (SELECT DISTINCT * FROM unnest(%s::uuid[], %s::uuid[]) AS told(conversation_id, user_id)),
past AS (
    SELECT told.*, lag(told.active, 1, false) OVER (PARTITION BY told.conversation_id, told.user_id
        ORDER BY told.version) AS before
    FROM touched JOIN messaging_membershipinterval told USING (conversation_id, user_id)),
latest AS (
    SELECT DISTINCT ON (conversation_id, user_id) conversation_id, user_id, active
    FROM past ORDER BY conversation_id, user_id, version DESC),
added AS (
    SELECT DISTINCT ON (conversation_id, user_id) conversation_id, user_id, epoch, "offset"
    FROM past WHERE active AND NOT before ORDER BY conversation_id, user_id, version DESC)
INSERT INTO messaging_marker AS stored
    (conversation_id, user_id, active, active_at, begin_epoch, begin_offset, read_seq)
SELECT latest.conversation_id, latest.user_id, latest.active,
    coalesce(state.last_sent_at + interval '1 hour', c.created_at),
    coalesce(added.epoch, 0), coalesce(added."offset", -1),
    {_number("added.conversation_id", "<", "added.epoch", 'added."offset"')}
FROM latest
JOIN conversations_conversation c ON c.id = latest.conversation_id
LEFT JOIN added USING (conversation_id, user_id)
LEFT JOIN messaging_conversationstate state ON state.conversation_id = latest.conversation_id
ON CONFLICT (conversation_id, user_id) DO UPDATE SET active = excluded.active,
    active_at = greatest(stored.active_at, excluded.active_at),
    begin_epoch = excluded.begin_epoch, begin_offset = excluded.begin_offset,
    read_seq = greatest(stored.read_seq, excluded.read_seq)
"""


def begin_markers(connection: Connection, intervals: Sequence[IntervalRow]) -> None:
    """Begins the markers of added people, and ends those of removed people. Their intervals are stored already."""
    connection.execute(
        _BEGIN.encode(), ([one.conversation for one in intervals], [one.change.user_id for one in intervals])
    )


_KEEP_ACTIVE: Final = f"""
UPDATE messaging_marker AS stored SET active_at = new.until
FROM (SELECT c.id, CASE WHEN c.member_count > {LARGE_FROM} THEN date_trunc('hour', told.at, 'UTC') + interval '1 hour'
        ELSE date_trunc('minute', told.at, 'UTC') + interval '1 minute' END AS until
    FROM unnest(%s::uuid[], %s::timestamptz[]) AS told(id, at) JOIN conversations_conversation c USING (id)) new
WHERE stored.conversation_id = new.id AND stored.active AND stored.active_at < new.until
"""


def keep_active(connection: Connection, last_sent: Mapping[str, str]) -> None:
    """Moves the bound of activity of each member beyond their conversation's last message."""
    connection.execute(_KEEP_ACTIVE, (list(last_sent), list(last_sent.values())))
