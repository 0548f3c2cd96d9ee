"""Every read of people."""
# ruff: noqa: S608 - statements are joined from constants; every value is a parameter

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models.functions import Lower

from klatsch.accounts.addresses import address_key
from klatsch.accounts.models import User
from klatsch.accounts.texts import USERNAME
from klatsch.core.errors import NotFound
from klatsch.core.keyset import Keyset

_PEOPLE: Final = Keyset(
    ("folded",),
    lambda way: (
        f"""
    SELECT id, username
    FROM (SELECT id, username, is_active, lower(username) AS folded FROM accounts_user) person
    WHERE is_active AND folded LIKE %(pattern)s AND {way.beyond()}
    {way.order()} LIMIT %(limit)s"""
    ),
)


@dataclass(frozen=True, slots=True)
class Person:
    """A person as others see them in lists."""

    id: UUID
    username: str


@dataclass(frozen=True, slots=True)
class Profile:
    """A person's own profile."""

    id: UUID
    username: str
    email: str = field(repr=False)
    date_joined: datetime
    display_name: str
    about: str
    read_receipts: bool


@dataclass(frozen=True, slots=True)
class Card:
    """A person's profile as others see it."""

    id: UUID
    username: str
    display_name: str
    about: str


def is_username(text: str) -> bool:
    """Returns whether the text is a valid username."""
    try:
        USERNAME(text)
    except ValidationError:
        return False
    return True


def profile_of(user: User) -> Profile:
    return Profile(
        user.pk, user.username, user.email, user.date_joined, user.display_name, user.about, user.read_receipts
    )


def get_person(username: str) -> Card:
    """Returns the active person of that name in any case; raises one NotFound for unknown and inactive people."""
    found = None
    if is_username(username):
        active = User.objects.filter(is_active=True).alias(folded=Lower("username"))
        found = active.filter(folded=username.lower()).first()
    if found is None:
        raise NotFound("No active person has this username.")
    return Card(found.pk, found.username, found.display_name, found.about)


def find_people(usernames: Collection[str]) -> list[Person]:
    """Returns the active people of these names in any case, each once; unknown and inactive names are left out."""
    active = User.objects.filter(is_active=True).alias(folded=Lower("username"))
    found = active.filter(folded__in={username.lower() for username in usernames}).values_list("id", "username")
    return [Person(*row) for row in found]


def search_people(
    *, prefix: str, limit: int, after: tuple[str] | None = None, before: tuple[str] | None = None
) -> list[Person]:
    """Returns at most `limit` active people whose usernames begin with `prefix`, in any case, by lower-cased name."""
    pattern = connection.ops.prep_for_like_query(prefix.lower()) + "%"
    with connection.cursor() as cursor:
        rows = _PEOPLE.read(cursor, {"pattern": pattern}, limit=limit, after=after, before=before)
    return [Person(*row) for row in rows]


def login_key(login: str) -> str:
    """Returns the key that all spellings of a username or an e-mail address share, known or not."""
    return address_key(login) if "@" in login else login.lower()


def find_by_login(login: str) -> User | None:
    """Returns the person of that username or e-mail address, active or not, in any spelling. Usernames lack `@`."""
    if "\0" in login:  # PostgreSQL's text cannot hold NUL.
        return None
    if "@" in login:
        return User.objects.alias(folded=Lower("email")).filter(folded=address_key(login)).first()
    if not is_username(login):
        return None
    return User.objects.alias(folded=Lower("username")).filter(folded=login.lower()).first()
