"""Changes a person's own profile."""

from typing import Any
from uuid import UUID

from django.db import transaction

from klatsch.accounts.models import User
from klatsch.accounts.queries import Profile, profile_of
from klatsch.eventlog import outbox
from klatsch.records.keys import PERSON
from klatsch.records.people import UserChanged
from klatsch.records.values import encode


def change_profile(*, person_id: UUID, **fields: Any) -> Profile:
    """Sets the named ones of a person's display name, `about` and `read_receipts`.

    Gateways learn of `read_receipts` from a record: they push markers without asking PostgreSQL.
    """
    with transaction.atomic():
        if fields:
            User.objects.filter(pk=person_id).update(**fields)
        user = User.objects.get(pk=person_id)
        if "read_receipts" in fields:
            _promise_receipts(user)
    return profile_of(user)


def _promise_receipts(user: User) -> None:
    """Queues the record while the person's row is locked, so that the records of two changes keep their order."""
    record = UserChanged(
        user=user.username,
        user_id=str(user.pk),
        what="profile",
        credentials=[],
        read_receipts=user.read_receipts,
    )
    key = PERSON.of(record.user_id)
    outbox.promise_record(key=key, value=encode(record), place=key)
