"""Caps of a person's conversations, and the rate limit of changes to groups.

Memberships are counted with the person's row locked: exactly, however many come at once.
"""

from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import connection

from klatsch.core.bucket import Buckets, tokens_for
from klatsch.core.errors import LimitReached, RateLimited
from klatsch.core.metrics import CAPPED

OWN_SHARE: Final = 5
"""A fifth of the places is for what a person begins: others cannot fill those by adding them to groups."""

# In the order of ids: two who lock the same people never wait for each other.
_LOCK: Final = "SELECT FROM accounts_user WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
_FULL: Final = """
    SELECT u.username FROM accounts_user u
    WHERE u.id = ANY(%s)
      AND (SELECT count(*) FROM conversations_member m WHERE m.user_id = u.id AND m.active) >= %s
    ORDER BY u.username LIMIT 1"""


def check_room(*, beginner: UUID | None, added: Collection[UUID] = ()) -> None:
    """Raises LimitReached when who begins a conversation, or one of those added by others, is in too many already.

    All their rows are locked from here on.
    """
    most: int = settings.ENV["KLATSCH_CONVERSATIONS_PER_PERSON"]
    own = () if beginner is None else (beginner,)
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [[*own, *added]])
        if most and _find_full(cursor, own, most):
            raise _reached(f"You are in {most} conversations: leave one first.")
        if most and (full := _find_full(cursor, added, most - most // OWN_SHARE)):
            raise _reached(f"{full} is in too many conversations to be added to another.")


def check_changes(changes: Buckets, person_id: UUID, people: int, now_s: float) -> None:
    """Raises RateLimited when this person changes groups too fast; a change counts by the people that it is told to."""
    if wait_s := changes.take(str(person_id), now_s, tokens_for(people)):
        CAPPED.labels("group_changes").inc()
        raise RateLimited("You are changing groups too fast.", retry_after=round(wait_s, 3))


def _find_full(cursor: Any, people: Collection[UUID], most: int) -> str | None:
    """One of them who is in so many conversations."""
    if not people:
        return None
    cursor.execute(_FULL, [list(people), most])
    row = cursor.fetchone()
    return None if row is None else str(row[0])


def _reached(detail: str) -> LimitReached:
    CAPPED.labels("conversations").inc()
    return LimitReached(detail)
