"""Registering, signing in and out, creating tokens and tickets, and redeeming tickets."""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.contrib import auth
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.http import HttpRequest
from knox.models import AuthToken

from klatsch.accounts.caps import check_ticket_room, check_token_room
from klatsch.accounts.credentials import HeldCredential, find_by_session, find_by_tokens, find_live, no_such_credential
from klatsch.accounts.devices import device_of
from klatsch.accounts.models import Session, Ticket, TokenUse, User
from klatsch.accounts.person_lock import check_counts, is_as_checked, lock_people, lock_person
from klatsch.accounts.queries import Profile, profile_of
from klatsch.accounts.sessions import DEVICE
from klatsch.accounts.validation import check_free, check_new_person
from klatsch.core.errors import NotAuthenticated
from klatsch.records.people import credential_digest

_TICKET_BYTES = 32
FORGOTTEN_AT_ONCE: Final = 100
"""The expired tickets that a new one deletes at most, in about half a millisecond: an old stock is gone soon."""
# A ticket that is being redeemed or ended is left for the next time: to wait for it could be a deadlock.
_FORGET: Final = f"""
    DELETE FROM accounts_ticket WHERE digest = ANY (ARRAY(
        SELECT digest FROM accounts_ticket WHERE expires_at < now() ORDER BY expires_at LIMIT {FORGOTTEN_AT_ONCE}
        FOR UPDATE SKIP LOCKED))"""  # noqa: S608 - of constants


@dataclass(frozen=True, slots=True)
class NewToken:
    """A new bearer token, shown once: only its digest is stored."""

    token: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class NewTicket:
    """A ticket for one WebSocket, shown once: only its digest is stored. `expires_in` is in seconds."""

    ticket: str = field(repr=False)
    expires_in: int


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A connection's person, with the digest of its credential: the connection ends when the credential does."""

    id: UUID
    username: str
    credential: str = field(repr=False)


def register_person(*, username: str, email: str, password: str, confirm_email: bool = False) -> Profile:
    """Creates a person, active unless `confirm_email`; raises BadRequest naming each wrong field.

    Of two concurrent registrations of one name, the second is told that the name is taken.
    """
    user = User(username=username, email=email, is_active=not confirm_email, awaits_email=confirm_email)
    check_new_person(user, password)
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError:
        # The constraint waited for the other registration's commit, so the check now sees it.
        check_free(user)
        raise
    return profile_of(user)


def check_credentials(*, http: HttpRequest, username: str, password: str) -> User:
    """Returns the person of a username or e-mail address and password; raises one NotAuthenticated for every reason."""
    user = auth.authenticate(http, username=username, password=password)
    if not isinstance(user, User):
        raise _wrong_password()
    return user


def sign_in(*, http: HttpRequest, username: str, password: str) -> Profile:
    """Opens a session under a new key and sets its cookies on the answer to `http`; raises NotAuthenticated.

    Deletes the person's expired sessions, so that they do not pile up.
    """
    user = check_credentials(http=http, username=username, password=password)
    with transaction.atomic():
        # Locks also the person of the session that the request came with: that session ends here.
        if not is_as_checked(lock_people(user.pk, http.user.pk).get(user.pk), user):
            raise _wrong_password()
        open_session(http, user)
    return profile_of(user)


def open_session(http: HttpRequest, user: User) -> None:
    """Opens a session of a person whose row is locked, and so is that of the person of the request's session."""
    Session.objects.filter(user=user, expire_date__lt=Now()).delete()
    if auth.SESSION_KEY in http.session:
        # Django keeps the key when the same person signs in again; a leaked key must end here.
        http.session.flush()
    auth.login(http, user)
    http.session[DEVICE] = device_of(http)
    http.session.save()  # Saved here rather than after the answer: the row is still locked.


def sign_out(*, http: HttpRequest) -> None:
    """Ends the session of `http`."""
    auth.logout(http)


def create_token(*, person: User, session: str | None = None, device: str = "") -> NewToken:
    """Creates a bearer token for a person as checked by their password or by the session of that digest.

    Raises NotAuthenticated when either has ended since, LimitReached at the cap. Deletes the person's expired tokens,
    so that they do not pile up.
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
    """Creates a one-use ticket that ends with the credential of that digest, and so does its connection.

    Raises NotAuthenticated when the credential has ended, RateLimited at the cap. Deletes expired tickets, whoever
    their people are, so that they do not pile up.
    """
    ticket = secrets.token_urlsafe(_TICKET_BYTES)
    lifetime_s = settings.ENV["KLATSCH_TICKET_SECONDS"]
    with transaction.atomic():
        person = check_counts(lock_person(person_id), credential)
        with connection.cursor() as cursor:
            cursor.execute(_FORGET)
        check_ticket_room(person)
        expires_at = Now() + timedelta(seconds=lifetime_s)
        Ticket.objects.create(digest=digest_secret(ticket), user=person, credential=credential, expires_at=expires_at)
    return NewTicket(ticket, lifetime_s)


def redeem_ticket(*, ticket: str) -> SignedIn:
    """Returns the ticket's person, once.

    Raises NotAuthenticated the second time, for an expired ticket, and when its credential has ended.
    """
    # One statement, so that of two concurrent redemptions only one finds the row.
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM accounts_ticket USING accounts_user
            WHERE accounts_ticket.digest = %s AND accounts_user.id = accounts_ticket.user_id
            RETURNING accounts_user.id, accounts_user.username, accounts_ticket.credential,
                      accounts_ticket.expires_at > now() AND accounts_user.is_active
            """,
            [digest_secret(ticket)],
        )
        row = cursor.fetchone()
    signed_in = SignedIn(*row[:3]) if row and row[3] else None
    if signed_in is None or not find_live([HeldCredential(signed_in.id, signed_in.credential)]):
        raise NotAuthenticated("This ticket is not valid or has expired. Request a new one.")
    return signed_in


def authenticate_bearers(tokens: Collection[str]) -> dict[str, SignedIn]:
    """Returns the people of these bearer tokens, by token, in one statement; invalid tokens are left out."""
    return {token: SignedIn(*found) for token, found in find_by_tokens(tokens).items()}


def authenticate_connection(*, ticket: str | None = None, session_key: str | None = None) -> SignedIn:
    """Returns the person of a connection by the first given credential; raises NotAuthenticated.

    Takes at most two statements. The caller checks whether the page's origin may use the session.
    """
    if ticket is not None:
        return redeem_ticket(ticket=ticket)
    user = find_by_session(session_key or "")
    if user is None:
        raise no_such_credential()
    return SignedIn(user.pk, user.username, credential_digest(session_key or ""))


def _wrong_password() -> NotAuthenticated:
    """Returns the refusal of a wrong password, also for a password that was changed a moment ago."""
    return NotAuthenticated("The username or password is wrong.")


def digest_secret(secret: str) -> str:
    """Returns the digest under which a ticket or a link is stored: the table does not hold the secret."""
    return hashlib.sha256(secret.encode()).hexdigest()
