"""Who is who: every read of people and of their credentials. Time is the database's, one clock for all processes."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.core.exceptions import ValidationError
from django.db.models import Q, Value
from django.db.models.functions import Lower, Now
from django.utils.crypto import constant_time_compare
from django.utils.module_loading import import_string
from knox.crypto import hash_token
from knox.models import AuthToken

from klatsch.accounts.models import USERNAME, User
from klatsch.core.errors import NotFound

_SESSION_KEY = re.compile(r"[a-z0-9]{8,40}\Z")


@dataclass(frozen=True, slots=True)
class Person:
    """What others may see of somebody."""

    id: UUID
    username: str


@dataclass(frozen=True, slots=True)
class Profile:
    """What somebody sees of themself."""

    id: UUID
    username: str
    email: str = field(repr=False)
    date_joined: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """What is shown of a bearer token: `id` is how the token begins, which tells its owner which one it is."""

    id: str = field(repr=False)
    created_at: datetime
    expires_at: datetime | None


def is_username(text: str) -> bool:
    """Whether somebody could be called so."""
    try:
        USERNAME(text)
    except ValidationError:
        return False
    return True


def profile_of(user: User) -> Profile:
    return Profile(user.pk, user.username, user.email, user.date_joined)


def find_person(username: str) -> Person | None:
    """The active person of that name, in whatever case it is written; None for everybody else alike."""
    if not is_username(username):
        return None
    active = User.objects.filter(is_active=True).alias(folded=Lower("username"))
    found = active.filter(folded=username.lower()).values_list("id", "username")[:1]
    return next((Person(*row) for row in found), None)


def get_person(username: str) -> Person:
    """As `find_person`; raises NotFound, the same for an unknown and an inactive one."""
    person = find_person(username)
    if person is None:
        raise NotFound("Nobody has this name.")
    return person


def search_people(*, prefix: str, limit: int, after: str | None = None, before: str | None = None) -> list[Person]:
    """Active people whose names begin so, in any case, ordered by lower-cased name.

    `after` and `before` are lower-cased names; with `before` it is the last `limit` ones before it.
    """
    active = User.objects.filter(is_active=True).alias(folded=Lower("username"))
    people = active.filter(folded__startswith=prefix.lower())
    if after is not None:
        people = people.filter(folded__gt=after)
    if before is not None:
        people = people.filter(folded__lt=before)
    nearest = people.order_by("folded" if before is None else "-folded").values_list("id", "username")[:limit]
    found = [Person(*row) for row in nearest]
    return found if before is None else found[::-1]


def find_by_login(login: str) -> User | None:
    """Whose username or e-mail address this is, active or not, in any case; no username has an `@`."""
    if "\0" in login:  # PostgreSQL's text holds none
        return None
    if "@" in login:
        return User.objects.alias(folded=Lower("email")).filter(folded=Lower(Value(login))).first()
    if not is_username(login):
        return None
    return User.objects.alias(folded=Lower("username")).filter(folded=login.lower()).first()


def find_by_session(session_key: str) -> User | None:
    """The active person whose session this is; None also when their password has changed since."""
    if _SESSION_KEY.match(session_key) is None:
        return None
    session = import_string(f"{settings.SESSION_ENGINE}.SessionStore")(session_key)
    user = User.objects.filter(pk=session.get(SESSION_KEY), is_active=True).first()
    if user is None or not constant_time_compare(session.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash()):
        return None
    return user


def find_by_token(token: str) -> tuple[User, Token] | None:
    """The active person whose bearer token this is, and the token; None when it has expired."""
    live = AuthToken.objects.filter(Q(expiry=None) | Q(expiry__gt=Now()), user__is_active=True)
    found = live.filter(digest=hash_token(token)).select_related("user").first()
    return None if found is None else (found.user, _token(found))


def list_tokens(
    *,
    person_id: UUID,
    limit: int,
    after: tuple[datetime, str] | None = None,
    before: tuple[datetime, str] | None = None,
) -> list[Token]:
    """Somebody's live tokens, newest first. `after` and `before` are (created_at, id), as in `search_people`."""
    tokens = AuthToken.objects.filter(Q(expiry=None) | Q(expiry__gt=Now()), user_id=person_id)
    if after is not None:
        tokens = tokens.filter(Q(created__lt=after[0]) | Q(created=after[0], token_key__lt=after[1]))
    if before is not None:
        tokens = tokens.filter(Q(created__gt=before[0]) | Q(created=before[0], token_key__gt=before[1]))
    order = ("-created", "-token_key") if before is None else ("created", "token_key")
    found = [_token(row) for row in tokens.order_by(*order)[:limit]]
    return found if before is None else found[::-1]


def _token(row: Any) -> Token:
    return Token(row.token_key, row.created, row.expiry)
