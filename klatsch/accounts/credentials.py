"""Finds the person of a session or bearer token, and tells which credentials are live by the database's clock."""
# ruff: noqa: S608 - statements are joined from constants; every value is a parameter

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.db import connection
from django.utils.crypto import constant_time_compare
from django.utils.module_loading import import_string
from knox.crypto import hash_token

from klatsch.accounts.models import User
from klatsch.core.errors import NotAuthenticated
from klatsch.core.keyset import Keyset
from klatsch.postgres.base import prepared_cursor
from klatsch.records.people import credential_digest

USED_EVERY = timedelta(minutes=5)
"""The precision of a last use: one write per interval instead of one per request."""
_SESSION_KEY = re.compile(r"[a-z0-9]{8,40}\Z")
# Every statement updates the rows in one order, so that two statements that update the same rows never deadlock.
_LIVE_TOKENS = """
    WITH live AS (
        SELECT t.digest AS token_digest, t.token_key, t.created AS token_created, t.expiry, t.user_id,
               coalesce(used.device, '') AS device, used.last_used_at
        FROM knox_authtoken t LEFT JOIN accounts_tokenuse used ON used.token_id = t.digest
        WHERE t.digest = ANY(%(digests)s) AND (t.expiry IS NULL OR t.expiry > now())),
    noted AS (
        INSERT INTO accounts_tokenuse (token_id, device, last_used_at)
        SELECT token_digest, device, now() FROM live JOIN accounts_user u ON u.id = live.user_id AND u.is_active
        WHERE last_used_at IS NULL OR last_used_at < now() - %(used_every)s
        ORDER BY token_digest
        ON CONFLICT (token_id) DO UPDATE SET last_used_at = excluded.last_used_at)"""
_OF_ACTIVE = "FROM live JOIN accounts_user u ON u.id = live.user_id WHERE u.is_active"
_USER_FIELDS = [field.attname for field in User._meta.concrete_fields]  # noqa: SLF001 - Django documents it
_FIND_PERSON = f"""{_LIVE_TOKENS}
    SELECT token_key, token_created, expiry, device, last_used_at, {", ".join(f"u.{field}" for field in _USER_FIELDS)}
    {_OF_ACTIVE}"""
_FIND_PEOPLE = f"{_LIVE_TOKENS} SELECT token_digest, u.id, u.username {_OF_ACTIVE}"
_CREDENTIAL = "encode(sha256(convert_to(t.digest, 'UTF8')), 'hex')"
_FIND_LIVE = f"""
    SELECT s.digest, s.auth_hash, u.password
    FROM accounts_session s JOIN accounts_user u ON u.id = s.user_id
    WHERE s.digest = ANY(%(digests)s) AND s.expire_date > now() AND u.is_active
    UNION ALL
    SELECT token.digest, NULL, NULL
    FROM (SELECT {_CREDENTIAL} AS digest
          FROM knox_authtoken t JOIN accounts_user u ON u.id = t.user_id
          WHERE t.user_id = ANY(%(people)s) AND (t.expiry IS NULL OR t.expiry > now()) AND u.is_active) token
    WHERE token.digest = ANY(%(digests)s)"""

_TOKENS = Keyset(
    ("created", "token_key"),
    lambda way: (
        f"""
    SELECT t.token_key, t.created, t.expiry, coalesce(used.device, ''), used.last_used_at, {_CREDENTIAL}
    FROM knox_authtoken t LEFT JOIN accounts_tokenuse used ON used.token_id = t.digest
    WHERE t.user_id = %(person)s AND (t.expiry IS NULL OR t.expiry > now()) AND {way.beyond("t.")}
    {way.order("t.")} LIMIT %(limit)s"""
    ),
    newest_first=True,
)
_SESSIONS = Keyset(
    ("created_at", "digest"),
    lambda way: (
        f"""
    SELECT digest, device, created_at, last_used_at, expire_date, digest = %(current)s
    FROM accounts_session
    WHERE user_id = %(person)s AND expire_date > now() AND {way.beyond()}
    {way.order()} LIMIT %(limit)s"""
    ),
    newest_first=True,
)


@dataclass(frozen=True, slots=True)
class TokenView:
    """A bearer token as its owner sees it.

    `id` is the token's beginning, by which its owner recognizes it. `credential` is its digest, by which records name
    it.
    """

    id: str = field(repr=False)
    created_at: datetime
    expires_at: datetime | None
    device: str
    last_used_at: datetime | None
    credential: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session as its owner sees it. `id` is its digest."""

    id: str
    device: str
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    current: bool


class HeldCredential(NamedTuple):
    """A credential's digest with the person it belonged to when it was presented."""

    user_id: UUID
    credential: str


def find_by_session(session_key: str) -> User | None:
    """Returns the active person of a session; None also when their password has changed since."""
    if _SESSION_KEY.match(session_key) is None:
        return None
    session = import_string(f"{settings.SESSION_ENGINE}.SessionStore")(session_key)
    user = User.objects.filter(pk=session.get(SESSION_KEY), is_active=True).first()
    if user is None or not constant_time_compare(session.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash()):
        return None
    return user


def find_by_token(text: str) -> tuple[User, TokenView] | None:
    """Returns a live bearer token and its active person, or None. Notes the token's use.

    A single hand-written SQL statement does both, because every request and every connection begins with it.
    """
    digest = hash_token(text)
    with prepared_cursor() as cursor:
        cursor.execute(_FIND_PERSON, {"digests": [digest], "used_every": USED_EVERY})
        row = cursor.fetchone()
    if row is None:
        return None
    token_key, created_at, expires_at, device, last_used_at, *user = row
    token = TokenView(token_key, created_at, expires_at, device, last_used_at, credential_digest(digest))
    return User.from_db(connection.alias, _USER_FIELDS, user), token


def find_by_tokens(tokens: Collection[str]) -> dict[str, tuple[UUID, str, str]]:
    """Returns, by token, the active person's id, their username and the credential's digest.

    One statement reads them all and notes their use, like `find_by_token`.
    """
    by_digest = {hash_token(token): token for token in tokens}
    arguments: dict[str, Any] = {"digests": list(by_digest), "used_every": USED_EVERY}
    with connection.cursor() as cursor:
        cursor.execute(_FIND_PEOPLE, arguments)
        rows = cursor.fetchall()
    return {by_digest[digest]: (user_id, username, credential_digest(digest)) for digest, user_id, username in rows}


def find_live(held: Collection[HeldCredential]) -> set[str]:
    """Returns the digests of the credentials that are still live, in one statement. All others have ended."""
    people, digests = [one.user_id for one in held], [one.credential for one in held]
    with connection.cursor() as cursor:
        cursor.execute(_FIND_LIVE, {"people": people, "digests": digests})
        rows = cursor.fetchall()
    return {digest for digest, auth_hash, password in rows if auth_hash is None or _is_of(auth_hash, password)}


def _is_of(auth_hash: str, password: str) -> bool:
    """Returns whether a session began under this password, as Django checks it at each request."""
    return constant_time_compare(auth_hash, User(password=password).get_session_auth_hash())


def no_such_credential() -> NotAuthenticated:
    """Returns the one refusal for credentials that never existed, have ended or have expired."""
    return NotAuthenticated("This credential is not valid or has ended. Sign in again.")


def list_tokens(
    *,
    person_id: UUID,
    limit: int,
    after: tuple[datetime, str] | None = None,
    before: tuple[datetime, str] | None = None,
) -> list[TokenView]:
    """Returns a person's live tokens, newest first by (created_at, id): at most `limit` after or before a place."""
    with connection.cursor() as cursor:
        rows = _TOKENS.read(cursor, {"person": person_id}, limit=limit, after=after, before=before)
    return [TokenView(*row) for row in rows]


def list_sessions(
    *,
    person_id: UUID,
    current: str,
    limit: int,
    after: tuple[datetime, str] | None = None,
    before: tuple[datetime, str] | None = None,
) -> list[SessionView]:
    """Returns a person's live sessions, newest first, paged like `list_tokens`.

    `current` is the digest of the session that asks.
    """
    with connection.cursor() as cursor:
        rows = _SESSIONS.read(
            cursor, {"person": person_id, "current": current}, limit=limit, after=after, before=before
        )
    return [SessionView(*row) for row in rows]
