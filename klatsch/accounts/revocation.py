"""How credentials end: the row goes, and in the same transaction the log is promised a record that says so (D13).

Every gateway closes the sockets that came with them at that record. A session that is deleted by itself promises its
record in `klatsch.accounts.sessions`. Who promised a record has it relayed at once, or the relay does within seconds.
"""

from collections.abc import Callable, Collection
from typing import Final, NamedTuple, TypeVar
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from knox.models import AuthToken

from klatsch.accounts.models import Session, Ticket, User
from klatsch.accounts.records import UserChanged, credential_digest, encode, user_key
from klatsch.core.errors import NotFound
from klatsch.eventlog import outbox

T = TypeVar("T")
RECORD_CREDENTIALS_MOST: Final = 500
"""Credentials in one record: 34 kB, well below what a broker takes."""


def end_token(*, person_id: UUID, token_id: str) -> None:
    """Ends one of the person's tokens; raises NotFound for others' as for none."""
    if not end_tokens(AuthToken.objects.filter(user_id=person_id, token_key=token_id)):
        raise NotFound("You have no such token.")


def end_tokens(tokens: "QuerySet[AuthToken]") -> int:
    """Ends these tokens, of whomever, and returns how many they were."""
    with transaction.atomic():
        rows = list(tokens.select_for_update(of=("self",)).select_related("user"))
        AuthToken.objects.filter(pk__in=[row.pk for row in rows]).delete()
        for user in {row.user for row in rows}:
            promise_end(user, [credential_digest(row.digest) for row in rows if row.user_id == user.pk])
    return len(rows)


def end_session(*, person_id: UUID, session_id: str) -> None:
    """Ends one of the person's sessions; raises NotFound for others' as for none."""
    with transaction.atomic():
        sessions = Session.objects.select_for_update(of=("self",)).filter(user_id=person_id, digest=session_id)
        row = sessions.select_related("user").first()
        if row is None or row.user is None:
            raise NotFound("You have no such session.")
        row.delete()
        promise_end(row.user, [row.digest])


class Held(NamedTuple):
    """Sessions and tokens by primary key, each with its digest."""

    sessions: dict[str, str]
    tokens: dict[str, str]


def held_by(person: User) -> Held:
    """Every credential that a person has now."""
    sessions = Session.objects.select_for_update().filter(user=person).values_list("pk", "digest")
    tokens = AuthToken.objects.select_for_update().filter(user=person).values_list("pk", flat=True)
    return Held(dict(sessions), {pk: credential_digest(pk) for pk in tokens})


def end_credentials(person: User, held: Held) -> None:
    """Ends these credentials of a person, and none that has come to be since."""
    Session.objects.filter(pk__in=held.sessions).delete()
    AuthToken.objects.filter(pk__in=held.tokens).delete()
    promise_end(person, {*held.sessions.values(), *held.tokens.values()})


def ending_credentials(person_id: str, act: Callable[[], T]) -> T:
    """Does what may give a person another password; if it has, ends every credential that was there before."""
    with transaction.atomic():
        person = _lock_person(person_id)
        held = held_by(person) if person else None
        answer = act()
        if person and held and User.objects.get(pk=person.pk).password != person.password:
            end_credentials(person, held)
    return answer


def _lock_person(person_id: str) -> User | None:
    try:
        return User.objects.select_for_update().filter(pk=person_id).first()
    except ValidationError:  # no UUID: whoever acts says so
        return None


def deactivate_person(*, person_id: UUID) -> None:
    """From here on this person is nobody: cannot sign in, has no credential, is not found and not written to."""
    with transaction.atomic():
        person = User.objects.select_for_update().get(pk=person_id)
        person.is_active = person.awaits_email = False
        person.save(update_fields=["is_active", "awaits_email"])
        promise_deactivated(person)


def promise_deactivated(person: User) -> None:
    """Ends every credential of a person whom the present transaction has made inactive."""
    Session.objects.filter(user=person).delete()
    AuthToken.objects.filter(user=person).delete()
    Ticket.objects.filter(user=person).delete()
    record = UserChanged(user=person.username, user_id=str(person.pk), what="deactivated", credentials="all")
    _promise_record(record)


def promise_end(person: User, digests: Collection[str]) -> None:
    """Promises the log that the credentials of these digests have ended; call it where they are deleted."""
    Ticket.objects.filter(credential__in=digests).delete()
    named = sorted(digests)
    for start in range(0, len(named), RECORD_CREDENTIALS_MOST):
        part = named[start : start + RECORD_CREDENTIALS_MOST]
        _promise_record(UserChanged(user=person.username, user_id=str(person.pk), what="ended", credentials=part))


def _promise_record(record: UserChanged) -> None:
    key = user_key(record.user_id)
    outbox.promise_record(key=key, value=encode(record), place=key)
