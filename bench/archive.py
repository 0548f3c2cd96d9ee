"""Counts archived messages: a rate counts only those."""

import os
import time
from typing import Final

import psycopg

_WAIT_S: Final = 60
_LOOK_S: Final = 0.1
PROGRESS: Final = """
    SELECT coalesce(sum(last_seq), 0)::bigint FROM messaging_conversationstate WHERE conversation_id IN (
        SELECT conversation_id FROM conversations_member m JOIN accounts_user u ON u.id = m.user_id
        WHERE u.username = ANY(%s))"""
"""The number of archived messages of these people's conversations, by a row of each."""
_COUNT: Final = """
    SELECT count(*) FROM messaging_message WHERE conversation_id IN (
        SELECT conversation_id FROM conversations_member m JOIN accounts_user u ON u.id = m.user_id
        WHERE u.username = ANY(%s))"""


def wait_archived(usernames: list[str], expected: int, url: str | None = None) -> None:
    """Returns once the archive says that it has so many messages of these people's conversations, or after a minute.

    This reads a row for each conversation. Counting messages would be charged to what is measured meanwhile.
    """
    wait_for(url or os.environ["DATABASE_URL"], PROGRESS, (usernames,), expected)


def count_archived(usernames: list[str], url: str | None = None) -> int:
    """Returns the number of archived messages of these people's conversations, row by row."""
    return read_number(url or os.environ["DATABASE_URL"], _COUNT, (usernames,))


def wait_for(url: str, query: str, values: tuple[object, ...], expected: int, seconds_most: float = _WAIT_S) -> int:
    """Returns the number that a query finds, once it is as expected or the time is up."""
    deadline = time.monotonic() + seconds_most
    with psycopg.connect(url, autocommit=True) as connection:
        while True:
            row = connection.execute(query.encode(), values or None).fetchone()
            count = int(row[0]) if row else 0
            if count >= expected or time.monotonic() > deadline:
                return count
            time.sleep(_LOOK_S)


def read_number(url: str, query: str, values: tuple[object, ...] = ()) -> int:
    """Returns the number that a query finds."""
    return wait_for(url, query, values, 0)
