"""Ends credentials: a transaction deletes the row and queues a record that says so (D13).

At that record every gateway closes the sockets that the credential opened. A session that deletes itself queues its
record in `klatsch.accounts.sessions`. The request relays its record at once, or the relay does within seconds. The
person's row is locked first (`klatsch.accounts.person_lock`).
"""

from collections.abc import Callable, Collection, Iterable
from typing import Final, NamedTuple, TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from knox.models import AuthToken

from klatsch.accounts.models import Session, SignInLink, Ticket, TokenUse, User
from klatsch.accounts.person_lock import check_counts, check_unchanged, lock_people, lock_person
from klatsch.core.errors import NotFound
from klatsch.eventlog import outbox
from klatsch.records.keys import PERSON
from klatsch.records.people import UserChanged, credential_digest
from klatsch.records.values import encode

T = TypeVar("T")
RECORD_CREDENTIALS_MOST: Final = 500
"""The most credentials in one record: 34 kB, well below a broker's limit."""


def end_token(*, person_id: UUID, token_id: str) -> None:
    """Ends one of the person's tokens; raises one NotFound for unknown tokens and for other people's."""
    if not end_tokens(AuthToken.objects.filter(user_id=person_id, token_key=token_id)):
        raise NotFound("You have no such token.")


def end_tokens(tokens: "QuerySet[AuthToken]") -> int:
    """Ends these tokens, whoever their owners are, and returns their number."""
    with transaction.atomic():
        people = lock_people(*tokens.values_list("user_id", flat=True))
        digests = dict(tokens.filter(user__in=people).values_list("pk", "user_id"))
        _delete_tokens(digests)
        for user in people.values():
            promise_end(user, [credential_digest(digest) for digest, of in digests.items() if of == user.pk])
    return len(digests)


def end_session(*, person_id: UUID, session_id: str) -> None:
    """Ends one of the person's sessions; raises one NotFound for unknown sessions and for other people's."""
    with transaction.atomic():
        person = lock_person(person_id)
        ended, _ = Session.objects.filter(user=person, digest=session_id).delete() if person else (0, {})
        if person is None or not ended:
            raise NotFound("You have no such session.")
        promise_end(person, [session_id])


class PersonCredentials(NamedTuple):
    """A person's sessions and tokens by primary key, each with its digest."""

    sessions: dict[str, str]
    tokens: dict[str, str]


def held_by(person: User) -> PersonCredentials:
    """Returns every credential that a person, whose row is locked, has now."""
    sessions = Session.objects.filter(user=person).values_list("pk", "digest")
    tokens = AuthToken.objects.filter(user=person).values_list("pk", flat=True)
    return PersonCredentials(dict(sessions), {pk: credential_digest(pk) for pk in tokens})


def end_credentials(person: User, held: PersonCredentials) -> None:
    """Ends these credentials of a person, but none that was created since; links that would sign them in end too."""
    SignInLink.objects.filter(user=person).delete()
    Session.objects.filter(pk__in=held.sessions).delete()
    _delete_tokens(held.tokens)
    promise_end(person, {*held.sessions.values(), *held.tokens.values()})


def ending_credentials(http: HttpRequest, person_id: str, act: Callable[[], T]) -> T:
    """Runs `act`, which may set a person's password, for the staff of `http`. Ends the older credentials if it did.

    Raises Conflict or NotAuthenticated where the staff's own password or session has ended meanwhile.
    """
    if http.method != "POST":
        return act()
    staff = http.user
    assert isinstance(staff, User)
    with transaction.atomic():
        person_key = _uuid(person_id)
        people = lock_people(staff.pk, person_key)
        check_counts(check_unchanged(people.get(staff.pk), staff), credential_digest(http.session.session_key or ""))
        person = people.get(person_key) if person_key else None
        held = held_by(person) if person else None
        answer = act()
        if person and held and User.objects.get(pk=person.pk).password != person.password:
            end_credentials(person, held)
    return answer


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:  # Django's view answers for an invalid id.
        return None


def deactivate_person(*, person: User) -> None:
    """Deactivates a person: they cannot sign in, lose their credentials, and are neither found nor written to.

    Raises Conflict unless `person` is unchanged since their password was checked.
    """
    with transaction.atomic():
        locked = check_unchanged(lock_person(person.pk), person)
        locked.is_active = locked.awaits_email = False
        locked.save(update_fields=["is_active", "awaits_email"])
        promise_deactivated(locked)


def promise_deactivated(person: User) -> None:
    """Ends every credential of a person whom the present transaction has made inactive and whose row it holds."""
    Session.objects.filter(user=person).delete()
    _delete_tokens(AuthToken.objects.filter(user=person).values_list("pk", flat=True))
    Ticket.objects.filter(user=person).delete()
    SignInLink.objects.filter(user=person).delete()
    record = UserChanged(user=person.username, user_id=str(person.pk), what="deactivated", credentials="all")
    _promise_record(record)


def _delete_tokens(digests: Iterable[str]) -> None:
    named = list(digests)
    # Locked in the order in which `credentials` updates them for many tokens at once, so that neither deadlocks.
    list(TokenUse.objects.select_for_update().filter(pk__in=named).order_by("pk").values_list("pk"))
    AuthToken.objects.filter(pk__in=named).delete()


def promise_end(person: User, digests: Collection[str]) -> None:
    """Queues a record that the person's credentials of these digests have ended. Call it where they are deleted."""
    # By person too, whose tickets an index finds: nobody else's ticket was made with these credentials.
    Ticket.objects.filter(user=person, credential__in=digests).delete()
    named = sorted(digests)
    for start in range(0, len(named), RECORD_CREDENTIALS_MOST):
        part = named[start : start + RECORD_CREDENTIALS_MOST]
        _promise_record(UserChanged(user=person.username, user_id=str(person.pk), what="ended", credentials=part))


def _promise_record(record: UserChanged) -> None:
    key = PERSON.of(record.user_id)
    outbox.promise_record(key=key, value=encode(record), place=key)
