"""Every read of invitations, and their one shape for clients (decisions/0037)."""
# ruff: noqa: S608 - statements are joined from constants; every value is a parameter

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

from django.db import connection

from klatsch.conversations.models import Conversation, Invitation, Member
from klatsch.conversations.queries import no_such_conversation
from klatsch.conversations.rights import check_may_manage_invitations
from klatsch.core.clock import timestamp
from klatsch.core.errors import NotFound
from klatsch.core.keyset import Keyset, Way
from klatsch.records import invitations as records

INVITATION_DAYS: Final = 30
"""The time in which an invitation can be answered; an ended one is remembered for as long again."""
STATES_MOST: Final = 1_000
"""The most invitations in a replay: more than a person can have open."""

_COLUMNS: Final = """i.id::text, i.conversation_id::text, c.title, c.description, c.member_count, u.username,
    u.id::text, b.username, i.state, i.created_at, i.version"""
_TABLES: Final = """conversations_invitation i
    JOIN conversations_conversation c ON c.id = i.conversation_id
    JOIN accounts_user u ON u.id = i.user_id JOIN accounts_user b ON b.id = i.inviter_id"""
IS_OPEN: Final = f"i.state = 'open' AND i.created_at > now() - interval '{INVITATION_DAYS} days'"
"""The condition on a row `i` for an invitation that can still be answered, whether old ones have been swept or not."""

IS_WELCOME: Final = """NOT EXISTS (SELECT FROM conversations_member blocked
    WHERE blocked.blocked_by_id = i.user_id AND blocked.user_id = i.inviter_id)
    AND EXISTS (SELECT FROM accounts_user inviter WHERE inviter.id = i.inviter_id AND inviter.is_active)"""
"""The condition on a row `i` for an invitation that the invited person is shown.

An invitation shows the group's present title, in which an inviter who is blocked could go on writing. What one with a
suspended account has written there is hidden as well.
"""


def _page(which: str) -> Keyset:
    def statement(way: Way) -> str:
        return f"""SELECT {_COLUMNS} FROM {_TABLES} WHERE {which} AND {IS_OPEN} AND {way.beyond("i.")}
            {way.order("i.")} LIMIT %(limit)s"""

    return Keyset(("created_at", "id"), statement, newest_first=True)


_RECEIVED: Final = _page(f"i.user_id = %(whose)s AND {IS_WELCOME}")
_OF_GROUP: Final = _page("i.conversation_id = %(whose)s")
_STATES: Final = f"""
    SELECT {_COLUMNS} FROM {_TABLES}
    WHERE i.user_id = %s AND (i.state <> 'open' OR {IS_WELCOME}) ORDER BY i.changed_at DESC LIMIT {STATES_MOST}"""
_COUNT: Final = f"SELECT c.member_count FROM {_TABLES} WHERE i.id = %s AND i.user_id = %s AND {IS_OPEN}"
_HIDDEN: Final = f"SELECT i.id FROM conversations_invitation i WHERE i.id = ANY(%s) AND NOT ({IS_WELCOME})"

Key = tuple[datetime, UUID]


def list_received(
    *, user_id: UUID, limit: int, after: Key | None = None, before: Key | None = None
) -> list[records.Invitation]:
    """Returns a person's open invitations, newest first: at most `limit` after or before a place.

    Those from people whom the person has blocked, or whose account is inactive, are left out.
    """
    with connection.cursor() as cursor:
        rows = _RECEIVED.read(cursor, {"whose": user_id}, limit=limit, after=after, before=before)
    return [_view(row) for row in rows]


def list_of_group(
    *, actor_id: UUID, conversation_id: UUID, limit: int, after: Key | None = None, before: Key | None = None
) -> list[records.Invitation]:
    """Returns the open invitations to a group, newest first; raises NotFound, and Forbidden for plain members."""
    actor = Member.objects.filter(conversation_id=conversation_id, user_id=actor_id, active=True).first()
    if actor is None:
        raise no_such_conversation()
    check_may_manage_invitations(actor.role)
    with connection.cursor() as cursor:
        rows = _OF_GROUP.read(cursor, {"whose": conversation_id}, limit=limit, after=after, before=before)
    return [_view(row) for row in rows]


def list_invited(conversation_id: UUID) -> list[str]:
    """Returns the names of the people with an open invitation to a group, in order. The caller checks the right."""
    opened = Invitation.objects.filter(conversation_id=conversation_id, state=Invitation.State.OPEN)
    return list(opened.order_by("user__username").values_list("user__username", flat=True))


def list_states(user_id: UUID) -> list[records.Invitation]:
    """Returns a person's invitations for a replay: those of `list_received`, and those that ended lately."""
    with connection.cursor() as cursor:
        cursor.execute(_STATES, [user_id])
        return [_view(row) for row in cursor.fetchall()]


def find_hidden(invitation_ids: Sequence[UUID]) -> set[UUID]:
    """Returns those of these invitations that their invited people are not shown while they are open."""
    if not invitation_ids:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_HIDDEN, [list(invitation_ids)])
        return {invitation_id for (invitation_id,) in cursor.fetchall()}


def count_told(*, user_id: UUID, invitation_id: UUID) -> int:
    """Returns the number of members of the group of a person's open invitation; 0 when they have none of that id."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [invitation_id, user_id])
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def invitation_of(
    invitation: Invitation, group: Conversation, names: tuple[str, str] | None = None
) -> records.Invitation:
    """Returns a row as clients see it. `names` are those of the invited person and of the inviter, else read."""
    invited, inviter = names or (invitation.user.username, invitation.inviter.username)
    of_group = (str(group.pk), group.title, group.description, group.member_count)
    person = (invited, str(invitation.user_id), inviter)
    return _view((str(invitation.pk), *of_group, *person, invitation.state, invitation.created_at, invitation.version))


def no_such_invitation() -> NotFound:
    """Returns the one answer for invitations that do not exist and for those of other people."""
    return NotFound("There is no such invitation.")


def _view(row: Sequence[Any]) -> records.Invitation:
    """Returns a row for clients. What a group is now concerns nobody whose invitation has ended."""
    invitation_id, conversation, title, description, member_count, user, user_id, by, state, created_at, version = row
    is_open = state == Invitation.State.OPEN
    return records.Invitation(
        id=invitation_id,
        conversation=conversation,
        title=title if is_open else "",
        description=description if is_open else "",
        member_count=member_count if is_open else 0,
        user=user,
        user_id=user_id,
        invited_by=by,
        state=cast("records.InvitationState", str(state)),
        created_at=_time(created_at),
        expires_at=_time(created_at + timedelta(days=INVITATION_DAYS)),
        version=version,
    )


def _time(moment: datetime) -> str:
    return timestamp(round(moment.timestamp() * 1_000))
