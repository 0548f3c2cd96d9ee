"""Caps on a person's conversations, blocks and invitations, and the rate limit on changes to groups.

The person's row is locked while memberships are counted, so that no concurrent change exceeds the cap.
"""
# ruff: noqa: S608 - statements are joined from constants; every value is a parameter

from collections.abc import Collection
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import connection

from klatsch.conversations.invitation_queries import IS_OPEN, IS_WELCOME
from klatsch.core.bucket import Buckets, tokens_for
from klatsch.core.errors import LimitReached
from klatsch.core.metrics import CAPPED

INVITED_BY_MOST: Final = 1_000
"""The open invitations that one person has sent."""
INVITED_MOST: Final = 200
"""The open invitations that one person has received. Past it nobody can invite them before they answer some."""
INVITED_PAIR_MOST: Final = 10
"""The open invitations of one person to another. A single person can therefore not use up the cap above."""

OWN_SHARE: Final = 5
"""A fifth of the cap is reserved for conversations that the person begins: others cannot fill it by adding them."""

# Locked in the order of ids, so that two transactions that lock the same people never deadlock.
_LOCK: Final = "SELECT FROM accounts_user WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
# Conversations that only a block has made do not count: others could fill the cap with them unseen. PostgreSQL checks
# the cheaper count first, and reads the conversations of those people alone who are in so many.
_FULL: Final = """
    SELECT u.username FROM accounts_user u
    WHERE u.id = ANY(%(people)s)
      AND (SELECT count(*) FROM conversations_member m WHERE m.user_id = u.id AND m.active) >= %(most)s
      AND (SELECT count(*) FROM conversations_member m JOIN conversations_conversation c ON c.id = m.conversation_id
           WHERE m.user_id = u.id AND m.active AND c.begun) >= %(most)s
    ORDER BY u.username LIMIT 1"""

_BLOCKS: Final = "SELECT count(*) FROM conversations_member WHERE blocked_by_id = %s"

_INVITED_BY: Final = f"SELECT count(*) FROM conversations_invitation i WHERE i.inviter_id = %s AND {IS_OPEN}"
# An invitation that the person is not shown does not count: they could not answer it to make room.
_INVITED: Final = f"""
    SELECT u.username FROM accounts_user u
    WHERE u.id = ANY(%s) AND (
        (SELECT count(*) FROM conversations_invitation i
            WHERE i.user_id = u.id AND {IS_OPEN} AND {IS_WELCOME}) >= %s
        OR (SELECT count(*) FROM conversations_invitation i
            WHERE i.inviter_id = %s AND i.user_id = u.id AND {IS_OPEN}) >= %s)
    ORDER BY u.username LIMIT 1"""


def check_room(*, beginner: UUID | None, added: Collection[UUID] = (), invited: Collection[UUID] = ()) -> None:
    """Raises LimitReached when `beginner` or one of the `added` people is in too many conversations already.

    Locks the rows of all of them, and those of the `invited`, whom `check_invitations` counts afterwards.
    """
    most: int = settings.ENV["KLATSCH_CONVERSATIONS_PER_PERSON"]
    own = () if beginner is None else (beginner,)
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [[*own, *added, *invited]])
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


def check_invitations(*, inviter: UUID, invited: Collection[UUID]) -> None:
    """Raises LimitReached when these invitations would exceed the inviter's cap, or that of one of the `invited`.

    Locks the rows of all of them.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [[inviter, *invited]])
        cursor.execute(_INVITED_BY, [inviter])
        [sent] = cursor.fetchone()
        cursor.execute(_INVITED, [list(invited), INVITED_MOST, inviter, INVITED_PAIR_MOST])
        full = cursor.fetchone()
    if sent + len(invited) > INVITED_BY_MOST or full:
        CAPPED.labels("invitations").inc()
        whose = f"{full[0]} has" if full else "You have sent"
        raise LimitReached(f"{whose} too many open invitations. Some must be answered or withdrawn first.")


def check_changes(changes: Buckets, person_id: UUID, people: int, now_s: float) -> None:
    """Raises RateLimited when a person changes groups too fast. The cost grows with the people who are told of it."""
    detail = "You are making changes too fast. Try again later."
    changes.check(str(person_id), now_s, detail, cost=tokens_for(people), cap="group_changes")


def _find_full(cursor: Any, people: Collection[UUID], most: int) -> str | None:
    """Returns the username of one of the people who is in at least `most` conversations, or None."""
    if not people:
        return None
    cursor.execute(_FULL, {"people": list(people), "most": most})
    row = cursor.fetchone()
    return None if row is None else str(row[0])


def _reached(detail: str) -> LimitReached:
    CAPPED.labels("conversations").inc()
    return LimitReached(detail)
