"""Reads the facts about a message that decide whether a person may change it, in one statement (D18)."""

# ruff: noqa: S608 - statements are joined from constants; every value is a parameter

from collections.abc import Collection
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
from django.db import connection

from klatsch.archive.change_places import MESSAGE_PLACE, change_place, change_place_sql
from klatsch.core.ids import uuid_bytes, uuid_text
from klatsch.eventlog.outbox import waiting_sql
from klatsch.records.header import WHOLE_MESSAGE


class Wanted(NamedTuple):
    """A message and the person who wants to change it: ids of 16 bytes."""

    message_id: bytes
    user_id: bytes


class Facts(msgspec.Struct, frozen=True, gc=False):
    """A message as it was at one moment, for a member of its conversation who wants to change it.

    `position` is its own, and `edited` that of its last edit, None without edits. `role` is the person's own; a
    `blocked` person may only read. `pins` is the number of pinned messages of the conversation, and `member_count` that
    of its members.
    `emojis` are the kinds of reactions to the message, and `own_emojis` the person's own ones. A message that was
    stored late is `unannounced` until the log has the record that announces it.
    """

    message_id: str
    user_id: str
    username: str
    role: str
    blocked: bool
    conversation: str
    kind: str
    sender_id: str
    sent_at_ms: int
    position: str
    deleted: bool
    edited: str | None
    pinned: bool
    pins: int
    emojis: list[str]
    own_emojis: list[str]
    unannounced: bool
    member_count: int

    @property
    def key(self) -> bytes:
        """Returns the key of the conversation's records."""
        return self.conversation.encode("ascii")


_UNANNOUNCED: Final = waiting_sql(
    "convert_to(m.conversation_id::text, 'UTF8')",
    f"substr(o.judge, 1, 17) = '\\x{WHOLE_MESSAGE:02x}'::bytea || uuid_send(m.id)",
)
_FACTS: Final = f"""
    SELECT wanted.message_id::text, u.id::text, u.username, mine.role, mine.blocked_by_id IS NOT NULL,
        m.conversation_id::text, c.kind, m.sender_id::text, (extract(epoch FROM m.sent_at) * 1000)::bigint,
        {MESSAGE_PLACE}, m.deleted,
        CASE WHEN edit.epoch IS NOT NULL THEN {change_place_sql("edit.epoch", 'edit."offset"')} END,
        m.pinned_at IS NOT NULL,
        (SELECT count(*) FROM messaging_message p
         WHERE p.conversation_id = m.conversation_id AND p.pinned_at IS NOT NULL),
        ARRAY(SELECT jsonb_object_keys(m.reaction_counts)),
        ARRAY(SELECT r.emoji::text FROM messaging_reaction r WHERE r.message_id = m.id AND r.user_id = u.id),
        {_UNANNOUNCED}, c.member_count
    FROM unnest(%s::uuid[], %s::uuid[]) AS wanted(message_id, user_id)
    JOIN messaging_message m ON m.id = wanted.message_id
    JOIN conversations_member mine
      ON mine.conversation_id = m.conversation_id AND mine.user_id = wanted.user_id AND mine.active
    JOIN conversations_conversation c ON c.id = m.conversation_id
    JOIN accounts_user u ON u.id = wanted.user_id
    LEFT JOIN LATERAL (
        SELECT v.epoch, v."offset" FROM messaging_messageversion v
        WHERE m.edited_at IS NOT NULL AND v.message_id = m.id
        ORDER BY v.epoch DESC, v."offset" DESC LIMIT 1) edit ON true"""


def read_facts(wanted: Collection[Wanted]) -> dict[Wanted, Facts]:
    """Returns the facts of those messages that exist and that their person may read."""
    messages = [uuid_text(one.message_id) for one in wanted]
    people = [uuid_text(one.user_id) for one in wanted]
    return _read_facts(_FACTS, [messages, people])


MODERATION: Final = UUID(int=0)
"""The actor of moderators' deletions: never a member, so never removed, demoted or blocked. It names no moderator."""
_FACTS_OF_ANY: Final = f"""
    SELECT m.id::text, %s, '', 'owner', false, m.conversation_id::text, c.kind, m.sender_id::text,
        (extract(epoch FROM m.sent_at) * 1000)::bigint, {MESSAGE_PLACE}, m.deleted,
        NULL, false, 0, ARRAY[]::text[], ARRAY[]::text[], {_UNANNOUNCED}, c.member_count
    FROM messaging_message m JOIN conversations_conversation c ON c.id = m.conversation_id
    WHERE m.id = ANY(%s::uuid[])"""


def read_facts_of_any(wanted: Collection[Wanted]) -> dict[Wanted, Facts]:
    """Returns the facts of those messages that exist, for MODERATION, without edits, pins and reactions."""
    return _read_facts(_FACTS_OF_ANY, [str(MODERATION), [uuid_text(one.message_id) for one in wanted]])


def _read_facts(statement: str, arguments: list[Any]) -> dict[Wanted, Facts]:
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)
        rows = [_facts_of(row) for row in cursor.fetchall()]
    return {Wanted(uuid_bytes(facts.message_id), uuid_bytes(facts.user_id)): facts for facts in rows}


def _facts_of(row: tuple[Any, ...]) -> Facts:
    facts = Facts(*row)
    if facts.edited is None:
        return facts
    return msgspec.structs.replace(facts, edited=change_place(facts.edited, facts.conversation))


class Own(NamedTuple):
    """A stored record under a client's name: its position, and the digest as in `SentMessage`."""

    position: str
    digest: bytes


_OWN: Final = """
    SELECT concat_ws(':', epoch, partition, "offset"), digest || uuid_send(message_id)
    FROM messaging_change WHERE id = %(id)s
    UNION ALL
    SELECT concat_ws(':', epoch, partition, "offset"), digest FROM messaging_message WHERE id = %(id)s"""


def find_own(own_id: bytes) -> Own | None:
    """Returns the archived change or message of that own id."""
    with connection.cursor() as cursor:
        cursor.execute(_OWN, {"id": uuid_text(own_id)})
        row = cursor.fetchone()
    return None if row is None else Own(row[0], bytes(row[1]))
