"""A person's conversations with their members, last messages and unread counts: a page in one statement.

It stands here rather than in `conversations` because it shows messages.
"""
# ruff: noqa: S608 - statements are joined from the constants below; every value is a parameter

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from django.db import connection

from klatsch.archive.activity import page_sql
from klatsch.archive.markers import place_sql
from klatsch.archive.message_view import MESSAGE_COLUMNS, MESSAGE_WIDTH, MessageView, view_of
from klatsch.conversations.queries import no_such_conversation
from klatsch.core.keyset import Keyset

MEMBERS_SHOWN: Final = 20
"""The members in a conversation's view, the longest-standing first; `…/members` lists all."""
UNREAD_MOST: Final = 1_000
"""The highest number of unread messages and mentions that is counted."""
MORE_UNREAD: Final = f"{UNREAD_MOST}+"
_LOOKED_AT_MOST: Final = 2 * UNREAD_MOST
"""The messages after the last read one that are looked at. Beyond, `unread` is MORE_UNREAD, whoever wrote them."""


class OwnMarkers(msgspec.Struct, frozen=True, gc=False):
    """The positions up to which the person has received and read the conversation."""

    delivered: str | None
    read: str | None


class ConversationView(msgspec.Struct, frozen=True, gc=False):
    """A conversation as one of its members sees it.

    `members` has at most MEMBERS_SHOWN of the `member_count`; `updated_at` is the time of the last message. `unread`
    counts messages of others that are not deleted, up to UNREAD_MOST, and is MORE_UNREAD beyond. `pinned` has
    the ids of the pinned messages, the newest pin first.
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
    unread: int | str
    mentions: int
    markers: OwnMarkers
    unread_from: str | None


# Numbers tell how many messages may follow, positions which do: a message that was stored late has a higher number than
# its place. Every message after `place` has a higher number than `seq`.
_REACHED: Final = """
    SELECT told.seq, told.place, coalesce(v.last_seq, 0) - told.seq AS after
    FROM (SELECT least(coalesce(k.read_seq, 0), k.unread_seq - 1) AS seq,
        least(greatest(ARRAY[coalesce(k.read_epoch, 0), coalesce(k.read_offset, -1)],
                       ARRAY[coalesce(k.begin_epoch, 0), coalesce(k.begin_offset, -1)]),
              CASE WHEN k.unread_seq IS NOT NULL THEN ARRAY[k.unread_epoch, k.unread_offset - 1] END) AS place) told"""
# The messages after the last read one are the conversation's last: an index that every message has anyway finds them.
# An index of its own for what does not count would cost each message more (decisions/0039).
_FOLLOWING: Final = f"""
    SELECT count(*) AS found,
        count(*) FILTER (WHERE last.sender_id <> %(user)s AND NOT last.deleted AND last.seq > reached.seq) AS unread
    FROM (SELECT o.sender_id, o.deleted, o.seq FROM messaging_message o
          WHERE o.conversation_id = v.id AND (o.epoch, o."offset") > (reached.place[1], reached.place[2])
          ORDER BY o.epoch DESC, o."offset" DESC
          LIMIT CASE WHEN reached.after BETWEEN 1 AND {_LOOKED_AT_MOST} THEN reached.after ELSE 0 END) last"""
_NAMED: Final = """messaging_mention n
    WHERE n.user_id = %(user)s AND n.conversation_id = v.id AND n.seq > reached.seq"""
# Where as many messages follow as their numbers tell, the index of mentions has all that is needed.
_MENTIONS: Final = f"""
    CASE WHEN reached.after <= 0 THEN 0
        WHEN following.found = reached.after OR reached.after > {_LOOKED_AT_MOST}
        THEN (SELECT count(*) FROM (SELECT FROM {_NAMED} LIMIT {UNREAD_MOST}) named)
        ELSE (SELECT count(*) FROM (SELECT FROM {_NAMED} AND (
                SELECT (o.epoch, o."offset") > (reached.place[1], reached.place[2])
                FROM messaging_message o WHERE o.id = n.message_id) LIMIT {UNREAD_MOST}) named) END"""


def _views(which: str, order: str = "") -> str:
    """Returns the statement that shows the conversations that another statement finds."""
    return f"""
    SELECT {MESSAGE_COLUMNS}, v.id::text, v.kind, v.title, v.description, v.version,
           to_char(v.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
           v.member_count,
           (SELECT json_agg(json_build_object('user', u.username, 'user_id', u.id, 'role', shown.role)
                            ORDER BY shown.id)
            FROM (SELECT id, user_id, role FROM conversations_member
                  WHERE conversation_id = v.id AND active ORDER BY id LIMIT {MEMBERS_SHOWN}) shown
            JOIN accounts_user u ON u.id = shown.user_id)::text,
           CASE WHEN v.muted_until > now()
                THEN to_char(v.muted_until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') END,
           coalesce((SELECT json_agg(pin.id ORDER BY pin.pinned_at DESC, pin.epoch DESC, pin."offset" DESC)
                     FROM messaging_message pin
                     WHERE pin.conversation_id = v.id AND pin.pinned_at IS NOT NULL), '[]')::text,
           CASE WHEN reached.after <= {_LOOKED_AT_MOST} THEN following.unread END,
           {_MENTIONS},
           {place_sql("delivered")}, {place_sql("read")}, {place_sql("unread")}
    FROM ({which}) v
    LEFT JOIN messaging_marker k ON k.conversation_id = v.id AND k.user_id = %(user)s
    CROSS JOIN LATERAL ({_REACHED}) reached
    CROSS JOIN LATERAL ({_FOLLOWING}) following
    LEFT JOIN messaging_message m ON m.id = v.last_message
    LEFT JOIN accounts_user s ON s.id = m.sender_id
    LEFT JOIN accounts_user r ON r.id = m.receiver_id
    {order}"""


_PAGE: Final = Keyset(("updated_at", "id"), lambda way: _views(page_sql(way), way.order("v.")), newest_first=True)
_ONE: Final = _views(page_sql())


def list_conversations(
    *,
    user_id: UUID,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
    before: tuple[datetime, UUID] | None = None,
) -> list[ConversationView]:
    """Returns a person's conversations, newest first by (updated_at, id): at most `limit` after or before a place.

    Costs one statement. The first page reads only conversations that may be on it, however many the person has.
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
    *own, members, muted_until, pinned, unread, mentions, delivered, read, unread_from = row[MESSAGE_WIDTH:]
    last_message = None if row[0] is None else view_of(row)
    counts = [MORE_UNREAD if unread is None or unread > UNREAD_MOST else unread, mentions]
    values = [
        *own,
        msgspec.Raw(members),
        last_message,
        muted_until,
        msgspec.Raw(pinned),
        *counts,
        OwnMarkers(delivered, read),
        unread_from,
    ]
    return ConversationView(*values)
