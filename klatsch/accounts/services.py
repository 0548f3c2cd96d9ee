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

from klatsch.accounts.credentials import find_by_session, find_by_tokens
from klatsch.accounts.devices import device_of
from klatsch.accounts.models import Session, Ticket, TokenUse, User
from klatsch.accounts.queries import Person, Profile, profile_of
from klatsch.accounts.records import credential_digest
from klatsch.accounts.sessions import DEVICE
from klatsch.accounts.validation import check_free, check_new_person
from klatsch.core.errors import NotAuthenticated

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


def check_credentials(*, http: HttpRequest, username: str, password: str) -> Person:
    """Whose username (or e-mail address) and password these are; raises NotAuthenticated, the same for all reasons."""
    user = _authenticate(http, username, password)
    return Person(user.pk, user.username)


def sign_in(*, http: HttpRequest, username: str, password: str) -> Profile:
    """Opens a session under a new key, and sets its cookies on the answer to `http`; raises NotAuthenticated.

    The person's expired ones go, so that nothing piles up.
    """
    user = _authenticate(http, username, password)
    Session.objects.filter(user=user, expire_date__lt=Now()).delete()
    if auth.SESSION_KEY in http.session:
        # Django keeps the key when the same person signs in again; a key that has leaked must end here.
        http.session.flush()
    auth.login(http, user)
    http.session[DEVICE] = device_of(http)
    return profile_of(user)


def change_profile(*, person_id: UUID, **fields: str) -> Profile:
    """Gives a person another display name or `about`, whichever is named."""
    if fields:
        User.objects.filter(pk=person_id).update(**fields)
    return profile_of(User.objects.get(pk=person_id))


def sign_out(*, http: HttpRequest) -> None:
    """Ends the session of `http`."""
    auth.logout(http)


def create_token(*, person_id: UUID, device: str = "") -> NewToken:
    """A new bearer token; the person's expired ones go, so that nothing piles up."""
    AuthToken.objects.filter(user_id=person_id, expiry__lt=Now()).delete()
    with transaction.atomic():
        kept, token = AuthToken.objects.create(user=User(pk=person_id))
        TokenUse.objects.create(token=kept, device=device, last_used_at=Now())
    return NewToken(token, kept.expiry)


def create_ticket(*, person_id: UUID, credential: str) -> NewTicket:
    """A new one-use ticket for a connection that hangs on the credential of that digest, as the ticket does.

    The person's expired ones go, so that nothing piles up.
    """
    Ticket.objects.filter(user_id=person_id, expires_at__lt=Now()).delete()
    ticket = secrets.token_urlsafe(_TICKET_BYTES)
    lifetime = timedelta(seconds=settings.ENV["KLATSCH_TICKET_SECONDS"])
    Ticket.objects.create(digest=_digest(ticket), user_id=person_id, credential=credential, expires_at=Now() + lifetime)
    return NewTicket(ticket, settings.ENV["KLATSCH_TICKET_SECONDS"])


def redeem_ticket(*, ticket: str) -> SignedIn:
    """Whose ticket it is, once: whoever comes second, or after its time, gets NotAuthenticated."""
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
    if row is None or not row[3]:
        raise NotAuthenticated("This ticket is not valid, or no longer.")
    return SignedIn(*row[:3])


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


def no_such_credential() -> NotAuthenticated:
    """The same for one that never was, has ended or has expired."""
    return NotAuthenticated("This credential is not valid, or no longer.")


def _authenticate(http: HttpRequest, username: str, password: str) -> User:
    user = auth.authenticate(http, username=username, password=password)
    if not isinstance(user, User):
        raise NotAuthenticated("Username or password is wrong.")
    return user


def _digest(ticket: str) -> str:
    return hashlib.sha256(ticket.encode()).hexdigest()
