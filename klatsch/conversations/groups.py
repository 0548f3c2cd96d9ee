"""Changes of groups, each with its record in the same transaction (D9). `rights` decides who may make them.

An addition holds from its commit. A removal holds from its record, so it is answered when the record is in the log.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Case, When
from django.db.models.functions import Lower
from django.utils import timezone

from klatsch.accounts.queries import Person, find_people
from klatsch.conversations.caps import check_room
from klatsch.conversations.models import Conversation, Member
from klatsch.conversations.queries import (
    MemberView,
    check_username,
    no_such_conversation,
    no_such_person,
    place_of,
)
from klatsch.conversations.rights import check_may_add, check_may_remove, check_owns, check_role, check_title
from klatsch.conversations.services import promise_members
from klatsch.core.errors import BadRequest, Conflict, Forbidden
from klatsch.eventlog import outbox
from klatsch.eventlog.log import LogWriter

MEMBERS_MOST: Final = 2_000
"""The most people in one group. A change of it is one transaction, with one record for every 200 people."""

_OWNER, _ADMIN, _MEMBER = Member.Role.OWNER, Member.Role.ADMIN, Member.Role.MEMBER


def create_group(*, owner: tuple[UUID, str], title: str, usernames: Sequence[str], log: LogWriter) -> UUID:
    """Creates a group of its owner and other people, and returns its id.

    Raises BadRequest, and NotFound or LimitReached naming the person.
    """
    check_title(title)
    people = [person for person in _find_people(usernames) if person.id != owner[0]]
    with transaction.atomic(durable=True):
        check_room(beginner=owner[0], added=[person.id for person in people])
        group = Conversation.objects.create(kind=Conversation.Kind.GROUP, title=title, member_count=1 + len(people))
        members = [(Member(conversation=group, user_id=owner[0], role=_OWNER), owner[1])]
        members += [(Member(conversation=group, user_id=person.id), person.username) for person in people]
        Member.objects.bulk_create(member for member, _ in members)
        promise_members(group, members)
    outbox.relay_if_possible(lambda: log, place=place_of(group.pk))
    return group.pk


def rename_group(*, actor_id: UUID, conversation_id: UUID, title: str, log: LogWriter) -> None:
    """Changes a group's title. Only owners may."""
    check_title(title)
    with transaction.atomic(durable=True):
        group, actor = _lock_group(conversation_id, actor_id)
        check_owns(actor.role)
        group.title = title
        group.save(update_fields=["title"])
        promise_members(group, ())
    outbox.relay_if_possible(lambda: log, place=place_of(conversation_id))


def add_member(*, actor_id: UUID, conversation_id: UUID, username: str, log: LogWriter) -> MemberView:
    """Adds a person to a group. They can read the whole history; an existing member keeps their role."""
    with transaction.atomic(durable=True):
        group, actor = _lock_group(conversation_id, actor_id)
        check_may_add(actor.role)
        [person] = _find_people([username])
        member = Member.objects.filter(conversation=group, user_id=person.id).first()
        if member is None or not member.active:
            _check_room(group)
            check_room(beginner=None, added=[person.id])
            member = _admit(group, person, member)
            _count_members(group)
            promise_members(group, [(member, person.username)])
    outbox.relay_if_possible(lambda: log, place=place_of(conversation_id))
    return MemberView(person.username, str(person.id), member.role, member.joined_at)


def remove_member(*, actor_id: UUID, conversation_id: UUID, username: str, log: LogWriter) -> None:
    """Removes a person, or lets the actor leave. On return the removal holds everywhere. Repeating it is harmless.

    Raises NotFound, Forbidden, Conflict when the last owner would leave other members behind, and Unavailable when the
    removal is committed but not yet in the log.
    """
    with transaction.atomic(durable=True):
        group, actor = _lock_group(conversation_id, actor_id)
        target = _find_member(group, username)
        if target.pk == actor.pk:
            _check_may_leave(group, actor)
        else:
            check_may_remove(actor.role, target.role)
        if target.active:
            _change(target, active=False)
            _count_members(group)
            promise_members(group, [(target, target.user.username)])
    outbox.relay_records(log, place=place_of(conversation_id))


def change_role(*, actor_id: UUID, conversation_id: UUID, username: str, role: str, log: LogWriter) -> MemberView:
    """Makes a member an owner, an admin or a plain member. Only owners may, and at least one owner remains."""
    check_role(role)
    with transaction.atomic(durable=True):
        group, actor = _lock_group(conversation_id, actor_id)
        check_owns(actor.role)
        target = _find_member(group, username)
        if not target.active:
            raise no_such_person(username)
        if target.role == _OWNER and role != _OWNER and not _other_owners(group, target):
            raise Conflict("A group needs an owner. Make another member an owner first.")
        if target.role != role:
            _change(target, role=role)
            promise_members(group, [(target, target.user.username)])
    outbox.relay_if_possible(lambda: log, place=place_of(conversation_id))
    return MemberView(target.user.username, str(target.user_id), target.role, target.joined_at)


def dissolve_group(*, actor_id: UUID, conversation_id: UUID, log: LogWriter) -> None:
    """Removes all members, the actor included. Only owners may. Messages stay archived, but nobody can read them."""
    with transaction.atomic(durable=True):
        group, actor = _lock_group(conversation_id, actor_id)
        check_owns(actor.role)
        members = list(Member.objects.filter(conversation=group, active=True).select_related("user"))
        for member in members:
            member.active = False
            member.version += 1
        Member.objects.bulk_update(members, ["active", "version"])
        _count_members(group)
        promise_members(group, [(member, member.user.username) for member in members])
    outbox.relay_records(log, place=place_of(conversation_id))


def _lock_group(conversation_id: UUID, actor_id: UUID) -> tuple[Conversation, Member]:
    """Locks the group until the transaction ends, so that its records follow in the order of its changes."""
    group = Conversation.objects.select_for_update().filter(pk=conversation_id).first()
    if group is not None and group.kind == Conversation.Kind.GROUP:
        _ensure_owner(group)
    actor = Member.objects.filter(conversation_id=conversation_id, user_id=actor_id, active=True).first()
    if group is None or actor is None:
        raise no_such_conversation()
    if group.kind != Conversation.Kind.GROUP:
        raise Forbidden("The members of a direct conversation cannot be changed.")
    return group, actor


def _ensure_owner(group: Conversation) -> None:
    """Makes the longest-standing admin an owner, or else a plain member, when every owner was deactivated.

    A deactivation cannot be refused and does not lock groups. Its groups are therefore repaired before their next
    change.
    """
    members = Member.objects.filter(conversation=group, active=True, user__is_active=True)
    if members.filter(role=_OWNER).exists():
        return
    heir = (
        members.select_related("user").order_by(Case(When(role=_ADMIN, then=0), default=1), "joined_at", "pk").first()
    )
    if heir is not None:
        _change(heir, role=_OWNER)
        promise_members(group, [(heir, heir.user.username)])


def _check_may_leave(group: Conversation, actor: Member) -> None:
    if actor.role != _OWNER or _other_owners(group, actor):
        return
    if Member.objects.filter(conversation=group, active=True, user__is_active=True).exclude(pk=actor.pk).exists():
        raise Conflict("You are the last owner. Make another member an owner first, or delete the group.")


def _check_room(group: Conversation) -> None:
    if Member.objects.filter(conversation=group, active=True).count() >= MEMBERS_MOST:
        raise Conflict(f"A group has at most {MEMBERS_MOST} members.")


def _count_members(group: Conversation) -> None:
    """Counts the members anew: older processes beside this one do not keep the number."""
    group.member_count = Member.objects.filter(conversation=group, active=True).count()
    group.save(update_fields=["member_count"])


def _other_owners(group: Conversation, owner: Member) -> bool:
    """Returns whether another person can act as an owner: a deactivated owner cannot."""
    owners = Member.objects.filter(conversation=group, active=True, role=_OWNER, user__is_active=True)
    return owners.exclude(pk=owner.pk).exists()


def _find_people(usernames: Sequence[str]) -> list[Person]:
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


def _find_member(group: Conversation, username: str) -> Member:
    """Returns a present or former member of the group; raises NotFound."""
    check_username(username)
    members = Member.objects.select_related("user").alias(folded=Lower("user__username"))
    member = members.filter(conversation=group, folded=username.lower()).first()
    if member is None:
        raise no_such_person(username)
    return member


def _admit(group: Conversation, person: Person, former: Member | None) -> Member:
    if former is None:
        return Member.objects.create(conversation=group, user_id=person.id)
    _change(former, active=True, role=_MEMBER, joined_at=timezone.now())
    return former


def _change(member: Member, **values: object) -> None:
    """Changes a row and its version, by which readers tell newer from older."""
    for name, value in values.items():
        setattr(member, name, value)
    member.version += 1
    member.save(update_fields=[*values, "version"])
