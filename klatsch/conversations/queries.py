"""Rights to read and write: guarded getters of one statement each, in handwritten SQL, as every send calls them.

A conversation that does not exist and one that the person is no member of raise the same NotFound.
"""
# ruff: noqa: S608 - statements are joined from constants; every value is a parameter

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from django.db import connection
from django.db.models import QuerySet

from klatsch.accounts.queries import Person, is_username
from klatsch.conversations.access import Access, check_blocks
from klatsch.conversations.models import Member
from klatsch.core.errors import BadRequest, Forbidden, NotFound
from klatsch.core.ids import direct_conversation_id, uuid_bytes
from klatsch.core.keyset import Keyset
from klatsch.eventlog import outbox
from klatsch.eventlog.log import LogWriter
from klatsch.postgres.base import prepared_cursor

# LATERAL probes an index once for a direct conversation's other member, and reads no member of a group. Ids are texts:
# PostgreSQL writes them without the interpreter, and a gateway needs texts.
_COLUMNS = f"""c.id::text, c.kind, mine.active, mine.version, peer.id::text, peer.username,
           coalesce(peer.is_active, true), c.member_count,
           {outbox.waiting_sql("convert_to(c.id::text, 'UTF8')")},
           mine.blocked_by_id IS NOT NULL, coalesce(other.blocked, false)"""
_JOINED = """
    JOIN conversations_conversation c ON c.id = mine.conversation_id
    LEFT JOIN LATERAL (SELECT user_id, blocked_by_id IS NOT NULL AS blocked FROM conversations_member theirs
                       WHERE c.kind = 'direct' AND theirs.conversation_id = c.id AND theirs.user_id <> mine.user_id
                       LIMIT 1) other ON true
    LEFT JOIN accounts_user peer ON peer.id = other.user_id"""
_STANDINGS = f"""
    SELECT who.number, {_COLUMNS}
    FROM unnest(%(people)s::uuid[]) WITH ORDINALITY who (id, number)
    CROSS JOIN LATERAL (SELECT * FROM conversations_member m
                        WHERE m.user_id = who.id AND m.conversation_id > %(after)s
                        ORDER BY m.conversation_id LIMIT %(limit)s) mine {_JOINED}
    ORDER BY who.number, mine.conversation_id"""
_STANDING = f"""
    SELECT {_COLUMNS} FROM conversations_member mine {_JOINED}
    WHERE mine.user_id = %s AND mine.conversation_id = %s"""
_FIRST = 100
"""The memberships of each person in a statement for many people. Few people have more."""
_PAGE = 1000
"""The memberships of a person in a statement of their own."""
_ROWS_AT_ONCE = 250
"""The rows that become Python objects in one go. Meanwhile a gateway's event loop waits for the interpreter."""
_BEFORE_ALL = UUID(int=0)
_IS_MEMBER = "SELECT FROM conversations_member WHERE conversation_id = %s AND user_id = %s AND active"
_COUNT = """
    SELECT c.member_count
    FROM conversations_member mine JOIN conversations_conversation c ON c.id = mine.conversation_id
    WHERE mine.conversation_id = %s AND mine.user_id = %s AND mine.active"""
_PERSON = "SELECT id, username, is_active FROM accounts_user WHERE lower(username) = lower(%s)"
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


ROLE_CHOICES: Final = Member.Role.choices
"""The roles that a member may have, with their labels."""


class Standing(msgspec.Struct, frozen=True, gc=False):
    """A person's membership in one conversation. `peer` is the other person of a direct one, None in a group.

    While `waiting`, a membership record of the conversation may still be missing from the log. The person is `blocked`
    by the peer, or `blocking` the peer.
    """

    conversation_id: str
    kind: str
    active: bool
    version: int
    peer_id: str | None
    peer_username: str | None
    peer_active: bool
    member_count: int
    waiting: bool
    blocked: bool = False
    blocking: bool = False

    @property
    def may_write(self) -> bool:
        """Returns whether `check_may_write` passes."""
        return self.peer_active and not self.blocked and not self.blocking

    def check_may_write(self) -> None:
        """Raises Forbidden (to an inactive peer, or to one whom the person has blocked) or Blocked."""
        if not self.peer_active:
            raise Forbidden("This person's account is deactivated. You cannot write to them.")
        check_blocks(blocked=self.blocked, blocking=self.blocking)

    def access(self, user_id: UUID, username: str) -> Access:
        """Returns the right to write. The caller has checked that the membership is `active` and not `waiting`."""
        return Access(
            conversation=self.conversation_id,
            kind=self.kind,
            sender=username,
            sender_id=str(user_id),
            receiver=self.peer_username,
            receiver_id=self.peer_id,
            key=self.conversation_id.encode("ascii"),
            conversation_bytes=uuid_bytes(self.conversation_id),
            sender_bytes=user_id.bytes,
            member_count=self.member_count,
        )


class StandingsPage(msgspec.Struct, frozen=True):
    """Some of a person's memberships by conversation. `after` is where the next page begins, None after the last."""

    standings: list[Standing]
    after: UUID | None


class MemberView(msgspec.Struct, frozen=True):
    """A member of a conversation, as clients see it."""

    user: str
    user_id: str
    role: str
    joined_at: datetime


def load_people(user_ids: Collection[UUID]) -> dict[UUID, StandingsPage]:
    """Returns, by person, the first page of present and past memberships, in one statement.

    A gateway merges them by version. `load_page` returns the others, of one person at a time: a statement for many
    people is long only when there are many people.
    """
    return _load(list(user_ids), _BEFORE_ALL, _FIRST)


def load_page(user_id: UUID, after: UUID) -> StandingsPage:
    """Returns the next page of a person's memberships."""
    return _load([user_id], after, _PAGE)[user_id]


def _load(user_ids: list[UUID], after: UUID, limit: int) -> dict[UUID, StandingsPage]:
    people: list[list[Standing]] = [[] for _ in user_ids]
    with connection.cursor() as cursor:
        cursor.execute(_STANDINGS, {"people": user_ids, "after": after, "limit": limit})
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            for number, *standing in rows:
                people[number - 1].append(Standing(*standing))
    return {user_id: _page(standings, limit) for user_id, standings in zip(user_ids, people, strict=True)}


def _page(standings: list[Standing], limit: int) -> StandingsPage:
    return StandingsPage(standings, UUID(standings[-1].conversation_id) if len(standings) == limit else None)


def get_standing(*, user_id: UUID, conversation_id: UUID, log: LogWriter) -> Standing:
    """Returns a membership once its record is in the log; raises NotFound, Unavailable."""
    with prepared_cursor() as cursor:
        cursor.execute(_STANDING, [user_id, conversation_id])
        row = cursor.fetchone()
    if row is None or not (standing := Standing(*row)).active:
        raise no_such_conversation()
    if standing.waiting:
        outbox.relay_records(log, place=place_of(conversation_id))
    return standing


def get_access(*, sender_id: UUID, sender_username: str, conversation_id: UUID, log: LogWriter) -> Access:
    """Returns the right to write; raises NotFound, Unavailable, and what `Standing.check_may_write` raises."""
    standing = get_standing(user_id=sender_id, conversation_id=conversation_id, log=log)
    standing.check_may_write()
    return standing.access(sender_id, sender_username)


def check_member(*, user_id: UUID, conversation_id: UUID) -> None:
    """Raises NotFound unless the person may read the conversation."""
    if not _is_member(user_id, conversation_id):
        raise no_such_conversation()


def get_direct_id(*, user_id: UUID, username: str) -> UUID:
    """Returns the id of a direct conversation, whether it exists yet or not; raises BadRequest, NotFound.

    An inactive person is found only by people who share a direct conversation with them.
    """
    return direct_conversation_id(user_id, get_peer(user_id=user_id, username=username).id)


def get_peer(*, user_id: UUID, username: str) -> Person:
    """Returns the other person of a direct conversation, whether it exists yet or not, like `get_direct_id`."""
    check_username(username)
    with prepared_cursor() as cursor:
        cursor.execute(_PERSON, [username])
        row = cursor.fetchone()
    if row is None:
        raise no_such_person(username)
    *person, active = row
    peer = Person(*person)
    if peer.id == user_id:
        raise BadRequest("You cannot do this with yourself.")
    if not active and not _is_member(user_id, direct_conversation_id(user_id, peer.id)):
        raise no_such_person(username)
    return peer


def list_members(
    *, conversation_id: UUID, limit: int, after: tuple[str] | None = None, before: tuple[str] | None = None
) -> list[MemberView]:
    """Returns at most `limit` active members by username, after or before a name. The caller checks the right."""
    with connection.cursor() as cursor:
        rows = _MEMBERS.read(cursor, {"conversation": conversation_id}, limit=limit, after=after, before=before)
    return [MemberView(*row) for row in rows]


def memberships_of(username: str) -> "QuerySet[Member]":
    """Returns a lazy queryset of every present or past membership of the person of exactly this name."""
    return Member.objects.filter(user__username=username)


def count_members(*, user_id: UUID, conversation_id: UUID) -> int:
    """Returns the number of members of a conversation; 0 unless the person is one of them."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [conversation_id, user_id])
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def check_username(username: str) -> None:
    """Raises NotFound for a text that is no username: PostgreSQL would answer some such texts with an error."""
    if not is_username(username):
        raise no_such_person(username)


def no_such_conversation() -> NotFound:
    """Returns the one answer for conversations that do not exist and for people who are no members."""
    return NotFound("There is no such conversation, or you are not a member of it.")


def no_such_person(username: str) -> NotFound:
    """Returns the one answer for people who do not exist and for inactive people."""
    return NotFound(f"There is no active person called {username[:64]!a}.")


def place_of(conversation_id: UUID) -> bytes:
    """Returns the key whose partition holds a conversation's records."""
    return str(conversation_id).encode("ascii")


def _is_member(user_id: UUID, conversation_id: UUID) -> bool:
    with prepared_cursor() as cursor:
        cursor.execute(_IS_MEMBER, [conversation_id, user_id])
        return cursor.fetchone() is not None
