"""Reads what belongs to one message, for people who may read it: its versions, and who reacted with what.

Every page is a range scan of an index, within the rows of that message.
"""
# ruff: noqa: S608 - statements are joined from the constants below; every value is a parameter

from typing import Any, Final
from uuid import UUID

import msgspec
from django.db import connection

from klatsch.archive.change_places import change_place, change_place_sql
from klatsch.archive.message_view import MESSAGE_COLUMNS, PEOPLE, MessageView, view_of
from klatsch.core.errors import Gone, NotFound
from klatsch.core.keyset import Keyset
from klatsch.eventlog.places import PositionText
from klatsch.records.values import Time, Uuid


class VersionView(msgspec.Struct, frozen=True, gc=False):
    """A text of a message, from `written_at` on. `position` is that of the record that brought it."""

    content: str
    written_at: Time
    position: PositionText


class ReactionView(msgspec.Struct, frozen=True, gc=False):
    """A person's reaction. `position` is that of its record."""

    emoji: str
    user: str
    user_id: Uuid
    position: PositionText


_READABLE: Final = """EXISTS (
    SELECT FROM conversations_member mine
    WHERE mine.conversation_id = m.conversation_id AND mine.user_id = %(user)s AND mine.active)"""
_MESSAGE: Final = f"""
    SELECT {MESSAGE_COLUMNS} FROM messaging_message m {PEOPLE} WHERE m.id = %(message)s AND {_READABLE}"""
_IS_DELETED: Final = f"SELECT m.deleted FROM messaging_message m WHERE m.id = %(message)s AND {_READABLE}"

# A message without an edit has no stored versions: its row is the only one.
_VERSIONS: Final = Keyset(
    ("epoch", '"offset"'),
    lambda way: (
        f"""
    SELECT v.content, to_char(v.written_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        {change_place_sql("v.epoch", 'v."offset"')}, m.conversation_id::text
    FROM messaging_message m
    CROSS JOIN LATERAL (
        SELECT epoch, "offset", content, written_at FROM messaging_messageversion
        WHERE message_id = m.id AND {way.beyond()}
        UNION ALL
        SELECT m.epoch, m."offset", m.content, m.sent_at
        WHERE m.edited_at IS NULL AND {way.beyond("m.")}
        {way.order()} LIMIT %(limit)s) v
    WHERE m.id = %(message)s AND NOT m.deleted
    {way.order("v.")}"""
    ),
)
_REACTIONS: Final = Keyset(
    ("epoch", '"offset"'),
    lambda way: (
        f"""
    SELECT r.emoji, u.username, u.id::text, {change_place_sql("r.epoch", 'r."offset"')}, m.conversation_id::text
    FROM (SELECT * FROM messaging_reaction
          WHERE message_id = %(message)s AND {way.beyond()}
          {way.order()} LIMIT %(limit)s) r
    JOIN messaging_message m ON m.id = r.message_id JOIN accounts_user u ON u.id = r.user_id
    {way.order("r.")}"""
    ),
)


def get_message(*, user_id: UUID, message_id: UUID) -> MessageView:
    """Returns a message, also a deleted one; raises one NotFound for unknown messages and other people's."""
    row = _read_one(_MESSAGE, user_id, message_id)
    if row is None:
        raise no_such_message()
    return view_of(row)


def check_readable(*, user_id: UUID, message_id: UUID) -> None:
    """Raises NotFound like `get_message`, and Gone for a deleted message."""
    row = _read_one(_IS_DELETED, user_id, message_id)
    if row is None:
        raise no_such_message()
    if row[0]:
        raise Gone("This message was deleted.")


def list_versions(
    *, message_id: UUID, limit: int, after: tuple[int, int] | None = None, before: tuple[int, int] | None = None
) -> list[VersionView]:
    """Returns the texts that a message had and has, the oldest first by (epoch, offset).

    At most `limit` of them, after or before a place. The caller calls `check_readable` before.
    """
    with connection.cursor() as cursor:
        rows = _VERSIONS.read(cursor, {"message": message_id}, limit=limit, after=after, before=before)
    return [VersionView(*_with_place(row)) for row in rows]


def list_reactions(
    *, message_id: UUID, limit: int, after: tuple[int, int] | None = None, before: tuple[int, int] | None = None
) -> list[ReactionView]:
    """Returns the reactions to a message in the order of time, paged like `list_versions`."""
    with connection.cursor() as cursor:
        rows = _REACTIONS.read(cursor, {"message": message_id}, limit=limit, after=after, before=before)
    return [ReactionView(*_with_place(row)) for row in rows]


def no_such_message() -> NotFound:
    """Returns the one answer for messages that do not exist and for messages of other people."""
    return NotFound("There is no such message, or you may not see it.")


def _with_place(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Returns the row with a position in place of the last two columns, which tell it to `change_place`."""
    *told, place, conversation = row
    return *told, change_place(place, conversation)


def _read_one(statement: str, user_id: UUID, message_id: UUID) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(statement, {"user": user_id, "message": message_id})
        row: tuple[Any, ...] | None = cursor.fetchone()
    return row
