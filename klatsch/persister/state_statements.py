"""The SQL of conversations' progress: the number and the place of the last message of each (D6).

Like `statements`, everything here runs inside the caller's transaction.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg

from klatsch.persister.batch import MessageRow, Move
from klatsch.persister.statements import Connection


def last_seqs(connection: Connection, conversations: Sequence[str]) -> dict[str, int]:
    """Returns the last seq of those conversations that exist, 0 before the first message."""
    rows = connection.execute(
        "SELECT c.id::text, coalesce(s.last_seq, 0) FROM conversations_conversation c "
        "LEFT JOIN messaging_conversationstate s ON s.conversation_id = c.id WHERE c.id = ANY(%s::uuid[])",
        (conversations,),
    ).fetchall()
    return dict(rows)


_INSERT_STATES = """
INSERT INTO messaging_conversationstate
    (conversation_id, last_seq, last_message, last_sent_at, epoch, partition, last_offset)
SELECT id, last_seq, last_message, last_sent_at, %s, partition, last_offset
FROM unnest(%s::uuid[], %s::bigint[], %s::uuid[], %s::timestamptz[], %s::smallint[], %s::bigint[])
    AS new(id, last_seq, last_message, last_sent_at, partition, last_offset)
ON CONFLICT DO NOTHING
"""

_UPDATE_STATES = """
UPDATE messaging_conversationstate AS stored
SET last_seq = new.last_seq, last_message = new.last_message, last_sent_at = new.last_sent_at,
    epoch = %s, partition = new.partition, last_offset = new.last_offset
FROM unnest(%s::uuid[], %s::bigint[], %s::uuid[], %s::timestamptz[], %s::smallint[], %s::bigint[], %s::bigint[])
    AS new(id, last_seq, last_message, last_sent_at, partition, last_offset, expected)
WHERE stored.conversation_id = new.id AND stored.last_seq = new.expected
"""


def move_conversations(
    connection: Connection, epoch: int, moves: Iterable[Move]
) -> list[tuple["psycopg.Cursor[Any]", int]]:
    """Sets each conversation's last message; returns cursors and counts for `check_moved`."""
    fresh: list[Move] = []
    going: list[Move] = []
    for move in sorted(moves, key=lambda m: m.last.event.conversation):
        (going if move.before else fresh).append(move)
    cursors: list[tuple[psycopg.Cursor[Any], int]] = []
    if fresh:
        cursors.append((connection.execute(_INSERT_STATES, _columns(epoch, fresh)), len(fresh)))
    if going:
        values = (*_columns(epoch, going), [move.before for move in going])
        cursors.append((connection.execute(_UPDATE_STATES, values), len(going)))
    return cursors


def count_late_message(connection: Connection, epoch: int, row: MessageRow) -> int:
    """Gives a message that is stored long after its record the next seq of its conversation; returns the seq.

    It becomes the conversation's last message only if its position is after the present one's.
    """
    counted = connection.execute(
        "INSERT INTO messaging_conversationstate AS stored "
        "(conversation_id, last_seq, last_message, last_sent_at, epoch, partition, last_offset) "
        "VALUES (%s::uuid, 1, %s::uuid, %s::timestamptz, %s, %s, %s) "
        "ON CONFLICT (conversation_id) DO UPDATE SET last_seq = stored.last_seq + 1, "
        "(last_message, last_sent_at, epoch, last_offset, partition) = (SELECT * FROM (VALUES "
        "(stored.last_message, stored.last_sent_at, stored.epoch, stored.last_offset, stored.partition), "
        "(excluded.last_message, excluded.last_sent_at, excluded.epoch, excluded.last_offset, excluded.partition)) "
        "AS either(message, sent_at, epoch, last_offset, partition) ORDER BY epoch DESC, last_offset DESC LIMIT 1) "
        "RETURNING last_seq",
        (row.event.conversation, row.event.id, row.event.sent_at, epoch, row.record.partition, row.record.offset),
    ).fetchone()
    assert counted is not None
    return int(counted[0])


def _columns(epoch: int, moves: Sequence[Move]) -> tuple[Any, ...]:
    return (
        epoch,
        [move.last.event.conversation for move in moves],
        [move.seq for move in moves],
        [move.last.event.id for move in moves],
        [move.last.event.sent_at for move in moves],
        [move.last.record.partition for move in moves],
        [move.last.record.offset for move in moves],
    )
