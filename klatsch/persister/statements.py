"""The archive's SQL, one function for each kind of row (D5). `storing` runs them in one transaction.

It uses plain psycopg, as a row may cost only a few microseconds: arrays through `unnest`, all statements in one
pipeline. Everything here runs inside the caller's transaction.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import psycopg

from klatsch.archive.progress import ARCHIVED_CHANNEL
from klatsch.persister.batch import ChangeRow, DeadRow, IntervalRow, MessageRow
from klatsch.records.header import judged_digest

Connection = psycopg.Connection[Any]
encode_json = msgspec.json.Encoder().encode
_PAIRS_MOST: Final = 300
"""The pairs in one notification: PostgreSQL refuses 8,000 bytes, and a pair has up to 26 with its comma."""


class Fenced(Exception):
    """Raised when another persister stored these records or moved a conversation: roll back, reread the offsets."""


class CopiesFound(Exception):
    """Raised when the archive has some of these ids already: roll back, leave the copies out, and try again."""


_MOVE_OFFSETS = """
UPDATE messaging_logoffset AS stored SET next_offset = wanted.next_offset
FROM (
    SELECT held.id, move.next_offset
    FROM messaging_logoffset held
    JOIN unnest(%s::smallint[], %s::bigint[], %s::bigint[]) AS move(partition, expected, next_offset)
      ON held.partition = move.partition AND held.next_offset = move.expected
    WHERE held.epoch = %s
    ORDER BY held.partition
    FOR UPDATE OF held
) AS wanted
WHERE stored.id = wanted.id
"""


def move_offsets(
    connection: Connection, epoch: int, expected: Mapping[int, int], wanted: Mapping[int, int]
) -> "psycopg.Cursor[Any]":
    """Sets each partition's next offset if it is still the expected one. Call `check_moved` after the pipeline."""
    partitions = sorted(wanted)
    return connection.execute(
        _MOVE_OFFSETS, (partitions, [expected[p] for p in partitions], [wanted[p] for p in partitions], epoch)
    )


def check_moved(cursor: "psycopg.Cursor[Any]", count: int) -> None:
    """Raises Fenced unless every row was moved: a replaced persister always loses here."""
    if cursor.rowcount != count:
        raise Fenced


def _array(values: Sequence[str]) -> str:
    """Returns an array literal of values that need no quotes: ids and numbers that the records' schema has checked.

    psycopg's own dumper of lists is Python too, and took half of the persister's time: 15 µs per message for 12
    columns.
    """
    return "{" + ",".join(values) + "}"


def _quoted_array(values: Sequence[str]) -> str:
    """Returns an array literal of values that need quotes, in which quotes and backslashes are escaped already."""
    return '{"' + '","'.join(values) + '"}'


def _text_array(values: Sequence[str]) -> str:
    """Returns an array literal of any text, with backslashes and quotes escaped (PostgreSQL, 8.15.6)."""
    return _quoted_array([v.replace("\\", "\\\\").replace('"', '\\"') for v in values])


_INSERT_MESSAGES = """
INSERT INTO messaging_message (id, client_id, conversation_id, sender_id, receiver_id, content, sent_at, reply_to,
    "offset", digest, seq, partition, mentions, epoch, changed_epoch, changed_offset)
SELECT id, client_id, conversation_id, sender_id, receiver_id, content, sent_at, reply_to,
    "offset", digest, seq, partition, mentions, %s, %s, "offset"
FROM unnest(%s::uuid[], %s::text[], %s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::timestamptz[], %s::uuid[],
    %s::bigint[], %s::bytea[], %s::bigint[], %s::smallint[], %s::jsonb[])
    AS new(id, client_id, conversation_id, sender_id, receiver_id, content, sent_at, reply_to,
    "offset", digest, seq, partition, mentions)
WHERE NOT EXISTS (SELECT FROM messaging_change WHERE id = new.id)
ON CONFLICT (id) DO NOTHING
"""


def insert_messages(
    connection: Connection, epoch: int, rows: Sequence[MessageRow], seqs: Sequence[int]
) -> "psycopg.Cursor[Any]":
    """Inserts the messages that the archive does not have. Call `check_inserted` after the pipeline."""
    records = [row.record for row in rows]
    events = [row.event for row in rows]
    return connection.execute(
        _INSERT_MESSAGES,
        (
            epoch,
            epoch,
            _array([e.id for e in events]),
            _quoted_array([e.client_id for e in events]),  # `null` is a valid client_id
            _array([e.conversation for e in events]),
            _array([e.sender_id for e in events]),
            _array([e.receiver_id or "NULL" for e in events]),
            _text_array([e.content for e in events]),
            _quoted_array([e.sent_at for e in events]),
            _array([e.reply_to or "NULL" for e in events]),
            _array([str(r.offset) for r in records]),
            _quoted_array(["\\\\x" + judged_digest(r.judge).hex() for r in records]),  # an escaped backslash
            _array([str(seq) for seq in seqs]),
            _array([str(r.partition) for r in records]),
            _text_array([encode_json(e.mentions).decode() if e.mentions else "[]" for e in events]),
        ),
    )


def check_inserted(cursor: "psycopg.Cursor[Any]", count: int) -> None:
    """Raises CopiesFound unless every message was new."""
    if cursor.rowcount != count:
        raise CopiesFound


def fold_into_messages(connection: Connection, epoch: int, changes: Sequence[ChangeRow]) -> None:
    """Overwrites message columns by a run of change records of one kind; each message's last record counts.

    A later change that the archive has already stays.
    """
    fold = changes[0].fold
    last = {change.event.id: change for change in changes}
    names = ", ".join(fold.columns)
    assignments = ", ".join(f"{name} = new.{name}" for name in fold.columns)
    arrays = ", ".join(f"%s::{column}[]" for column in fold.columns.values())
    events = [change.event for change in last.values()]
    connection.execute(
        f"""UPDATE messaging_message AS stored
            SET {assignments}, changed_epoch = %s, changed_offset = new."offset"
            FROM unnest(%s::uuid[], {arrays}, %s::bigint[]) AS new(id, {names}, "offset")
            WHERE stored.id = new.id AND (stored.changed_epoch, stored.changed_offset) < (%s, new."offset")
              AND NOT EXISTS (SELECT FROM messaging_change WHERE message_id = stored.id)
        """.encode(),  # noqa: S608 - made of the names of columns that the table of kinds has
        (
            epoch,
            list(last),
            *([_column(getattr(event, name), kind) for event in events] for name, kind in fold.columns.items()),
            [change.record.offset for change in last.values()],
            epoch,
        ),
    )


def _column(value: Any, kind: str) -> Any:
    return encode_json(value).decode() if kind == "jsonb" else value


_FIND_IDS = """
SELECT id::text FROM messaging_message WHERE id = ANY(%s::uuid[])
UNION ALL SELECT id::text FROM messaging_change WHERE id = ANY(%s::uuid[])
"""


def find_ids(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Returns those of the ids that the archive has, of messages or of changes."""
    rows = connection.execute(_FIND_IDS, (ids, ids)).fetchall()
    return {row[0] for row in rows}


def insert_intervals(connection: Connection, epoch: int, intervals: Sequence[IntervalRow]) -> None:
    """Inserts membership intervals. Keeps versions that exist: their records are repeats."""
    connection.execute(
        "INSERT INTO messaging_membershipinterval "
        '(conversation_id, user_id, version, active, role, blocked, partition, "offset", epoch) '
        "SELECT *, %s FROM unnest(%s::uuid[], %s::uuid[], %s::int[], %s::bool[], %s::text[], %s::bool[], "
        "%s::smallint[], %s::bigint[]) "
        "ON CONFLICT DO NOTHING",
        (
            epoch,
            [i.conversation for i in intervals],
            [i.change.user_id for i in intervals],
            [i.change.version for i in intervals],
            [i.change.active for i in intervals],
            [i.change.role for i in intervals],
            [i.change.blocked for i in intervals],
            [i.record.partition for i in intervals],
            [i.record.offset for i in intervals],
        ),
    )


def insert_letters(connection: Connection, epoch: int, dead: Sequence[DeadRow]) -> None:
    connection.execute(
        "INSERT INTO messaging_deadletter "
        '(partition, "offset", key, value, judge, reason, detail, epoch, created_at) '
        "SELECT *, %s, now() FROM "
        "unnest(%s::smallint[], %s::bigint[], %s::bytea[], %s::bytea[], %s::bytea[], %s::text[], %s::text[]) "
        "ON CONFLICT DO NOTHING",
        (
            epoch,
            [row.record.partition for row in dead],
            [row.record.offset for row in dead],
            [row.record.key for row in dead],
            [row.record.value for row in dead],
            [row.record.judge for row in dead],
            [row.reason for row in dead],
            [row.detail.replace("\0", "\\0") for row in dead],
        ),
    )


def notify_archived(connection: Connection, offsets: Mapping[int, int]) -> None:
    """Wakes waiters for these offsets when the transaction commits."""
    pairs = [f"{partition}:{offset}" for partition, offset in sorted(offsets.items())]
    for first in range(0, len(pairs), _PAIRS_MOST):
        connection.execute("SELECT pg_notify(%s, %s)", (ARCHIVED_CHANNEL, ",".join(pairs[first : first + _PAIRS_MOST])))


def known_people(connection: Connection, users: Sequence[str]) -> set[str]:
    """Returns those of the ids that belong to people."""
    rows = connection.execute("SELECT id::text FROM accounts_user WHERE id = ANY(%s::uuid[])", (users,)).fetchall()
    return {row[0] for row in rows}
