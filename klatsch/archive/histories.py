"""Reads archived messages, in pages and one by one. The SQL is handwritten, as these are the most frequent reads.

Every page is a short range scan of an index, whatever the table's size (tests/integration/test_history_plans.py). Only
`list_own_messages`, `list_mentions` and `find_readable_message` check who reads; for the others, callers ask
`conversations.queries` before.
"""
# ruff: noqa: S608 - statements are joined from the constants below; every value is a parameter

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection

from klatsch.archive.message_view import MESSAGE_COLUMNS, PEOPLE, MessageView, view_of
from klatsch.core.keyset import Keyset, Way

_HISTORY: Final = Keyset(
    ("epoch", '"offset"'),
    lambda way: (
        f"""
    SELECT {MESSAGE_COLUMNS}
    FROM (SELECT * FROM messaging_message
          WHERE conversation_id = %(conversation)s AND {way.beyond()}
          {way.order()} LIMIT %(limit)s) m
    {PEOPLE}
    {way.order("m.")}"""
    ),
    newest_first=True,
)


def own_messages_sql(way: Way) -> str:
    """Returns SQL of the first `%(limit)s` messages that `%(user)s` may read, by (sent_at, id).

    The newest k messages can only lie in the k conversations whose last message is newest. Finding those takes one
    index probe per conversation, then k rows each: the cost does not depend on the number of messages ever written.
    """
    return f"""
    SELECT their.* FROM (
        SELECT mine.conversation_id
        FROM conversations_member mine
        CROSS JOIN LATERAL (
            SELECT sent_at, id FROM messaging_message
            WHERE conversation_id = mine.conversation_id AND {way.beyond()}
            {way.order()} LIMIT 1) top
        WHERE mine.user_id = %(user)s AND mine.active
        {way.order("top.")} LIMIT %(limit)s) latest
    CROSS JOIN LATERAL (
        SELECT * FROM messaging_message
        WHERE conversation_id = latest.conversation_id AND {way.beyond()}
        {way.order()} LIMIT %(limit)s) their
    {way.order("their.")} LIMIT %(limit)s"""


_OWN: Final = Keyset(
    ("sent_at", "id"),
    lambda way: f"SELECT {MESSAGE_COLUMNS} FROM ({own_messages_sql(way)}) m {PEOPLE} {way.order('m.')}",
    newest_first=True,
)

PINS_SHOWN: Final = 60
"""The most pinned messages of a list: more than a conversation may have, as two pins at once may exceed the limit."""
_PINS: Final = f"""
    SELECT {MESSAGE_COLUMNS}
    FROM (SELECT * FROM messaging_message
          WHERE conversation_id = %s AND pinned_at IS NOT NULL
          ORDER BY pinned_at DESC LIMIT {PINS_SHOWN}) m
    {PEOPLE}
    ORDER BY m.pinned_at DESC, m.epoch DESC, m."offset" DESC"""

_MENTIONS: Final = Keyset(
    ("sent_at", "message_id"),
    lambda way: (
        f"""
    SELECT {MESSAGE_COLUMNS}
    FROM (SELECT named.message_id, named.sent_at FROM messaging_mention named
          WHERE named.user_id = %(user)s AND {way.beyond("named.")} AND EXISTS (
              SELECT FROM conversations_member mine
              WHERE mine.conversation_id = named.conversation_id AND mine.user_id = named.user_id AND mine.active)
          {way.order("named.")} LIMIT %(limit)s) found
    JOIN messaging_message m ON m.id = found.message_id
    {PEOPLE}
    {way.order("found.")}"""
    ),
    newest_first=True,
)


def list_messages(
    *, conversation_id: UUID, limit: int, after: tuple[int, int] | None = None, before: tuple[int, int] | None = None
) -> list[MessageView]:
    """Returns a conversation's messages, newest first by (epoch, offset): at most `limit` after or before a place."""
    with connection.cursor() as cursor:
        rows = _HISTORY.read(cursor, {"conversation": conversation_id}, limit=limit, after=after, before=before)
    return [view_of(row) for row in rows]


def list_own_messages(
    *,
    user_id: UUID,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
    before: tuple[datetime, UUID] | None = None,
) -> list[MessageView]:
    """Returns all messages that a person may read, newest first by (sent_at, id), paged like `list_messages`."""
    with connection.cursor() as cursor:
        rows = _OWN.read(cursor, {"user": user_id}, limit=limit, after=after, before=before)
    return [view_of(row) for row in rows]


def list_mentions(
    *,
    user_id: UUID,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
    before: tuple[datetime, UUID] | None = None,
) -> list[MessageView]:
    """Returns the messages that mention a person, in conversations that they may read, like `list_own_messages`."""
    with connection.cursor() as cursor:
        rows = _MENTIONS.read(cursor, {"user": user_id}, limit=limit, after=after, before=before)
    return [view_of(row) for row in rows]


def list_pins(conversation_id: UUID) -> list[MessageView]:
    """Returns a conversation's pinned messages, the newest pin first."""
    with connection.cursor() as cursor:
        cursor.execute(_PINS, [conversation_id])
        return [view_of(row) for row in cursor.fetchall()]


_MESSAGE: Final = f"""
    SELECT {MESSAGE_COLUMNS} FROM (SELECT * FROM messaging_message WHERE id = %s) m {PEOPLE}"""
_READABLE: Final = f"""{_MESSAGE}
    WHERE EXISTS (SELECT FROM conversations_member mine
                  WHERE mine.conversation_id = m.conversation_id AND mine.user_id = %s AND mine.active)"""


def find_message(message_id: bytes) -> MessageView | None:
    """Returns a message by its id. The caller has checked that the person may read its conversation."""
    return _find(_MESSAGE, message_id)


def find_readable_message(message_id: bytes, user_id: bytes) -> MessageView | None:
    """Returns a message by its id, if that person may read its conversation now."""
    return _find(_READABLE, message_id, user_id)


def _find(statement: str, *ids: bytes) -> MessageView | None:
    with connection.cursor() as database:
        database.execute(statement, [UUID(bytes=one) for one in ids])
        row = database.fetchone()
    return None if row is None else view_of(row)
