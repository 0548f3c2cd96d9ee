"""Finds a person's conversations by their last activity, reading only those that may belong to a page (decisions/0039).

Two indexes give a bound for each conversation, which is never earlier than its activity. One has `active_at` of the
person's marker, which the persister keeps. The other has the time of joining, for conversations whose records the
persister has not stored yet. The conversations with the highest bounds give the time below which nothing belongs to the
page.
"""
# ruff: noqa: S608 - statements are joined from constants; every value is a parameter

from typing import Final

from klatsch.core.keyset import Way

_SPARE: Final = 5
"""The conversations that are read beyond a page: those that the person does not see count for nothing."""

# In milliseconds, like a page's key: a key that is less exact than the order would skip rows.
_UPDATED: Final = "coalesce(state.last_sent_at, date_trunc('milliseconds', c.created_at))"
# LIMIT keeps the planner from reading whole tables for a person's many conversations.
_SHOWN: Final = f"""
    CROSS JOIN LATERAL (
        SELECT c.id, c.kind, c.title, c.description, c.version, c.member_count, {_UPDATED} AS updated_at,
            state.last_message, state.last_seq, mine.muted_until
        FROM conversations_member mine
        JOIN conversations_conversation c ON c.id = mine.conversation_id
        LEFT JOIN messaging_conversationstate state ON state.conversation_id = c.id
        WHERE mine.conversation_id = found.conversation_id AND mine.user_id = %(user)s AND mine.active
            AND c.begun  -- not made by a block alone
        LIMIT 1) shown"""
_MARKERS: Final = "messaging_marker WHERE user_id = %(user)s AND active"
_MEMBERS: Final = "conversations_member WHERE user_id = %(user)s AND active"


def page_sql(way: Way | None = None) -> str:
    """Returns the statement of a page's conversations in that way; without one, of the conversation `%(id)s`."""
    if way is None:
        return f"SELECT shown.* FROM (SELECT %(id)s::uuid AS conversation_id) found {_SHOWN}"
    begin = _edge(way) if way.descending else "SELECT %(key_0)s AS edge"
    return f"""
    WITH begin AS MATERIALIZED ({begin}),
    found AS (
        SELECT conversation_id FROM {_MARKERS} AND active_at >= (SELECT edge FROM begin)
        UNION
        SELECT conversation_id FROM {_MEMBERS} AND joined_at >= (SELECT edge FROM begin) - interval '1 minute')
    SELECT shown.* FROM found {_SHOWN}
    WHERE {way.beyond("shown.")} {way.order("shown.")} LIMIT %(limit)s"""


def _edge(way: Way) -> str:
    """Returns the statement of the time of the page's last conversation, or an earlier one."""
    bound = "AND active_at < %(key_0)s" if way.has_key else ""
    return f"""
        SELECT coalesce((
            SELECT shown.updated_at FROM (
                SELECT conversation_id FROM {_MARKERS} {bound}
                ORDER BY active_at DESC LIMIT %(limit)s + {_SPARE}) found {_SHOWN}
            WHERE {way.beyond("shown.")}
            ORDER BY shown.updated_at DESC OFFSET %(limit)s - 1 LIMIT 1), '-infinity') AS edge"""
