"""Blocks: a person does not want another one to write to them (decisions/0038).

A block is a state of the blocked person's membership in the direct conversation of the two. Each change raises that
membership's version and queues its record, so that gateways and persisters judge it like a removal: what the blocked
person appends after the record is void. Groups that both are in stay as they are.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from django.db import connection, transaction
from django.utils import timezone

from klatsch.accounts.queries import Person
from klatsch.conversations.caps import check_block_room
from klatsch.conversations.models import Conversation, Member
from klatsch.conversations.queries import get_peer, place_of
from klatsch.conversations.services import insert_direct, promise_members
from klatsch.core.errors import Blocked
from klatsch.core.ids import direct_conversation_id
from klatsch.core.keyset import Keyset
from klatsch.eventlog import outbox
from klatsch.eventlog.log import LogWriter

_BLOCKS: Final = Keyset(
    ("blocked_at", "user_id"),
    lambda way: (
        f"""
    SELECT u.username, b.user_id::text, b.blocked_at
    FROM conversations_member b JOIN accounts_user u ON u.id = b.user_id
    WHERE b.blocked_by_id = %(person)s AND {way.beyond("b.")}
    {way.order("b.")} LIMIT %(limit)s"""  # noqa: S608 - of constants
    ),
    newest_first=True,
)
_BLOCKERS: Final = """
    SELECT DISTINCT blocked_by_id FROM conversations_member WHERE blocked_by_id = ANY(%s) AND user_id = %s"""


class BlockView(msgspec.Struct, frozen=True):
    """A person whom one has blocked, and since when."""

    user: str
    user_id: str
    blocked_at: datetime


def block_person(*, blocker: Person, username: str, log: LogWriter) -> None:
    """Blocks a person. On return the block holds everywhere. Repeating it is harmless.

    Creates their direct conversation if there is none. It has not begun, and takes no room below the cap on
    conversations: a person at the cap can block strangers. Raises BadRequest (oneself), NotFound, LimitReached, and
    Unavailable when the block is committed but not yet in the log.
    """
    person = get_peer(user_id=blocker.id, username=username)
    conversation_id = direct_conversation_id(blocker.id, person.id)
    with transaction.atomic(durable=True):
        insert_direct(conversation_id, (blocker, person), beginner=None)
        _change_block(conversation_id, blocker.id, person, blocked=True)
    outbox.relay_records(log, place=place_of(conversation_id))


def unblock_person(*, blocker_id: UUID, username: str, log: LogWriter) -> None:
    """Lifts a block, if there is one. On return the person can write again. Raises what `block_person` raises."""
    person = get_peer(user_id=blocker_id, username=username)
    conversation_id = direct_conversation_id(blocker_id, person.id)
    with transaction.atomic(durable=True):
        _change_block(conversation_id, blocker_id, person, blocked=False)
    outbox.relay_records(log, place=place_of(conversation_id))


def list_blocks(
    *,
    person_id: UUID,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
    before: tuple[datetime, UUID] | None = None,
) -> list[BlockView]:
    """Returns the people whom a person has blocked, newest first: at most `limit` after or before a place."""
    with connection.cursor() as cursor:
        rows = _BLOCKS.read(cursor, {"person": person_id}, limit=limit, after=after, before=before)
    return [BlockView(*row) for row in rows]


def find_blockers(*, person_id: UUID, among: Collection[UUID]) -> set[UUID]:
    """Returns those of some people who have blocked a person, in one statement."""
    if not among:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(_BLOCKERS, [list(among), person_id])
        return {row[0] for row in cursor.fetchall()}


def check_not_blocked(*, person_id: UUID, people: Collection[Person]) -> None:
    """Raises Blocked, naming the person, when one of these people has blocked a person who adds or invites them."""
    blockers = find_blockers(person_id=person_id, among=[person.id for person in people])
    for person in people:
        if person.id in blockers:
            raise Blocked(f"{person.username} has blocked you.")


def _change_block(conversation_id: UUID, blocker_id: UUID, person: Person, *, blocked: bool) -> None:
    """Changes the person's membership, with its record. The conversation's row is locked: records follow in order.

    Both versions grow, and the record names both people: a gateway drops or renews the right of both to write there.
    In a conversation that has not begun, both are members only while one of them blocks the other. Otherwise the end of
    the block would give them a right to write, and a place in their lists, that neither had asked for.
    """
    conversation = Conversation.objects.select_for_update().filter(pk=conversation_id).first()
    if conversation is None:
        return
    both = {m.user_id: m for m in Member.objects.filter(conversation=conversation).select_related("user")}
    theirs = both[person.id]
    if (theirs.blocked_by_id is not None) == blocked:
        return
    if blocked:
        check_block_room(blocker_id)
    theirs.blocked_by_id = blocker_id if blocked else None
    theirs.blocked_at = timezone.now() if blocked else None
    shared = conversation.begun or any(member.blocked_by_id is not None for member in both.values())
    for member in both.values():
        member.active = shared
        member.version += 1
    Member.objects.bulk_update(both.values(), ["blocked_by", "blocked_at", "active", "version"])
    promise_members(conversation, [(member, member.user.username) for member in both.values()])
