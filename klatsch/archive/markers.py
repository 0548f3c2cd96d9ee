"""Reads markers: how far people have received and read conversations (D19)."""
# ruff: noqa: S608 - statements are joined from the constants below; every value is a parameter

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import msgspec
from django.db import connection

from klatsch.core.keyset import Keyset
from klatsch.eventlog.places import Position

LARGE_FROM: Final = 100
"""The members above which a conversation's activity is noted once an hour instead of once a minute."""


@dataclass(frozen=True, slots=True)
class StoredMarker:
    """A member's marker, with the facts that a new one is checked by.

    `last` is the place of the conversation's last message. `epoch` and `partitions` are the log's. With `is_shown`,
    the person lets others see how far they have read.
    """

    user: str
    member_count: int
    is_shown: bool
    epoch: int
    partitions: int
    delivered: Position | None
    read: Position | None
    unread_from: Position | None
    last: Position | None


class MarkerView(msgspec.Struct, frozen=True, gc=False):
    """Another member's marker, as clients see it."""

    user: str
    user_id: str
    delivered: str | None
    read: str | None


_MINE: Final = """
    SELECT mine.user_id, mine.conversation_id, u.username, c.member_count, u.read_receipts, log.epoch, log.partitions,
        k.delivered_epoch, k.delivered_partition, k.delivered_offset,
        k.read_epoch, k.read_partition, k.read_offset,
        k.unread_epoch, k.unread_partition, k.unread_offset,
        state.epoch, state.partition, state.last_offset
    FROM unnest(%s::uuid[], %s::uuid[]) AS asked(user_id, conversation_id)
    JOIN conversations_member mine USING (user_id, conversation_id)
    JOIN conversations_conversation c ON c.id = mine.conversation_id
    JOIN accounts_user u ON u.id = mine.user_id
    CROSS JOIN (SELECT epoch, partitions FROM eventlog_epoch ORDER BY epoch DESC LIMIT 1) log
    LEFT JOIN messaging_marker k ON k.conversation_id = mine.conversation_id AND k.user_id = mine.user_id
    LEFT JOIN messaging_conversationstate state ON state.conversation_id = mine.conversation_id
    WHERE mine.active"""


def place_sql(name: str, table: str = "k") -> str:
    """Returns the SQL of a marker's position as text; null where it was never set."""
    columns = ", ".join(f"{table}.{name}_{part}" for part in ("epoch", "partition", "offset"))
    return f"CASE WHEN {table}.{name}_offset >= 0 THEN concat_ws(':', {columns}) END"


_OTHERS: Final = Keyset(
    ("username",),
    lambda way: (
        f"""
    SELECT u.username, u.id::text, {place_sql("delivered")}, {place_sql("read")}
    FROM conversations_member m
    JOIN accounts_user u ON u.id = m.user_id
    LEFT JOIN messaging_marker k ON k.conversation_id = m.conversation_id AND k.user_id = m.user_id
    WHERE m.conversation_id = %(conversation)s AND m.active AND m.user_id <> %(user)s AND u.read_receipts
      AND m.blocked_by_id IS NULL AND {way.beyond("u.")}
    {way.order("u.")} LIMIT %(limit)s"""
    ),
)


def find_markers(whose: Collection[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], StoredMarker]:
    """Returns the markers of people in conversations, by (person, conversation), in one statement.

    Conversations that do not exist, or that the person is no member of, are left out.
    """
    people, conversations = [user_id for user_id, _ in whose], [conversation_id for _, conversation_id in whose]
    with connection.cursor() as cursor:
        cursor.execute(_MINE, [people, conversations])
        return {(row[0], row[1]): _stored(row) for row in cursor.fetchall()}


def _stored(row: tuple[Any, ...]) -> StoredMarker:
    user, member_count, is_shown, epoch, partitions = row[2:7]
    places = [_position(row[at : at + 3]) for at in (7, 10, 13, 16)]
    return StoredMarker(user, member_count, is_shown, epoch, partitions, *places)


def _position(columns: tuple[Any, ...]) -> Position | None:
    return Position(*columns) if columns[2] is not None and columns[2] >= 0 else None


def list_markers(
    *,
    user_id: UUID,
    conversation_id: UUID,
    limit: int,
    after: tuple[str] | None = None,
    before: tuple[str] | None = None,
) -> list[MarkerView]:
    """Returns at most `limit` markers of the other members who show theirs, by username, after or before a name.

    A blocked person's marker is shown to nobody else. The caller checks the right to read the conversation.
    """
    arguments = {"conversation": conversation_id, "user": user_id}
    with connection.cursor() as cursor:
        rows = _OTHERS.read(cursor, arguments, limit=limit, after=after, before=before)
    return [MarkerView(*row) for row in rows]
