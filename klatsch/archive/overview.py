"""A person's conversations with their members and last messages: a page in one statement.

It stands here rather than in `conversations` because it shows messages.
"""
# ruff: noqa: S608 - statements are joined from the constants below; every value is a parameter

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from django.db import connection

from klatsch.archive.message_view import MESSAGE_COLUMNS, MESSAGE_WIDTH, MessageView, view_of
from klatsch.conversations.queries import no_such_conversation
from klatsch.core.keyset import Keyset

MEMBERS_SHOWN: Final = 20
"""The members in a conversation's view, the longest-standing first; `…/members` lists all."""


class ConversationView(msgspec.Struct, frozen=True, gc=False):
    """A conversation as one of its members sees it. `unread` is None for now.

    `members` has at most MEMBERS_SHOWN of the `member_count`; `updated_at` is the time of the last message. `pinned`
    has the ids of the pinned messages, the newest pin first.
    """

    id: str
    kind: str
    title: str
    description: str
    version: int
    updated_at: str
    member_count: int
    members: msgspec.Raw
    last_message: MessageView | None
    muted_until: str | None
    pinned: msgspec.Raw
    unread: int | None = None


# In milliseconds, like a page's key: a key that is less exact than the order would skip rows.
_UPDATED = "coalesce(state.last_sent_at, date_trunc('milliseconds', c.created_at))"
_MINE: Final = f"""
    SELECT c.id, c.kind, c.title, c.description, c.version, c.member_count,
           {_UPDATED} AS updated_at, state.last_message, mine.muted_until
    FROM conversations_member mine
    JOIN conversations_conversation c ON c.id = mine.conversation_id
    LEFT JOIN messaging_conversationstate state ON state.conversation_id = c.id
    WHERE mine.user_id = %(user)s AND mine.active AND (
        c.kind = 'group' OR state.conversation_id IS NOT NULL OR NOT EXISTS (  -- made by a block, without a message
            SELECT FROM conversations_member b WHERE b.conversation_id = c.id AND b.blocked_by_id IS NOT NULL))"""


def _views(which: str, order: str = "") -> str:
    """Returns the statement that shows the conversations that another statement finds."""
    return f"""
    SELECT {MESSAGE_COLUMNS}, v.id::text, v.kind, v.title, v.description, v.version,
           to_char(v.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
           v.member_count,
           (SELECT json_agg(json_build_object('user', u.username, 'user_id', u.id, 'role', shown.role))
            FROM (SELECT user_id, role FROM conversations_member
                  WHERE conversation_id = v.id AND active ORDER BY id LIMIT {MEMBERS_SHOWN}) shown
            JOIN accounts_user u ON u.id = shown.user_id)::text,
           CASE WHEN v.muted_until > now()
                THEN to_char(v.muted_until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') END,
           coalesce((SELECT json_agg(pin.id ORDER BY pin.pinned_at DESC, pin.epoch DESC, pin."offset" DESC)
                     FROM messaging_message pin
                     WHERE pin.conversation_id = v.id AND pin.pinned_at IS NOT NULL), '[]')::text
    FROM ({which}) v
    LEFT JOIN messaging_message m ON m.id = v.last_message
    LEFT JOIN accounts_user s ON s.id = m.sender_id
    LEFT JOIN accounts_user r ON r.id = m.receiver_id
    {order}"""


_PAGE: Final = Keyset(
    ("updated_at", "id"),
    lambda way: _views(
        f"SELECT * FROM ({_MINE}) mine WHERE {way.beyond()} {way.order()} LIMIT %(limit)s", way.order("v.")
    ),
    newest_first=True,
)
_ONE: Final = _views(f"{_MINE} AND c.id = %(id)s")


def list_conversations(
    *,
    user_id: UUID,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
    before: tuple[datetime, UUID] | None = None,
) -> list[ConversationView]:
    """Returns a person's conversations, newest first by (updated_at, id): at most `limit` after or before a place.

    Costs one statement, and one index probe for each conversation that the person is in.
    """
    with connection.cursor() as cursor:
        rows = _PAGE.read(cursor, {"user": user_id}, limit=limit, after=after, before=before)
    return [_view_of(row) for row in rows]


def get_conversation(*, user_id: UUID, conversation_id: UUID) -> ConversationView:
    """Returns one of a person's conversations; raises one NotFound for unknown conversations and other people's."""
    with connection.cursor() as cursor:
        cursor.execute(_ONE, {"user": user_id, "id": conversation_id})
        row = cursor.fetchone()
    if row is None:
        raise no_such_conversation()
    return _view_of(row)


def _view_of(row: tuple[Any, ...]) -> ConversationView:
    *own, members, muted_until, pinned = row[MESSAGE_WIDTH:]
    last_message = None if row[0] is None else view_of(row)
    values = [*own, msgspec.Raw(members), last_message, muted_until, msgspec.Raw(pinned)]
    return ConversationView(*values)
