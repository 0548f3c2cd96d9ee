"""What people do with their accounts: register, sign in and out, take tokens and tickets, give them back."""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.contrib import auth
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.http import HttpRequest
from knox.models import AuthToken

from klatsch.accounts.caps import check_ticket_room, check_token_room
from klatsch.accounts.credentials import Held, find_by_session, find_by_tokens, find_live, no_such_credential
from klatsch.accounts.devices import device_of
from klatsch.accounts.models import Session, Ticket, TokenUse, User
from klatsch.accounts.person_lock import check_counts, is_as_checked, lock_people, lock_person
from klatsch.accounts.queries import Profile, profile_of
from klatsch.accounts.sessions import DEVICE
from klatsch.accounts.validation import check_free, check_new_person
from klatsch.core.errors import NotAuthenticated
from klatsch.records.people import credential_digest

_TICKET_BYTES = 32


@dataclass(frozen=True, slots=True)
class NewToken:
    """A bearer token, told once: what is kept is its digest."""

    token: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class NewTicket:
    """A ticket for one WebSocket, told once: what is kept is its digest. `expires_in` is in seconds."""

    ticket: str = field(repr=False)
    expires_in: int


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Whose a connection is, and the digest of the credential that it hangs on: with that one it ends."""

    id: UUID
    username: str
    credential: str = field(repr=False)


def register_person(*, username: str, email: str, password: str, confirm_email: bool = False) -> Profile:
    """Makes a person, active unless they have to confirm their address; raises BadRequest naming each wrong field.

    Of two registrations of one name at once, one is told that it is taken.
    """
    user = User(username=username, email=email, is_active=not confirm_email, awaits_email=confirm_email)
    check_new_person(user, password)
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError:
        # The constraint waited for the other registration to commit, so now it is seen.
        check_free(user)
        raise
    return profile_of(user)


def check_credentials(*, http: HttpRequest, username: str, password: str) -> User:
    """Whose username (or e-mail address) and password these are; raises NotAuthenticated, the same for all reasons."""
    user = auth.authenticate(http, username=username, password=password)
    if not isinstance(user, User):
        raise _wrong_password()
    return user


def sign_in(*, http: HttpRequest, username: str, password: str) -> Profile:
    """Opens a session under a new key, and sets its cookies on the answer to `http`; raises NotAuthenticated.

    The person's expired ones go, so that nothing piles up.
    """
    user = check_credentials(http=http, username=username, password=password)
    with transaction.atomic():
        # Also the person whose session `http` came with, if any: it ends here.
        if not is_as_checked(lock_people(user.pk, http.user.pk).get(user.pk), user):
            raise _wrong_password()
        Session.objects.filter(user=user, expire_date__lt=Now()).delete()
        if auth.SESSION_KEY in http.session:
            # Django keeps the key when the same person signs in again; a key that has leaked must end here.
            http.session.flush()
        auth.login(http, user)
        http.session[DEVICE] = device_of(http)
        http.session.save()  # here, and not after the answer: while the row is locked
    return profile_of(user)


def change_profile(*, person_id: UUID, **fields: str) -> Profile:
    """Gives a person another display name or `about`, whichever is named."""
    if fields:
        User.objects.filter(pk=person_id).update(**fields)
    return profile_of(User.objects.get(pk=person_id))


def sign_out(*, http: HttpRequest) -> None:
    """Ends the session of `http`."""
    auth.logout(http)


def create_token(*, person: User, session: str | None = None, device: str = "") -> NewToken:
    """A new bearer token for a person as they were when their password, or the session of that digest, was checked.

    Raises NotAuthenticated where either has ended since, LimitReached where there are too many. The person's expired
    ones go, so that nothing piles up.
    """
    with transaction.atomic():
        locked = lock_person(person.pk)
        if session is not None:
            check_counts(locked, session)
        if not is_as_checked(locked, person):
            raise _wrong_password()
        AuthToken.objects.filter(user=person, expiry__lt=Now()).delete()
        check_token_room(person)
        kept, token = AuthToken.objects.create(user=person)
        TokenUse.objects.create(token=kept, device=device, last_used_at=Now())
    return NewToken(token, kept.expiry)


def create_ticket(*, person_id: UUID, credential: str) -> NewTicket:
    """A new one-use ticket for a connection that hangs on the credential of that digest, as the ticket does.

    Raises NotAuthenticated where that one has ended, RateLimited where there are too many. The person's expired ones
    go, so that nothing piles up.
    """
    ticket = secrets.token_urlsafe(_TICKET_BYTES)
    lifetime_s = settings.ENV["KLATSCH_TICKET_SECONDS"]
    with transaction.atomic():
        person = check_counts(lock_person(person_id), credential)
        Ticket.objects.filter(user=person, expires_at__lt=Now()).delete()
        check_ticket_room(person)
        expires_at = Now() + timedelta(seconds=lifetime_s)
        Ticket.objects.create(digest=_digest(ticket), user=person, credential=credential, expires_at=expires_at)
    return NewTicket(ticket, lifetime_s)


def redeem_ticket(*, ticket: str) -> SignedIn:
    """Returns the ticket's person, once. Raises NotAuthenticated a second time, late, or once its credential ended."""
    # One statement, so that of two who come at once only one finds the row.
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM accounts_ticket USING accounts_user
            WHERE accounts_ticket.digest = %s AND accounts_user.id = accounts_ticket.user_id
            RETURNING accounts_user.id, accounts_user.username, accounts_ticket.credential,
                      accounts_ticket.expires_at > now() AND accounts_user.is_active
            """,
            [_digest(ticket)],
        )
        row = cursor.fetchone()
    signed_in = SignedIn(*row[:3]) if row and row[3] else None
    if signed_in is None or not find_live([Held(signed_in.id, signed_in.credential)]):
        raise NotAuthenticated("This ticket is not valid, or no longer.")
    return signed_in


def authenticate_bearers(tokens: Collection[str]) -> dict[str, SignedIn]:
    """Whose connections these are that came with bearer tokens, in one statement; who is nobody's is left out."""
    return {token: SignedIn(*found) for token, found in find_by_tokens(tokens).items()}


def authenticate_connection(*, ticket: str | None = None, session_key: str | None = None) -> SignedIn:
    """Whose connection this is, by the first credential that is given; raises NotAuthenticated.

    At most two statements. Whether a page may use the session is the caller's to check (its origin).
    """
    if ticket is not None:
        return redeem_ticket(ticket=ticket)
    user = find_by_session(session_key or "")
    if user is None:
        raise no_such_credential()
    return SignedIn(user.pk, user.username, credential_digest(session_key or ""))


def _wrong_password() -> NotAuthenticated:
    """Returns the refusal of a wrong password, also for one that was right until a moment ago."""
    return NotAuthenticated("Username or password is wrong.")


def _digest(ticket: str) -> str:
    return hashlib.sha256(ticket.encode()).hexdigest()
