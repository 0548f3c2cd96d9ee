"""Caps on a person's conversations, and the rate limit on changes to groups.

The person's row is locked while memberships are counted, so that no concurrent change exceeds the cap.
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
"""A fifth of the cap is reserved for conversations that the person begins: others cannot fill it by adding them."""

# Locked in the order of ids, so that two transactions that lock the same people never deadlock.
_LOCK: Final = "SELECT FROM accounts_user WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
_FULL: Final = """
    SELECT u.username FROM accounts_user u
    WHERE u.id = ANY(%s)
      AND (SELECT count(*) FROM conversations_member m WHERE m.user_id = u.id AND m.active) >= %s
    ORDER BY u.username LIMIT 1"""

_BLOCKS: Final = "SELECT count(*) FROM conversations_member WHERE blocked_by_id = %s"


def check_room(*, beginner: UUID | None, added: Collection[UUID] = ()) -> None:
    """Raises LimitReached when `beginner` or one of the `added` people is in too many conversations already.

    Locks the rows of all of them.
    """
    most: int = settings.ENV["KLATSCH_CONVERSATIONS_PER_PERSON"]
    own = () if beginner is None else (beginner,)
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [[*own, *added]])
        if most and _find_full(cursor, own, most):
            raise _reached(f"You are in {most} conversations, which is the limit. Leave one first.")
        if most and (full := _find_full(cursor, added, most - most // OWN_SHARE)):
            raise _reached(f"{full} is in too many conversations and cannot be added to another.")


def check_block_room(person_id: UUID) -> None:
    """Raises LimitReached when a person blocks as many people as allowed. Locks the person's row."""
    most: int = settings.ENV["KLATSCH_BLOCKS_PER_PERSON"]
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [[person_id]])
        cursor.execute(_BLOCKS, [person_id])
        [count] = cursor.fetchone()
    if count >= most:
        CAPPED.labels("blocks").inc()
        raise LimitReached(f"You have blocked {most} people, which is the limit. Unblock somebody first.")


def check_changes(changes: Buckets, person_id: UUID, people: int, now_s: float) -> None:
    """Raises RateLimited when a person changes groups too fast. The cost grows with the people who are told of it."""
    if wait_s := changes.take(str(person_id), now_s, tokens_for(people)):
        CAPPED.labels("group_changes").inc()
        raise RateLimited("You are making changes too fast. Try again later.", retry_after=round(wait_s, 3))


def _find_full(cursor: Any, people: Collection[UUID], most: int) -> str | None:
    """Returns the username of one of the people who is in at least `most` conversations, or None."""
    if not people:
        return None
    cursor.execute(_FULL, [list(people), most])
    row = cursor.fetchone()
    return None if row is None else str(row[0])


def _reached(detail: str) -> LimitReached:
    CAPPED.labels("conversations").inc()
    return LimitReached(detail)
