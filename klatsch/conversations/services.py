"""Creates direct conversations, and queues membership records in the transaction of their change (D9).

`klatsch.conversations.groups` changes groups.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, cast
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from klatsch.accounts.queries import Person
from klatsch.conversations.access import Access, check_blocks
from klatsch.conversations.caps import check_room
from klatsch.conversations.models import Conversation, Member
from klatsch.conversations.queries import check_username, no_such_person, place_of
from klatsch.core.errors import BadRequest
from klatsch.core.ids import direct_conversation_id
from klatsch.eventlog import outbox
from klatsch.eventlog.log import LogWriter
from klatsch.postgres.base import prepared_cursor
from klatsch.records import members as records
from klatsch.records.keys import MEMBERS
from klatsch.records.values import encode

RECORD_MEMBERS_MOST = 200
"""The most people in one record: 34 kB, below the limits of a broker (1 MB) and a socket's frame (64 KiB)."""

KNOWN_IDS_MOST = 50_000
"""The usernames whose ids are cached: about 8 MB."""

# Usernames never change and are never reused. A cached id is therefore right, or (after a restored backup) refused by
# the statement that uses it. The cache saves the second statement of each send by name.
_known_ids: dict[str, UUID] = {}

_FIND = f"""
    SELECT u.id, u.username, coalesce(c.begun, false),
           {outbox.waiting_sql("%s")},
           coalesce(mine.version, 1), mine.blocked_by_id IS NOT NULL, theirs.blocked_by_id IS NOT NULL
    FROM accounts_user u LEFT JOIN conversations_conversation c ON c.id = %s
    LEFT JOIN conversations_member mine ON mine.conversation_id = c.id AND mine.user_id = %s
    LEFT JOIN conversations_member theirs ON theirs.conversation_id = c.id AND theirs.user_id = u.id
    WHERE lower(u.username) = lower(%s) AND u.is_active"""  # noqa: S608 - of constants
_MAKE = """
    INSERT INTO conversations_conversation (id, kind, title, created_at, begun) VALUES (%s, 'direct', '', now(), %s)
    ON CONFLICT DO NOTHING"""


class _Direct(NamedTuple):
    receiver: Person
    is_begun: bool
    is_waiting: bool
    version: int
    blocked: bool
    blocking: bool


class DirectAccess(NamedTuple):
    """The right to write to a person, and the version of one's own membership."""

    access: Access
    version: int


def ensure_direct_conversation(*, sender: Person, receiver_username: str, log: LogWriter) -> Access:
    """Returns the right to write to a person, creating the conversation on first use. Takes one statement later on.

    Two people who first write at the same time get the same conversation. On return its membership record is in the
    log. Raises BadRequest (to oneself), NotFound (to an unknown or inactive person), Blocked (by that person),
    Forbidden (to a person whom one has blocked), LimitReached, Unavailable.
    """
    return open_direct(sender=sender, receiver_username=receiver_username, log=log).access


def open_direct(*, sender: Person, receiver_username: str, log: LogWriter) -> DirectAccess:
    """Returns what `ensure_direct_conversation` returns, with the version that a gateway's cache needs."""
    check_username(receiver_username)
    if receiver_username.lower() == sender.username.lower():
        raise BadRequest("You cannot write to yourself.")
    direct = _find_direct(sender.id, receiver_username)
    check_blocks(blocked=direct.blocked, blocking=direct.blocking)
    conversation_id = direct_conversation_id(sender.id, direct.receiver.id)
    version = direct.version
    if not direct.is_begun:
        version = _begin_direct(conversation_id, (sender, direct.receiver))
    if direct.is_waiting or not direct.is_begun:
        outbox.relay_records(log, place=place_of(conversation_id))
    access = Access.of(
        conversation=conversation_id, kind=Conversation.Kind.DIRECT.value, sender=sender, receiver=direct.receiver
    )
    return DirectAccess(access, version)


def _find_direct(sender_id: UUID, username: str) -> _Direct:
    """Finds the person and, by the id that it should have, the conversation, in one statement."""
    name = username.lower()
    guess = _known_ids.get(name, sender_id)
    conversation_id = direct_conversation_id(sender_id, guess)
    with prepared_cursor() as cursor:
        cursor.execute(_FIND, [place_of(conversation_id), conversation_id, sender_id, username])
        row = cursor.fetchone()
    if row is None:
        raise no_such_person(username)
    receiver_id, receiver_username, *direct = row
    if receiver_id != guess:
        if len(_known_ids) >= KNOWN_IDS_MOST:
            _known_ids.clear()
        _known_ids[name] = receiver_id
        return _find_direct(sender_id, username)
    return _Direct(Person(receiver_id, receiver_username), *direct)


def _begin_direct(conversation_id: UUID, people: tuple[Person, Person]) -> int:
    """Begins the conversation unless it has begun, and returns the version of the first person's membership.

    The first of `people` begins it and needs room for it, also where a block made it before. The other does not need
    room: otherwise strangers could use up how many people may write to somebody. A concurrent second caller waits for
    the first transaction, then finds it begun. Raises LimitReached, and Blocked or Forbidden after a concurrent block.
    """
    beginner = people[0].id
    with transaction.atomic(durable=True):
        if (version := insert_direct(conversation_id, people, beginner=beginner)) is not None:
            return version
        conversation = Conversation.objects.select_for_update().get(pk=conversation_id)
        members = {one.user_id: one for one in Member.objects.filter(conversation=conversation)}
        mine, theirs = (members[one.id] for one in people)
        check_blocks(blocked=mine.blocked_by_id is not None, blocking=theirs.blocked_by_id is not None)
        if not conversation.begun:
            check_room(beginner=beginner)
            _admit_both(conversation, [(mine, people[0].username), (theirs, people[1].username)])
        return mine.version


def _admit_both(conversation: Conversation, members: Sequence[tuple[Member, str]]) -> None:
    """Makes both people members of a conversation that a block has made. It begins now, in their lists too."""
    now = timezone.now()
    conversation.begun, conversation.created_at = True, now
    conversation.save(update_fields=["begun", "created_at"])
    for member, _ in members:
        member.active, member.joined_at = True, now
        member.version += 1
    Member.objects.bulk_update([member for member, _ in members], ["active", "joined_at", "version"])
    promise_members(conversation, members)


def insert_direct(conversation_id: UUID, people: tuple[Person, Person], *, beginner: UUID | None) -> int | None:
    """Creates the conversation in the present transaction. Returns its memberships' version; None if it existed.

    `beginner` needs room. Without one, the conversation has not begun, and the block that makes it queues the first
    record. After a record without the block, gateways would let both people write before they read of the block.
    """
    with connection.cursor() as cursor:
        cursor.execute(_MAKE, [conversation_id, beginner is not None])
        if cursor.rowcount == 0:
            return None
    if beginner is not None:
        check_room(beginner=beginner)
    conversation = Conversation(pk=conversation_id, kind=Conversation.Kind.DIRECT, member_count=len(people))
    members = [(Member(conversation=conversation, user_id=one.id), one.username) for one in people]
    Member.objects.bulk_create(member for member, _ in members)
    if beginner is not None:
        promise_members(conversation, members)
    return members[0][0].version


def promise_members(conversation: Conversation, members: Iterable[tuple[Member, str]]) -> None:
    """Queues records of these rows (each with its username) and of the conversation. Call it where they change.

    Without members, the record tells title and description only.
    """
    standings = [_membership(member, username) for member, username in members]
    for start in range(0, len(standings) or 1, RECORD_MEMBERS_MOST):
        changed = records.MembersChanged(
            conversation=str(conversation.pk),
            kind=cast("records.ConversationKind", conversation.kind),
            title=conversation.title,
            members=standings[start : start + RECORD_MEMBERS_MOST],
            member_count=conversation.member_count,
            description=conversation.description,
            version=conversation.version,
        )
        outbox.promise_record(
            key=MEMBERS.of(changed.conversation),
            value=encode(changed),
            place=place_of(conversation.pk),
        )


def _membership(member: Member, username: str) -> records.Membership:
    return records.Membership(
        user=username,
        user_id=str(member.user_id),
        active=member.active,
        role=cast("records.Role", member.role),
        version=member.version,
        blocked=member.blocked_by_id is not None,
    )
