"""Links that sign a person in without a password. Only a command on the server's machine makes one (decision 0049)."""

import secrets
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models.functions import Now
from django.http import HttpRequest

from klatsch.accounts.models import SignInLink, User
from klatsch.accounts.person_lock import lock_people, lock_person
from klatsch.accounts.queries import Profile, profile_of
from klatsch.accounts.services import digest_secret, open_session
from klatsch.core.errors import NotAuthenticated

LINK_MINUTES: Final = 15
_SECRET_BYTES: Final = 32


def create_sign_in_link(*, person: User) -> str:
    """Returns the secret of a new link, which is shown once: only its digest is stored. Deletes expired links."""
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    with transaction.atomic():
        locked = lock_person(person.pk)
        assert locked is not None  # People are never deleted.
        SignInLink.objects.filter(expires_at__lt=Now()).delete()
        expires_at = Now() + timedelta(minutes=LINK_MINUTES)
        SignInLink.objects.create(digest=digest_secret(secret), user=locked, expires_at=expires_at)
    return secret


def sign_in_by_link(*, http: HttpRequest, token: str) -> Profile:
    """Opens a session under a new key, once for each link; raises one NotAuthenticated for every reason."""
    digest = digest_secret(token)
    person_id = SignInLink.objects.filter(pk=digest).values_list("user_id", flat=True).first()
    if person_id is None:
        raise _not_valid()
    with transaction.atomic():
        # Locked like in a sign-in by password. Of two requests with one link, the second finds it deleted.
        person = lock_people(person_id, http.user.pk).get(person_id)
        used, _ = SignInLink.objects.filter(pk=digest, expires_at__gt=Now()).delete()
        if person is None or not person.is_active or not used:
            raise _not_valid()
        open_session(http, person)
    return profile_of(person)


def _not_valid() -> NotAuthenticated:
    return NotAuthenticated("This link is not valid, has expired, or was used before.")
