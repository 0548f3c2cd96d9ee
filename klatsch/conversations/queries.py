"""Rights to read and write: guarded getters of one statement each, in handwritten SQL as every send passes here.

A stranger and a conversation that does not exist get the same NotFound.
"""
# ruff: noqa: S608 - statements are joined from constants; every value is a parameter

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from django.db import connection
from django.db.models import QuerySet

from klatsch.accounts.queries import is_username
from klatsch.conversations.access import Access
from klatsch.conversations.models import Member
from klatsch.core.errors import BadRequest, Forbidden, NotFound
from klatsch.core.ids import direct_conversation_id
from klatsch.core.keyset import Keyset
from klatsch.eventlog import outbox
from klatsch.eventlog.log import LogWriter

# LATERAL, so that a direct conversation's other member is one probe of an index, and nobody's of a group are read.
_STANDINGS = """
    SELECT mine.user_id, c.id, c.kind, mine.active, mine.version, peer.id, peer.username,
           coalesce(peer.is_active, true), c.member_count,
           EXISTS (SELECT FROM eventlog_outboxentry o
                   WHERE o.place = convert_to(c.id::text, 'UTF8') AND o.relayed_at IS NULL)
    FROM conversations_member mine
    JOIN conversations_conversation c ON c.id = mine.conversation_id
    LEFT JOIN LATERAL (SELECT user_id FROM conversations_member theirs
                       WHERE c.kind = 'direct' AND theirs.conversation_id = c.id AND theirs.user_id <> mine.user_id
                       LIMIT 1) other ON true
    LEFT JOIN accounts_user peer ON peer.id = other.user_id
    WHERE mine.user_id = ANY(%s)"""
_ROWS_AT_ONCE = 500
"""Made into objects of Python in one go: as long as that takes, a gateway's event loop waits for the interpreter."""
_STANDING = _STANDINGS + " AND mine.conversation_id = %s"
_IS_MEMBER = "SELECT FROM conversations_member WHERE conversation_id = %s AND user_id = %s AND active"
_COUNT = "SELECT member_count FROM conversations_conversation WHERE id = %s"
_PERSON = "SELECT id, is_active FROM accounts_user WHERE lower(username) = lower(%s)"
_MEMBERS = Keyset(
    ("username",),
    lambda way: (
        f"""
    SELECT u.username, u.id::text, m.role, m.joined_at
    FROM conversations_member m JOIN accounts_user u ON u.id = m.user_id
    WHERE m.conversation_id = %(conversation)s AND m.active AND {way.beyond("u.")}
    {way.order("u.")} LIMIT %(limit)s"""
    ),
)


ROLES: Final = Member.Role.choices
"""The roles that a member may have, with their labels."""


class Standing(msgspec.Struct, frozen=True, gc=False):
    """A person's membership in one conversation; `peer` is the other person of a direct one, None in a group.

    While `waiting`, a membership record of the conversation may still be missing from the log.
    """

    conversation_id: UUID
    kind: str
    active: bool
    version: int
    peer_id: UUID | None
    peer_username: str | None
    peer_active: bool
    member_count: int
    waiting: bool

    def access(self, user_id: UUID, username: str) -> Access:
        """The right to write, for whom has seen that it is `active` and not `waiting`."""
        peer = (self.peer_id, self.peer_username) if self.peer_id and self.peer_username else None
        return Access.of(
            conversation=self.conversation_id,
            kind=self.kind,
            sender=(user_id, username),
            receiver=peer,
            member_count=self.member_count,
        )


class MemberView(msgspec.Struct, frozen=True):
    """One who belongs to a conversation, as clients see it."""

    user: str
    user_id: str
    role: str
    joined_at: datetime


def load_people(user_ids: Collection[UUID]) -> dict[UUID, list[Standing]]:
    """Where each of these people belongs or once did, in one statement; for a gateway, which merges it by version."""
    people: dict[UUID, list[Standing]] = {user_id: [] for user_id in user_ids}
    with connection.cursor() as cursor:
        cursor.execute(_STANDINGS, [list(user_ids)])
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            for user_id, *standing in rows:
                people[user_id].append(Standing(*standing))
    return people


def get_standing(*, user_id: UUID, conversation_id: UUID, log: LogWriter) -> Standing:
    """A member's standing, their membership record being in the log; raises NotFound, Unavailable."""
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, [[user_id], conversation_id])
        row = cursor.fetchone()
    if row is None or not (standing := Standing(*row[1:])).active:
        raise no_such_conversation()
    if standing.waiting:
        outbox.relay_records(log, place=place_of(conversation_id))
    return standing


def get_access(*, sender_id: UUID, sender_username: str, conversation_id: UUID, log: LogWriter) -> Access:
    """The right to write into a conversation; raises NotFound, Unavailable, and Forbidden if the peer is gone."""
    standing = get_standing(user_id=sender_id, conversation_id=conversation_id, log=log)
    if not standing.peer_active:
        raise Forbidden("This person can no longer be written to.")
    return standing.access(sender_id, sender_username)


def check_member(*, user_id: UUID, conversation_id: UUID) -> None:
    """Raises NotFound unless the person may read the conversation, all of it."""
    if not _is_member(user_id, conversation_id):
        raise no_such_conversation()


def get_direct_id(*, user_id: UUID, username: str) -> UUID:
    """The id of a person's conversation with another, whether it was made yet or not; raises BadRequest, NotFound.

    One who is no longer active is found by those who have written with them, and by nobody else.
    """
    check_username(username)
    with connection.cursor() as cursor:
        cursor.execute(_PERSON, [username])
        row = cursor.fetchone()
    if row is None:
        raise no_such_person(username)
    peer_id, active = row
    if peer_id == user_id:
        raise BadRequest("Nobody has a conversation with themselves.")
    conversation_id = direct_conversation_id(user_id, peer_id)
    if not active and not _is_member(user_id, conversation_id):
        raise no_such_person(username)
    return conversation_id


def list_members(
    *, conversation_id: UUID, limit: int, after: tuple[str] | None = None, before: tuple[str] | None = None
) -> list[MemberView]:
    """The active members by username, for who may see them: at most `limit` after a name, or the last before one."""
    with connection.cursor() as cursor:
        rows = _MEMBERS.read(cursor, {"conversation": conversation_id}, limit=limit, after=after, before=before)
    return [MemberView(*row) for row in rows]


def memberships_of(username: str) -> "QuerySet[Member]":
    """Where a person of exactly this name belongs or once did: rows not read yet, for a statement of the caller's."""
    return Member.objects.filter(user__username=username)


def count_members(conversation_id: UUID) -> int:
    """Returns how many belong to a conversation; 0 where there is none."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [conversation_id])
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def check_username(username: str) -> None:
    """Raises NotFound for what nobody can be called: PostgreSQL would refuse some of it with an error."""
    if not is_username(username):
        raise no_such_person(username)


def no_such_conversation() -> NotFound:
    """The one answer for strangers and for what does not exist."""
    return NotFound("There is no such conversation.")


def no_such_person(username: str) -> NotFound:
    """The one answer for people who do not exist and people who are not active."""
    return NotFound(f"There is nobody called {username[:64]!a}.")


def place_of(conversation_id: UUID) -> bytes:
    """The key whose partition holds all that concerns a conversation."""
    return str(conversation_id).encode("ascii")


def _is_member(user_id: UUID, conversation_id: UUID) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_IS_MEMBER, [conversation_id, user_id])
        return cursor.fetchone() is not None
