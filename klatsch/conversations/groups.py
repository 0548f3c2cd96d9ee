"""Changes of groups, each with its record in the same transaction (D9). `rights` decides who may make them.

An addition holds from its commit. A removal holds from its record, so it is answered when the record is in the log.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Final
from uuid import UUID

from django.db import transaction

from klatsch.accounts.queries import Person
from klatsch.conversations.blocks import check_not_blocked
from klatsch.conversations.caps import check_room
from klatsch.conversations.group_rows import (
    admit,
    change_member,
    check_room_in,
    find_member,
    find_named,
    has_other_member,
    has_other_owner,
    lock_group,
    record_change,
)
from klatsch.conversations.invitations import close_invitations, open_invitations
from klatsch.conversations.models import Conversation, Invitation, Member
from klatsch.conversations.queries import MemberView, no_such_person, place_of
from klatsch.conversations.rights import (
    check_description,
    check_may_add,
    check_may_describe,
    check_may_remove,
    check_owns,
    check_role,
    check_title,
)
from klatsch.conversations.services import promise_members
from klatsch.core.errors import BadRequest, Conflict
from klatsch.eventlog import outbox
from klatsch.eventlog.log import LogWriter
from klatsch.records.invitations import Invitation as InvitationView

Acquaintances = Callable[[UUID, Collection[UUID]], set[UUID]]
"""Returns those of some people whom a person may add to groups. All others are invited instead."""

_ROWS_AT_ONCE: Final = 1_000
_OWNER, _ADMIN = Member.Role.OWNER, Member.Role.ADMIN


def everybody(_adder: UUID, people: Collection[UUID]) -> set[UUID]:
    """Returns all of them: nobody is invited, everybody is added."""
    return set(people)


def create_group(
    *,
    owner: Person,
    title: str,
    usernames: Sequence[str],
    log: LogWriter,
    description: str = "",
    acquaintances: Acquaintances = everybody,
) -> UUID:
    """Creates a group of its owner and other people, and returns its id. Invites those who are no acquaintances.

    Raises BadRequest, and NotFound, Blocked or LimitReached naming the person.
    """
    check_title(title)
    check_description(description)
    people = [person for person in find_named(usernames) if person.id != owner.id]
    check_not_blocked(person_id=owner.id, people=people)
    known = acquaintances(owner.id, [person.id for person in people])
    added = [person for person in people if person.id in known]
    invited = [person for person in people if person.id not in known]
    with transaction.atomic(durable=True):
        check_room(beginner=owner.id, added=[one.id for one in added], invited=[one.id for one in invited])
        group = Conversation.objects.create(
            kind=Conversation.Kind.GROUP, title=title, description=description, member_count=1 + len(added)
        )
        members = [(Member(conversation=group, user_id=owner.id, role=_OWNER), owner.username)]
        members += [(Member(conversation=group, user_id=person.id), person.username) for person in added]
        Member.objects.bulk_create([member for member, _ in members], batch_size=_ROWS_AT_ONCE)
        promise_members(group, members)
        open_invitations(group, owner, invited)
    outbox.relay_if_possible(lambda: log, place=place_of(group.pk))
    return group.pk


def update_group(
    *, actor_id: UUID, conversation_id: UUID, log: LogWriter, title: str | None = None, description: str | None = None
) -> None:
    """Changes a group's title (owners may) or description (owners and admins may). None leaves one as it is."""
    if title is not None:
        check_title(title)
    if description is not None:
        check_description(description)
    with transaction.atomic(durable=True):
        group, actor = lock_group(conversation_id, actor_id)
        if title is not None:
            check_owns(actor.role)
        check_may_describe(actor.role)
        before = (group.title, group.description)
        group.title = group.title if title is None else title
        group.description = group.description if description is None else description
        if before != (group.title, group.description):
            # The archive keeps no record that names nobody, and a replay from it tells of named people only.
            change_member(actor)
            record_change(group, [(actor, actor.user.username)])
    outbox.relay_if_possible(lambda: log, place=place_of(conversation_id))


def add_member(
    *, actor_id: UUID, conversation_id: UUID, username: str, log: LogWriter, acquaintances: Acquaintances = everybody
) -> MemberView | InvitationView:
    """Adds a person to a group, or invites a person who is no acquaintance of the actor.

    An added person can read the whole history. An existing member keeps their role.
    """
    with transaction.atomic(durable=True):
        group, actor = lock_group(conversation_id, actor_id)
        check_may_add(actor.role)
        [person] = find_named([username])
        member = Member.objects.filter(conversation=group, user_id=person.id).first()
        if member is None or not member.active:
            check_not_blocked(person_id=actor_id, people=[person])
            if person.id not in acquaintances(actor_id, [person.id]):
                [invitation] = open_invitations(group, Person(actor_id, actor.user.username), [person])
                return invitation
            check_room_in(group)
            check_room(beginner=None, added=[person.id])
            member = admit(group, person, member)
            close_invitations(group, Invitation.State.ACCEPTED, user_id=person.id)
    outbox.relay_if_possible(lambda: log, place=place_of(conversation_id))
    return MemberView(person.username, str(person.id), member.role, member.joined_at)


def remove_member(*, actor_id: UUID, conversation_id: UUID, username: str, log: LogWriter) -> None:
    """Removes a person, or lets the actor leave. On return the removal holds everywhere. Repeating it is harmless.

    Raises NotFound, Forbidden, Conflict when the last owner would leave other members behind, and Unavailable when the
    removal is committed but not yet in the log.
    """
    with transaction.atomic(durable=True):
        group, actor = lock_group(conversation_id, actor_id)
        target = find_member(group, username)
        if target.pk == actor.pk:
            _check_may_leave(group, actor)
        else:
            check_may_remove(actor.role, target.role)
        if target.active:
            change_member(target, active=False)
            record_change(group, [(target, target.user.username)], joined=-1)
            if not group.member_count:
                close_invitations(group, Invitation.State.WITHDRAWN)
    outbox.relay_records(log, place=place_of(conversation_id))


def change_role(*, actor_id: UUID, conversation_id: UUID, username: str, role: str, log: LogWriter) -> MemberView:
    """Makes a member an owner, an admin or a plain member. Only owners may, and at least one owner remains."""
    check_role(role)
    with transaction.atomic(durable=True):
        group, actor = lock_group(conversation_id, actor_id)
        check_owns(actor.role)
        target = _find_active(group, username)
        if target.role == _OWNER and role != _OWNER and not has_other_owner(group, target):
            raise Conflict("A group needs an owner. Make another member an owner first.")
        if target.role != role:
            change_member(target, role=role)
            record_change(group, [(target, target.user.username)])
    outbox.relay_if_possible(lambda: log, place=place_of(conversation_id))
    return MemberView(target.user.username, str(target.user_id), target.role, target.joined_at)


def transfer_group(*, actor_id: UUID, conversation_id: UUID, username: str, log: LogWriter) -> None:
    """Makes a member an owner and the actor, an owner, an admin: in one transaction and one record."""
    with transaction.atomic(durable=True):
        group, actor = lock_group(conversation_id, actor_id)
        check_owns(actor.role)
        target = _find_active(group, username)
        if target.pk == actor.pk:
            raise BadRequest("You own this group already. Name another member.")
        if not target.user.is_active:
            raise no_such_person(username)
        changed = [(actor, actor.user.username)]
        change_member(actor, role=_ADMIN)
        if target.role != _OWNER:
            change_member(target, role=_OWNER)
            changed.append((target, target.user.username))
        record_change(group, changed)
    outbox.relay_if_possible(lambda: log, place=place_of(conversation_id))


def dissolve_group(*, actor_id: UUID, conversation_id: UUID, log: LogWriter) -> None:
    """Removes all members, the actor included, and withdraws all invitations. Only owners may.

    Messages stay archived, but nobody can read them.
    """
    with transaction.atomic(durable=True):
        group, actor = lock_group(conversation_id, actor_id)
        check_owns(actor.role)
        members = list(Member.objects.filter(conversation=group, active=True).select_related("user"))
        for member in members:
            member.active = False
            member.version += 1
        Member.objects.bulk_update(members, ["active", "version"], batch_size=_ROWS_AT_ONCE)
        record_change(group, [(member, member.user.username) for member in members], joined=-len(members))
        close_invitations(group, Invitation.State.WITHDRAWN)
    outbox.relay_records(log, place=place_of(conversation_id))


def _check_may_leave(group: Conversation, actor: Member) -> None:
    if actor.role == _OWNER and not has_other_owner(group, actor) and has_other_member(group, actor):
        raise Conflict("You are the last owner. Make another member an owner first, or delete the group.")


def _find_active(group: Conversation, username: str) -> Member:
    target = find_member(group, username)
    if not target.active:
        raise no_such_person(username)
    return target
