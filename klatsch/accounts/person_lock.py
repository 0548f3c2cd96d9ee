"""Locks a person's row until the commit, for transactions that change the person's credentials or password.

No credential is then made on a password that has changed meanwhile, and ending all credentials misses none. A
transaction that needs two people locks both at once, by id, before anything else of theirs: so none deadlock.
"""

from uuid import UUID

from klatsch.accounts.credentials import HeldCredential, find_live, no_such_credential
from klatsch.accounts.models import User
from klatsch.core.errors import Conflict


def lock_people(*ids: UUID | None) -> dict[UUID, User]:
    """Locks and returns, by id, the existing people; no other transaction changes them before the commit."""
    # Without key: rows that only refer to a person, such as a membership, need not wait.
    rows = User.objects.select_for_update(no_key=True).filter(pk__in={one for one in ids if one is not None})
    return {person.pk: person for person in rows.order_by("pk")}


def lock_person(person_id: UUID | None) -> User | None:
    """Locks one person and returns them as they are now, like `lock_people`."""
    return None if person_id is None else lock_people(person_id).get(person_id)


def is_as_checked(person: User | None, checked: User) -> bool:
    """Returns whether a locked person may still sign in, judged by the password hash that was checked."""
    return person is not None and person.is_active and person.password == checked.password


def check_unchanged(person: User | None, checked: User) -> User:
    """Returns the locked person; raises Conflict when their password or `is_active` differs from what was checked."""
    if person is None or not is_as_checked(person, checked):
        raise Conflict("Your password or account has been changed meanwhile. Sign in and try again.")
    return person


def check_counts(person: User | None, credential: str) -> User:
    """Returns the locked person; raises NotAuthenticated when the credential of that digest has ended."""
    if person is None or credential not in find_live([HeldCredential(person.pk, credential)]):
        raise no_such_credential()
    return person
