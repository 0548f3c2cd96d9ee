"""Who asks: a bearer token, or a session whose unsafe requests carry the CSRF token."""

from typing import Any

import knox.auth
from rest_framework import authentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from klatsch.accounts.credentials import TokenView, find_by_token
from klatsch.accounts.models import User
from klatsch.accounts.queries import Person
from klatsch.core.problems import CHALLENGE
from klatsch.records.people import credential_digest


class TokenAuthentication(knox.auth.TokenAuthentication):  # type: ignore[misc]  # knox has no types
    """A bearer token, looked up in one statement.

    knox's own takes three, deletes while it reads, and fails on a token that is not UTF-8.
    """

    def authenticate_credentials(self, token: bytes) -> tuple[User, TokenView]:
        found = find_by_token(token.decode("latin-1"))
        if found is None:
            raise AuthenticationFailed("This token is not valid, or no longer.")
        return found


class SessionAuthentication(authentication.SessionAuthentication):
    """Django's session. Who has none is told to authenticate (401), as with any other credential."""

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - DRF's signature
        return CHALLENGE


def user_of(request: Request) -> User:
    """Returns the person who asks, with the password's hash as it was then; for views that demand authentication."""
    user = request.user
    assert isinstance(user, User)
    return user


def person_of(request: Request) -> Person:
    """Who asks; for views that demand authentication."""
    user: Any = request.user
    return Person(user.pk, user.username)


def credential_of(request: Request) -> str:
    """The digest of what the request came with; for views that demand authentication."""
    if isinstance(request.auth, TokenView):
        return request.auth.credential
    return credential_digest(request.session.session_key or "")
