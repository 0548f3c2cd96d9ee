"""Finds messages by their words, with PostgreSQL's full-text search, from the newest message on.

There is no index of words: each message would pay for it (decision 0060). A page therefore looks at a bounded number of
messages, and may have few results, or none, while older messages are left.
"""
# ruff: noqa: S608 - statements are joined from the constants below; every value is a parameter

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection

from klatsch.archive.histories import own_messages_sql
from klatsch.archive.message_view import MESSAGE_COLUMNS, MESSAGE_WIDTH, PEOPLE, MessageView, view_of
from klatsch.core.keyset import Keyset

_AT_ONCE: Final = 200
"""The messages that one statement looks at. The cost grows with their square where there are as many conversations."""
LOOKED_AT_MOST: Final = 10 * _AT_ONCE
"""The messages that a page looks at."""
_SECONDS_MOST: Final = 0.1
"""The time after which a page looks at no more: 200 messages of 4,000 characters take as long."""

# The configuration `simple` takes words as they are, of any language: in any case, without their endings.
_FOUND: Final = Keyset(
    ("sent_at", "id"),
    lambda way: (
        f"""
    WITH asked AS (SELECT websearch_to_tsquery('simple', %(words)s) AS words),
    looked AS MATERIALIZED (SELECT * FROM ({own_messages_sql(way)}) own
        WHERE (SELECT numnode(words) FROM asked) > 0),
    found AS (SELECT * FROM looked
        WHERE NOT deleted AND to_tsvector('simple', content) @@ (SELECT words FROM asked)
        {way.order()} LIMIT %(most)s)
    SELECT {MESSAGE_COLUMNS}, m.id IS NOT NULL, oldest.sent_at, oldest.id
    FROM (SELECT) one
    LEFT JOIN (SELECT sent_at, id FROM looked {way.order()} OFFSET %(limit)s - 1 LIMIT 1) oldest ON true
    LEFT JOIN (found m {PEOPLE}) ON true
    {way.order("m.")}"""
    ),
    newest_first=True,
)


@dataclass(frozen=True, slots=True)
class Found:
    """The messages of a page, newest first, and the place (sent_at, id) where the next page begins, None at the end."""

    messages: list[MessageView]
    end: tuple[datetime, UUID] | None


def search_messages(*, user_id: UUID, words: str, limit: int, after: tuple[datetime, UUID] | None = None) -> Found:
    """Returns messages with these words that a person may read, older than a place: at most `limit`, newest first.

    `words` is a query of PostgreSQL's `websearch_to_tsquery`: all words, "a phrase", `or`, and `-` before a word.
    """
    messages: list[MessageView] = []
    until_s = time.monotonic() + _SECONDS_MOST
    with connection.cursor() as cursor:
        for _ in range(LOOKED_AT_MOST // _AT_ONCE):
            arguments = {"user": user_id, "words": words, "most": limit + 1 - len(messages)}
            rows = _FOUND.read(cursor, arguments, limit=_AT_ONCE, after=after)
            messages += [view_of(row) for row in rows if row[MESSAGE_WIDTH]]
            if len(messages) > limit:
                last = messages[limit - 1]
                return Found(messages[:limit], (datetime.fromisoformat(last.sent_at), UUID(last.id)))
            *_, sent_at, message_id = rows[0]
            if message_id is None:
                return Found(messages, None)
            after = (sent_at, message_id)
            if time.monotonic() > until_s:
                break
    return Found(messages, after)
