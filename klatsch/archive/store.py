"""The SQL that makes the archive: rows and the next offset in one transaction, the offset's compare-and-set first (D5).

Plain psycopg, as a row may cost no more than a few microseconds: arrays through `unnest`, all statements in one
pipeline. Everything here runs inside the caller's transaction.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import psycopg

from klatsch.records.judge import StandingAt
from klatsch.records.kinds import Fold
from klatsch.records.messages import MessagePosted

Connection = psycopg.Connection[Any]

ARCHIVED_CHANNEL = "klatsch_archived"
"""NOTIFY channel: `partition:next_offset` pairs, separated by commas. A hint; the offsets are in the table."""


_NO_END = 2**63 - 1


class Fenced(Exception):
    """Another persister has stored these records, or has moved a conversation: undo, and read the offsets again."""


class CopiesFound(Exception):
    """The archive has some of these ids already: undo, leave them out, and try again."""


class StoredMessage(msgspec.Struct, frozen=True, gc=False):
    """A message with the place and the number that it gets in the archive."""

    event: MessagePosted
    partition: int
    offset: int
    digest: bytes
    seq: int


@dataclass(frozen=True, slots=True)
class ConversationMove:
    """How far a conversation comes with a batch; `before` is the last seq until now, 0 for its first message."""

    before: int
    last: StoredMessage


@dataclass(frozen=True, slots=True)
class Interval:
    conversation: str
    user_id: str
    version: int
    active: bool
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Letter:
    partition: int
    offset: int
    key: bytes
    value: bytes
    judge: bytes
    reason: str
    detail: str


def read_offsets(connection: Connection, epoch: int) -> dict[int, int]:
    """The next offset of every partition of an epoch."""
    rows = connection.execute(
        "SELECT partition, next_offset FROM messaging_logoffset WHERE epoch = %s", (epoch,)
    ).fetchall()
    return dict(rows)


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
    """Sets each partition's next offset if it is still the expected one; `check_moved` it after the pipeline."""
    partitions = sorted(wanted)
    return connection.execute(
        _MOVE_OFFSETS, (partitions, [expected[p] for p in partitions], [wanted[p] for p in partitions], epoch)
    )


def check_moved(cursor: "psycopg.Cursor[Any]", count: int) -> None:
    """Raises Fenced unless every row was moved: a zombie loses here, by construction."""
    if cursor.rowcount != count:
        raise Fenced


def _array(values: Sequence[str]) -> str:
    """An array literal of values that need no quotes: ids and numbers, as the records' schema has checked them.

    psycopg's own dumper of lists is Python too, and took half of the persister's time: 15 µs a message for 12 columns.
    """
    return "{" + ",".join(values) + "}"


def _text_array(values: Sequence[str]) -> str:
    """An array literal of any text: quoted, with backslashes and quotes escaped (PostgreSQL, 8.15.6)."""
    return '{"' + '","'.join([v.replace("\\", "\\\\").replace('"', '\\"') for v in values]) + '"}'


_INSERT_MESSAGES = """
INSERT INTO messaging_message (id, client_id, conversation_id, sender_id, receiver_id, content, sent_at, reply_to,
    "offset", digest, seq, partition, epoch, changed_epoch, changed_offset)
SELECT id, client_id, conversation_id, sender_id, receiver_id, content, sent_at, reply_to,
    "offset", digest, seq, partition, %s, %s, "offset"
FROM unnest(%s::uuid[], %s::text[], %s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::timestamptz[], %s::uuid[],
    %s::bigint[], %s::bytea[], %s::bigint[], %s::smallint[])
    AS new(id, client_id, conversation_id, sender_id, receiver_id, content, sent_at, reply_to,
    "offset", digest, seq, partition)
ON CONFLICT (id) DO NOTHING
"""


def insert_messages(connection: Connection, epoch: int, messages: Sequence[StoredMessage]) -> "psycopg.Cursor[Any]":
    """Inserts all that the archive does not have; check with `check_inserted` after the pipeline."""
    events = [message.event for message in messages]
    return connection.execute(
        _INSERT_MESSAGES,
        (
            epoch,
            epoch,
            _array([e.id for e in events]),
            _text_array([e.client_id for e in events]),  # null is a client_id too
            _array([e.conversation for e in events]),
            _array([e.sender_id for e in events]),
            _array([e.receiver_id or "NULL" for e in events]),
            _text_array([e.content for e in events]),
            _text_array([e.sent_at for e in events]),
            _array([e.reply_to or "NULL" for e in events]),
            _array([str(m.offset) for m in messages]),
            _text_array(["\\x" + m.digest.hex() for m in messages]),
            _array([str(m.seq) for m in messages]),
            _array([str(m.partition) for m in messages]),
        ),
    )


def check_inserted(cursor: "psycopg.Cursor[Any]", count: int) -> None:
    """Raises CopiesFound unless every message was new."""
    if cursor.rowcount != count:
        raise CopiesFound


def fold_into_messages(connection: Connection, epoch: int, fold: Fold, changes: Mapping[str, tuple[Any, int]]) -> None:
    """Overwrites the columns of messages that records of one kind change, unless the archive knows a later change.

    `changes` has for each message's id the last record of its kind, as decoded, and its offset.
    """
    names = ", ".join(fold.columns)
    assignments = ", ".join(f"{name} = new.{name}" for name in fold.columns)
    arrays = ", ".join(f"%s::{column}[]" for column in fold.columns.values())
    events = [event for event, _ in changes.values()]
    connection.execute(
        f"""UPDATE messaging_message AS stored
            SET {assignments}, changed_epoch = %s, changed_offset = new."offset"
            FROM unnest(%s::uuid[], {arrays}, %s::bigint[]) AS new(id, {names}, "offset")
            WHERE stored.id = new.id AND (stored.changed_epoch, stored.changed_offset) < (%s, new."offset")
        """.encode(),  # noqa: S608 - made of the names of columns that the table of kinds has
        (
            epoch,
            list(changes),
            *([_column(getattr(event, name), kind) for event in events] for name, kind in fold.columns.items()),
            [offset for _, offset in changes.values()],
            epoch,
        ),
    )


def _column(value: Any, kind: str) -> Any:
    return msgspec.json.encode(value).decode() if kind == "jsonb" else value


def find_ids(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Those of the ids that the archive has."""
    rows = connection.execute("SELECT id::text FROM messaging_message WHERE id = ANY(%s::uuid[])", (ids,)).fetchall()
    return {row[0] for row in rows}


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
    connection: Connection, epoch: int, moves: Iterable[ConversationMove]
) -> list[tuple["psycopg.Cursor[Any]", int]]:
    """Sets each conversation's last message; returns cursors and counts for `check_moved`."""
    fresh: list[ConversationMove] = []
    going: list[ConversationMove] = []
    for move in sorted(moves, key=lambda m: m.last.event.conversation):
        (going if move.before else fresh).append(move)
    cursors: list[tuple[psycopg.Cursor[Any], int]] = []
    if fresh:
        cursors.append((connection.execute(_INSERT_STATES, _columns(epoch, fresh)), len(fresh)))
    if going:
        values = (*_columns(epoch, going), [move.before for move in going])
        cursors.append((connection.execute(_UPDATE_STATES, values), len(going)))
    return cursors


def count_late_message(connection: Connection, epoch: int, message: StoredMessage) -> int:
    """Gives the next seq of its conversation to a message that is stored long after its record, and returns it.

    It becomes the conversation's last message only where it stands after the present one.
    """
    row = connection.execute(
        "INSERT INTO messaging_conversationstate AS stored "
        "(conversation_id, last_seq, last_message, last_sent_at, epoch, partition, last_offset) "
        "VALUES (%s::uuid, 1, %s::uuid, %s::timestamptz, %s, %s, %s) "
        "ON CONFLICT (conversation_id) DO UPDATE SET last_seq = stored.last_seq + 1, "
        "(last_message, last_sent_at, epoch, last_offset) = (SELECT * FROM (VALUES "
        "(stored.last_message, stored.last_sent_at, stored.epoch, stored.last_offset), "
        "(excluded.last_message, excluded.last_sent_at, excluded.epoch, excluded.last_offset)) "
        "AS either(message, sent_at, epoch, last_offset) ORDER BY epoch DESC, last_offset DESC LIMIT 1) "
        "RETURNING last_seq",
        (
            message.event.conversation,
            message.event.id,
            message.event.sent_at,
            epoch,
            message.partition,
            message.offset,
        ),
    ).fetchone()
    assert row is not None
    return int(row[0])


def _columns(epoch: int, moves: Sequence[ConversationMove]) -> tuple[Any, ...]:
    last = [move.last for move in moves]
    return (
        epoch,
        [m.event.conversation for m in last],
        [m.seq for m in last],
        [m.event.id for m in last],
        [m.event.sent_at for m in last],
        [m.partition for m in last],
        [m.offset for m in last],
    )


def insert_intervals(connection: Connection, epoch: int, intervals: Sequence[Interval]) -> None:
    """A version that is there already is left as it is: the record was a repeat."""
    connection.execute(
        "INSERT INTO messaging_membershipinterval "
        '(conversation_id, user_id, version, active, partition, "offset", epoch) '
        "SELECT *, %s FROM unnest(%s::uuid[], %s::uuid[], %s::int[], %s::bool[], %s::smallint[], %s::bigint[]) "
        "ON CONFLICT DO NOTHING",
        (
            epoch,
            [i.conversation for i in intervals],
            [i.user_id for i in intervals],
            [i.version for i in intervals],
            [i.active for i in intervals],
            [i.partition for i in intervals],
            [i.offset for i in intervals],
        ),
    )


def insert_letters(connection: Connection, epoch: int, letters: Sequence[Letter]) -> None:
    connection.execute(
        "INSERT INTO messaging_deadletter "
        '(partition, "offset", key, value, judge, reason, detail, epoch, created_at) '
        "SELECT *, %s, now() FROM "
        "unnest(%s::smallint[], %s::bigint[], %s::bytea[], %s::bytea[], %s::bytea[], %s::text[], %s::text[]) "
        "ON CONFLICT DO NOTHING",
        (
            epoch,
            [one.partition for one in letters],
            [one.offset for one in letters],
            [one.key for one in letters],
            [one.value for one in letters],
            [one.judge for one in letters],
            [one.reason for one in letters],
            [one.detail.replace("\0", "\\0") for one in letters],
        ),
    )


def notify_archived(connection: Connection, offsets: Mapping[int, int]) -> None:
    """Wakes who waits for these offsets, when the transaction commits."""
    payload = ",".join(f"{partition}:{offset}" for partition, offset in sorted(offsets.items()))
    connection.execute("SELECT pg_notify(%s, %s)", (ARCHIVED_CHANNEL, payload))


def last_seqs(connection: Connection, conversations: Sequence[str]) -> dict[str, int]:
    """The last seq of those of the conversations that exist, 0 where nothing was said yet."""
    rows = connection.execute(
        "SELECT c.id::text, coalesce(s.last_seq, 0) FROM conversations_conversation c "
        "LEFT JOIN messaging_conversationstate s ON s.conversation_id = c.id WHERE c.id = ANY(%s::uuid[])",
        (conversations,),
    ).fetchall()
    return dict(rows)


def known_people(connection: Connection, users: Sequence[str]) -> set[str]:
    """Those of the ids that are people's."""
    rows = connection.execute("SELECT id::text FROM accounts_user WHERE id = ANY(%s::uuid[])", (users,)).fetchall()
    return {row[0] for row in rows}


def removals(
    connection: Connection,
    epoch: int,
    partitions: Sequence[int],
    since: Mapping[int, int] | None = None,
    before: Mapping[int, int] | None = None,
) -> list[StandingAt]:
    """The standings of all who were ever removed, by their highest version, for judging.

    With `before`, by the highest version below that offset of their partition: for a judge who reads on from there, as
    what was true later would make other records void. With `since`, only standings that begin at or after that offset:
    what the log can still hold.
    """
    ends = [before[partition] if before is not None else _NO_END for partition in partitions]
    rows = connection.execute(
        "SELECT DISTINCT ON (conversation_id, user_id) conversation_id::text, user_id::text, version, active, "
        'partition, "offset" FROM messaging_membershipinterval '
        "JOIN unnest(%s::smallint[], %s::bigint[]) AS bound(held, ends_at) ON partition = held "
        'WHERE epoch = %s AND version > 1 AND "offset" < ends_at '
        "ORDER BY conversation_id, user_id, version DESC",
        (list(partitions), ends, epoch),
    ).fetchall()
    return [StandingAt(*row) for row in rows if since is None or row[5] >= since[row[4]]]
