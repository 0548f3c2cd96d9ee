"""Suspensions: a moderator closes an account, and another can open it again.

A suspension is a deactivation that is known to be one: lifting it never reopens an account that its owner left.
"""

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from klatsch.accounts.person_lock import lock_person
from klatsch.accounts.revocation import promise_deactivated
from klatsch.core.errors import Conflict, Forbidden, NotFound


def suspend_person(*, person_id: UUID) -> bool:
    """Suspends a person: all their credentials end, their sockets close, and nobody can write to them.

    Returns False for a suspended person. Raises NotFound, Forbidden for staff, and Conflict for an inactive account.
    """
    with transaction.atomic():
        person = lock_person(person_id)
        if person is None:
            raise NotFound("There is no such person.")
        if person.suspended_at is not None:
            return False
        if person.is_staff or person.is_superuser:
            raise Forbidden("Staff cannot be suspended. Take their staff rights away first.")
        if not person.is_active:
            raise Conflict("This account is deactivated already.")
        person.is_active, person.awaits_email, person.suspended_at = False, False, timezone.now()
        person.save(update_fields=["is_active", "awaits_email", "suspended_at"])
        promise_deactivated(person)
    return True


def lift_suspension(*, person_id: UUID) -> bool:
    """Lets a suspended person sign in again; returns False for anybody else. Ended credentials stay ended."""
    with transaction.atomic():
        person = lock_person(person_id)
        if person is None or person.suspended_at is None:
            return False
        person.is_active, person.suspended_at = True, None
        person.save(update_fields=["is_active", "suspended_at"])
    return True
