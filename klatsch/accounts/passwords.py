"""Changes and resets passwords, and confirms e-mail addresses by a link, also at the registration.

Every function that sets a password ends the credentials that existed before it.
"""

from uuid import UUID

from django.contrib import auth
from django.contrib.auth.hashers import make_password
from django.contrib.auth.tokens import PasswordResetTokenGenerator, default_token_generator
from django.db import transaction
from django.http import HttpRequest

from klatsch.accounts.limits import count_reset, count_sign_in, own_password_tries, take_back
from klatsch.accounts.mail import mailer, send_link
from klatsch.accounts.models import User
from klatsch.accounts.person_lock import check_unchanged, lock_person
from klatsch.accounts.queries import Profile, find_by_login
from klatsch.accounts.revocation import end_credentials, held_by
from klatsch.accounts.services import register_person
from klatsch.accounts.validation import check_new_password
from klatsch.core.errors import BadRequest, FieldError


class ConfirmationTokens(PasswordResetTokenGenerator):
    """Tokens that confirm one address once: the hash covers `awaits_email`, which confirming clears."""

    key_salt = "klatsch.accounts.passwords.ConfirmationTokens"

    def _make_hash_value(self, user: User, timestamp: int) -> str:
        return f"{user.pk}{timestamp}{user.email}{user.awaits_email}"


confirmation_tokens = ConfirmationTokens()


def change_password(
    *, http: HttpRequest, credential: str, old_password: str, new_password: str, keep_session: bool
) -> None:
    """Changes the password of the request's person; raises BadRequest naming the wrong field.

    Ends every session and token. With `keep_session` the request's session continues under a new key.
    """
    user = http.user
    assert isinstance(user, User)
    check_own_password(http=http, credential=credential, password=old_password, field="old_password")
    check_new_password(user, new_password, field="new_password")
    hashed = make_password(new_password)
    with transaction.atomic():
        person = check_unchanged(lock_person(user.pk), user)
        _set_password(person, hashed)
        if keep_session:
            auth.update_session_auth_hash(http, person)
            http.session.save()


def set_password(*, person_id: UUID, password: str) -> None:
    """Sets a person's password without asking for the old one, and ends all their credentials; raises BadRequest."""
    check_new_password(User.objects.get(pk=person_id), password, field="password")
    hashed = make_password(password)
    with transaction.atomic():
        person = lock_person(person_id)
        assert person is not None  # People are never deleted.
        _set_password(person, hashed)


def check_own_password(*, http: HttpRequest, credential: str, password: str, field: str) -> None:
    """Raises BadRequest naming `field` unless the password is the asking person's; RateLimited after too many tries.

    `credential` is the digest of the request's credential.
    """
    user = http.user
    assert isinstance(user, User)
    tries = own_password_tries(user.pk, credential)  # An unattended session must not allow guessing its password.
    count_sign_in(tries)
    if not user.check_password(password):
        raise _wrong(field, "wrong", "This is not your password.")
    take_back(tries)


def request_reset(*, http: HttpRequest, email: str) -> None:
    """Queues a reset link for the active person of that address; any address costs the same work here.

    A person who has not confirmed their address yet gets the confirmation link again. Raises RateLimited, Unavailable.
    """
    count_reset(http, email)
    mailer().submit(lambda: _send_reset(email))


def confirm_reset(*, uid: UUID, token: str, new_password: str) -> User:
    """Sets a person's password for a token that works once; raises BadRequest naming the wrong field."""
    person = _check_reset(User.objects.filter(pk=uid).first(), token)
    check_new_password(person, new_password, field="new_password")
    # Hashing is slow and may wait for a slot, so it runs before the row is locked.
    hashed = make_password(new_password)
    with transaction.atomic():
        person = _check_reset(lock_person(uid), token)
        _set_password(person, hashed)
    return person


def _check_reset(person: User | None, token: str) -> User:
    if person is None or not person.is_active or not default_token_generator.check_token(person, token):
        raise _wrong("token", "invalid", "This link is not valid or has expired. Request a new one.")
    return person


def register_awaiting_email(*, username: str, email: str, password: str) -> Profile:
    """Registers a person, and sends them the link that activates their account; raises what `register_person` raises.

    Raises Unavailable while too many e-mails wait: nobody is registered without a link.
    """
    with mailer().take_place() as put:
        profile = register_person(username=username, email=email, password=password, confirm_email=True)
        put(lambda: _send_confirmation(User.objects.get(pk=profile.id)))
    return profile


def confirm_email(*, uid: UUID, token: str) -> None:
    """Activates the person whose address the token proves; raises BadRequest. Deactivated people stay deactivated."""
    with transaction.atomic():
        person = lock_person(uid)
        if person is None or not person.awaits_email or not confirmation_tokens.check_token(person, token):
            raise _wrong("token", "invalid", "This link is not valid or has expired. Request a new one.")
        person.is_active, person.awaits_email = True, False
        person.save(update_fields=["is_active", "awaits_email"])


def _set_password(person: User, hashed: str) -> None:
    held = held_by(person)
    person.password = hashed
    person.save(update_fields=["password"])
    end_credentials(person, held)


def _send_reset(email: str) -> None:
    user = find_by_login(email) if "@" in email else None
    if user is None:
        return
    if user.awaits_email:
        _send_confirmation(user)
    elif user.is_active and user.has_usable_password():
        text = "Somebody, most likely you, wants to set another password for you. If not, do nothing."
        token = default_token_generator.make_token(user)
        send_link(user, subject="Your password", text=text, page="reset", token=token)


def _send_confirmation(user: User) -> None:
    token = confirmation_tokens.make_token(user)
    text = "Somebody, most likely you, has registered with this address. If not, do nothing."
    send_link(user, subject="Your e-mail address", text=text, page="confirm", token=token)


def _wrong(field: str, code: str, detail: str) -> BadRequest:
    return BadRequest(detail, fields=(FieldError(field, code, detail),))
