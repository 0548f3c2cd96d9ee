"""Rows of a group while it is changed: locked, found, changed and counted. `groups` and `invitations` change them (D9).

No statement here reads more rows for a larger group, except where a docstring says so.
"""

from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Case, Count, F, Q, When
from django.db.models.functions import Lower
from django.utils import timezone

from klatsch.accounts.queries import Person, find_people
from klatsch.conversations.models import Conversation, Member
from klatsch.conversations.queries import check_username, no_such_conversation, no_such_person
from klatsch.conversations.services import promise_members
from klatsch.core.errors import BadRequest, Conflict, Forbidden

MEMBERS_MOST: Final = 5_000
"""The most people in one group: a new group of so many is one transaction, with one record for every 200 people."""

_OWNER, _ADMIN, _MEMBER = Member.Role.OWNER, Member.Role.ADMIN, Member.Role.MEMBER


def lock_group(conversation_id: UUID, actor_id: UUID) -> tuple[Conversation, Member]:
    """Locks the group until the transaction ends, so that its records follow in the order of its changes.

    Raises one NotFound for unknown groups and for people who are no members, and Forbidden for direct conversations.
    """
    group = lock_conversation(conversation_id)
    members = Member.objects.select_related("user").filter(conversation_id=conversation_id, active=True)
    actor = members.filter(user_id=actor_id).first()
    if group is None or actor is None:
        raise no_such_conversation()
    if group.kind != Conversation.Kind.GROUP:
        raise Forbidden("This is a direct conversation. Only groups can be changed.")
    return group, actor


def lock_conversation(conversation_id: UUID) -> Conversation | None:
    """Locks a conversation, if it exists, until the transaction ends. A group has an active owner on return."""
    conversation = Conversation.objects.select_for_update().filter(pk=conversation_id).first()
    if conversation is not None and conversation.kind == Conversation.Kind.GROUP:
        _ensure_owner(conversation)
    return conversation


def record_change(group: Conversation, members: Iterable[tuple[Member, str]], *, joined: int = 0) -> None:
    """Saves the locked group's own row with the next version, and queues the record of the change.

    `members` are the changed rows, each with its username. `joined` is by how many members the group has grown.
    """
    group.version += 1
    group.member_count += joined
    if joined and group.member_count < 1:
        group.member_count = _count_members(group)
    group.save(update_fields=["title", "description", "member_count", "version"])
    promise_members(group, members)


def check_room_in(group: Conversation) -> None:
    """Raises Conflict when the group is full. Counts the members of a full group, in case the kept number is wrong."""
    if group.member_count >= MEMBERS_MOST:
        group.member_count = _count_members(group)
    if group.member_count >= MEMBERS_MOST:
        raise Conflict(f"A group has at most {MEMBERS_MOST} members.")


def repair_counts() -> int:
    """Counts the members of every group, corrects wrong numbers, and returns how many were wrong.

    Reads every membership. Numbers are wrong after a process of an old version, which did not keep them.
    """
    right = Count("members", filter=Q(members__active=True))
    groups = Conversation.objects.filter(kind=Conversation.Kind.GROUP).alias(right=right)
    wrong = list(groups.exclude(member_count=F("right")).values_list("pk", flat=True))
    for conversation_id in wrong:
        with transaction.atomic():
            group = Conversation.objects.select_for_update().get(pk=conversation_id)
            group.member_count = _count_members(group)
            group.save(update_fields=["member_count"])
    return len(wrong)


def admit(group: Conversation, person: Person, former: Member | None) -> Member:
    """Makes a person, whose row is `former` if there is one, a plain member, and queues the record."""
    member = former or Member(conversation=group, user_id=person.id)
    if former is None:
        member.save(force_insert=True)
    else:
        change_member(member, active=True, role=_MEMBER, joined_at=timezone.now())
    record_change(group, [(member, person.username)], joined=1)
    return member


def change_member(member: Member, **values: object) -> None:
    """Changes a row and its version, by which readers tell newer from older."""
    for name, value in values.items():
        setattr(member, name, value)
    member.version += 1
    member.save(update_fields=[*values, "version"])


def find_member(group: Conversation, username: str) -> Member:
    """Returns a present or former member of the group; raises NotFound."""
    check_username(username)
    members = Member.objects.select_related("user").alias(folded=Lower("user__username"))
    member = members.filter(conversation=group, folded=username.lower()).first()
    if member is None:
        raise no_such_person(username)
    return member


def find_named(usernames: Sequence[str]) -> list[Person]:
    """Returns the active people of these names, each once, in order; raises NotFound naming the first unknown."""
    if len(usernames) >= MEMBERS_MOST:
        raise BadRequest(f"A group has at most {MEMBERS_MOST} members.")
    for username in usernames:
        check_username(username)
    found = {person.username.lower(): person for person in find_people(usernames)}
    for username in usernames:
        if username.lower() not in found:
            raise no_such_person(username)
    return [found[name] for name in dict.fromkeys(username.lower() for username in usernames)]


def has_other_owner(group: Conversation, owner: Member) -> bool:
    """Returns whether another person can act as an owner: a deactivated owner cannot."""
    owners = Member.objects.filter(conversation=group, active=True, role=_OWNER, user__is_active=True)
    return owners.exclude(pk=owner.pk).exists()


def has_other_member(group: Conversation, member: Member) -> bool:
    """Returns whether another member can act. Reads past deactivated members."""
    members = Member.objects.filter(conversation=group, active=True, user__is_active=True)
    return members.exclude(pk=member.pk).exists()


def _ensure_owner(group: Conversation) -> None:
    """Makes the longest-standing admin an owner, or else a plain member, when every owner was deactivated.

    A deactivation cannot be refused and does not lock groups. Its groups are therefore repaired before their next
    change. Only the repair reads all members.
    """
    members = Member.objects.filter(conversation=group, active=True, user__is_active=True)
    if members.filter(role=_OWNER).exists():
        return
    heir = (
        members.select_related("user").order_by(Case(When(role=_ADMIN, then=0), default=1), "joined_at", "pk").first()
    )
    if heir is not None:
        change_member(heir, role=_OWNER)
        record_change(group, [(heir, heir.user.username)])


def _count_members(group: Conversation) -> int:
    return Member.objects.filter(conversation=group, active=True).count()
