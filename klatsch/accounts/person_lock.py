"""The row of a person, locked until the commit by whoever makes or ends a credential of theirs or changes the password.

So nothing is made on the word of a password that has changed meanwhile, and what ends everything misses nothing. Who
needs two people locks both at once, by id, and locks nothing of theirs before: so nobody waits in a circle.
"""

from uuid import UUID

from klatsch.accounts.credentials import Held, find_live, no_such_credential
from klatsch.accounts.models import User
from klatsch.core.errors import Conflict


def lock_people(*ids: UUID | None) -> dict[UUID, User]:
    """Those of these people who exist, as they are now; nobody else changes them before the commit."""
    # No key: rows that only refer to a person, such as a membership, need not wait.
    rows = User.objects.select_for_update(no_key=True).filter(pk__in={one for one in ids if one is not None})
    return {person.pk: person for person in rows.order_by("pk")}


def lock_person(person_id: UUID | None) -> User | None:
    """The person as they are now, as `lock_people`."""
    return None if person_id is None else lock_people(person_id).get(person_id)


def is_as_checked(person: User | None, checked: User) -> bool:
    """Returns whether a locked person may still sign in, by the password's hash that was checked."""
    return person is not None and person.is_active and person.password == checked.password


def check_unchanged(person: User | None, checked: User) -> User:
    """The locked person; raises Conflict unless password and standing are those that were checked."""
    if person is None or not is_as_checked(person, checked):
        raise Conflict("The password or the account has been changed meanwhile.")
    return person


def check_counts(person: User | None, credential: str) -> User:
    """The locked person; raises NotAuthenticated where the credential of that digest has ended."""
    if person is None or credential not in find_live([Held(person.pk, credential)]):
        raise no_such_credential()
    return person
