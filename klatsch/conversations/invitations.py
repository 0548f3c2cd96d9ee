"""Invitations to groups: of people whom nobody may add without asking them (decisions/0037).

An invitation is one row for a group and a person. Each change raises its version and queues a record, which the invited
person alone gets. The group's row is locked first, so that invitations and memberships change in one order.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from klatsch.accounts.queries import Person
from klatsch.conversations.blocks import check_not_blocked
from klatsch.conversations.caps import check_invitations, check_room
from klatsch.conversations.group_rows import admit, check_room_in, find_named, lock_conversation, lock_group
from klatsch.conversations.invitation_queries import INVITATION_DAYS, find_hidden, invitation_of, no_such_invitation
from klatsch.conversations.models import Conversation, Invitation, Member
from klatsch.conversations.queries import place_of
from klatsch.conversations.rights import check_may_add
from klatsch.core.errors import Conflict, Gone
from klatsch.eventlog import outbox
from klatsch.eventlog.log import LogWriter
from klatsch.records import invitations as records
from klatsch.records.keys import INVITATIONS, PERSON
from klatsch.records.values import encode

SWEPT_AT_ONCE: Final = 500
SWEEPS_MOST: Final = 4
"""The most transactions of a sweep, an hour: the outbox is not relayed meanwhile."""
_State = Invitation.State


def invite_person(*, actor_id: UUID, conversation_id: UUID, username: str) -> records.Invitation:
    """Invites a person to a group, known to the actor or not. Owners and admins may.

    An open invitation stays as it is, unless it is another inviter's and hidden from the person.

    Raises NotFound, Forbidden, Blocked, LimitReached, and Conflict when the person is a member or has declined.
    """
    with transaction.atomic(durable=True):
        group, actor = lock_group(conversation_id, actor_id)
        check_may_add(actor.role)
        [person] = find_named([username])
        check_not_blocked(person_id=actor_id, people=[person])
        if Member.objects.filter(conversation=group, user_id=person.id, active=True).exists():
            raise Conflict(f"{person.username} is a member of this group already.")
        [invitation] = open_invitations(group, Person(actor_id, actor.user.username), [person])
    return invitation


def accept_invitation(*, person: Person, invitation_id: UUID, log: LogWriter) -> records.Invitation:
    """Makes an invited person a member of the group. Repeating it is harmless, even when they were added otherwise.

    Raises NotFound, and Gone when the invitation has ended or its inviter's account is inactive. Raises Conflict when
    they declined it or the group is full, and LimitReached when they are in too many conversations.
    """
    with transaction.atomic(durable=True):
        group, invitation = _lock_invitation(invitation_id, person.id)
        member = Member.objects.filter(conversation=group, user_id=person.id).first()
        if member is None or not member.active:
            _check_open(group, invitation)
            if not invitation.inviter.is_active:
                raise Gone("The account that invited you is inactive.")
            check_room_in(group)
            check_room(beginner=person.id)
            admit(group, person, member)
        if invitation.state == _State.OPEN:
            _close([invitation], group, _State.ACCEPTED)
    outbox.relay_if_possible(lambda: log, place=place_of(group.pk))
    return invitation_of(invitation, group)


def decline_invitation(*, person_id: UUID, invitation_id: UUID) -> records.Invitation:
    """Declines an invitation. Repeating it is harmless. Raises NotFound, Gone, and Conflict when it was accepted."""
    with transaction.atomic(durable=True):
        group, invitation = _lock_invitation(invitation_id, person_id)
        if invitation.state == _State.ACCEPTED:
            raise Conflict("You have accepted this invitation. Leave the group instead.")
        if invitation.state != _State.DECLINED:
            _check_open(group, invitation)
            _close([invitation], group, _State.DECLINED)
    return invitation_of(invitation, group)


def withdraw_invitation(*, actor_id: UUID, invitation_id: UUID) -> None:
    """Withdraws an open invitation: the inviter, and the group's owners and admins may. Repeating it is harmless.

    Raises NotFound for everybody else, and Conflict when the invitation was accepted.
    """
    with transaction.atomic(durable=True):
        group, invitation = _lock_invitation(invitation_id, None)
        managers = Member.objects.filter(conversation=group, active=True, role__in=["owner", "admin"])
        if invitation.inviter_id != actor_id and not managers.filter(user_id=actor_id).exists():
            raise no_such_invitation()
        if invitation.state == _State.ACCEPTED:
            raise Conflict("This invitation was accepted. Remove the member instead.")
        if invitation.state == _State.OPEN:
            _close([invitation], group, _State.WITHDRAWN)


def open_invitations(group: Conversation, inviter: Person, people: Sequence[Person]) -> list[records.Invitation]:
    """Invites these people, in the present transaction, to a group whose row is locked or new.

    Returns the invitations in the order of `people`. Those that are open stay as they are, unless they are of another
    inviter and hidden from the invited person. Raises LimitReached, and Conflict when somebody has declined.
    """
    if not people:
        return []
    names, ids = {person.id: person for person in people}, [person.id for person in people]
    # Locked, because a sweep would delete between this read and the update a row that ended long ago.
    rows = _with_names().select_for_update(of=("self",)).filter(conversation=group, user_id__in=ids)
    there = {one.user_id: one for one in rows}
    hidden = find_hidden([one.pk for one in there.values() if _is_open(one) and one.inviter_id != inviter.id])
    wanted = [one for one in ids if one not in there or not _is_open(there[one]) or there[one].pk in hidden]
    for invitation in there.values():
        if invitation.state == _State.DECLINED and not _is_over(invitation):
            raise Conflict(f"{names[invitation.user_id].username} has declined an invitation to this group.")
    if wanted:
        check_invitations(inviter=inviter.id, invited=wanted)
    there |= _open(
        [there.get(one) or Invitation(conversation=group, user_id=one, version=0) for one in wanted], inviter
    )
    views = {
        user_id: invitation_of(
            one, group, (names[user_id].username, inviter.username if user_id in wanted else one.inviter.username)
        )
        for user_id, one in there.items()
    }
    _promise_records(views[user_id] for user_id in wanted)
    return [views[user_id] for user_id in ids]


def _open(invitations: Sequence[Invitation], inviter: Person) -> dict[UUID, Invitation]:
    """Stores these invitations as open and of this inviter. Returns them by the id of the invited person."""
    now = _now()
    for one in invitations:
        one.state, one.inviter_id = _State.OPEN, inviter.id
        one.version, one.created_at, one.changed_at = one.version + 1, now, now
    Invitation.objects.bulk_create([one for one in invitations if one.version == 1])
    Invitation.objects.bulk_update(
        [one for one in invitations if one.version > 1], ["state", "inviter", "version", "created_at", "changed_at"]
    )
    return {one.user_id: one for one in invitations}


def close_invitations(group: Conversation, state: str, *, user_id: UUID | None = None) -> None:
    """Ends the open invitations to a locked group, of one person or of all, in the present transaction."""
    invitations = _with_names().select_for_update(of=("self",)).filter(conversation=group, state=_State.OPEN)
    _close(list(invitations if user_id is None else invitations.filter(user_id=user_id)), group, state)


def sweep_invitations() -> int:
    """Ends invitations that nobody answered in time, forgets old ones that have ended, and returns how many it ended.

    Takes `SWEPT_AT_ONCE` in each of `SWEEPS_MOST` transactions, or until it finds fewer. Rows that somebody else is
    changing are left to the next sweep.
    """
    ended = _repeat(_expire_some)
    _repeat(_forget_some)
    return ended


def _repeat(sweep: Callable[[], int]) -> int:
    total = 0
    for _ in range(SWEEPS_MOST):
        swept = sweep()
        total += swept
        if swept < SWEPT_AT_ONCE:
            break
    return total


def _expire_some() -> int:
    with transaction.atomic(durable=True):
        old = _with_names().select_related("conversation").select_for_update(of=("self",), skip_locked=True)
        over = list(old.filter(state=_State.OPEN, changed_at__lt=_oldest())[:SWEPT_AT_ONCE])
        for invitation in over:
            _close([invitation], invitation.conversation, _State.EXPIRED)
    return len(over)


def _forget_some() -> int:
    with transaction.atomic(durable=True):
        # Locked before the deletion: a row that is being opened again stays, and a deletion waits for nobody, so that
        # it deadlocks with nobody.
        ended = Invitation.objects.exclude(state=_State.OPEN).filter(changed_at__lt=_oldest())
        locked = list(ended.select_for_update(skip_locked=True).values_list("pk", flat=True)[:SWEPT_AT_ONCE])
        Invitation.objects.filter(pk__in=locked).delete()
    return len(locked)


def _lock_invitation(invitation_id: UUID, person_id: UUID | None) -> tuple[Conversation, Invitation]:
    """Locks the group and then the invitation; raises NotFound when it does not exist or is not the named person's."""
    wanted = _with_names().filter(pk=invitation_id)
    if person_id is not None:
        wanted = wanted.filter(user_id=person_id)
    conversation_id = wanted.values_list("conversation_id", flat=True).first()
    group = None if conversation_id is None else lock_conversation(conversation_id)
    invitation = None if group is None else wanted.select_for_update(of=("self",)).first()
    if group is None or invitation is None:
        raise no_such_invitation()
    return group, invitation


def _with_names() -> "QuerySet[Invitation]":
    """Reads two people with each row, but not what the persister, which sweeps, has no right to read."""
    hidden = [f"{who}__{column}" for who in ("user", "inviter") for column in ("password", "email", "last_login")]
    return Invitation.objects.select_related("user", "inviter").defer(*hidden)


def _check_open(group: Conversation, invitation: Invitation) -> None:
    if invitation.state == _State.DECLINED:
        raise Conflict("You have declined this invitation.")
    if not _is_open(invitation) or not group.member_count:
        raise Gone("This invitation has ended.")


def _is_open(invitation: Invitation) -> bool:
    return invitation.state == _State.OPEN and not _is_over(invitation)


def _is_over(invitation: Invitation) -> bool:
    return invitation.changed_at < _oldest()


def _oldest() -> datetime:
    return timezone.now() - timedelta(days=INVITATION_DAYS)


def _close(invitations: Sequence[Invitation], group: Conversation, state: str) -> None:
    """Ends these locked invitations to one group, and queues their records."""
    if not invitations:
        return
    now = _now()
    for invitation in invitations:
        invitation.state, invitation.changed_at = state, now
        invitation.version += 1
    Invitation.objects.bulk_update(invitations, ["state", "changed_at", "version"])
    _promise_records(invitation_of(invitation, group) for invitation in invitations)


def _promise_records(invitations: Iterable[records.Invitation]) -> None:
    for invitation in invitations:
        record = records.InvitationChanged(**msgspec.structs.asdict(invitation))
        outbox.promise_record(key=INVITATIONS.of(record.user_id), value=encode(record), place=PERSON.of(record.user_id))


def _now() -> datetime:
    """Returns the time in milliseconds, like a page's key: a key that is less exact than the order would skip rows."""
    now = timezone.now()
    return now.replace(microsecond=now.microsecond // 1_000 * 1_000)
