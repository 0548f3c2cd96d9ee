"""Authenticates requests: by bearer token, or by a session whose unsafe requests carry the CSRF token."""

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
    """Authenticates a bearer token in one SQL statement.

    knox's own class takes three statements, deletes while it reads, and fails on a token that is not UTF-8.
    """

    def authenticate_credentials(self, token: bytes) -> tuple[User, TokenView]:
        found = find_by_token(token.decode("latin-1"))
        if found is None:
            raise AuthenticationFailed("This token is not valid or has ended. Sign in again.")
        return found


class SessionAuthentication(authentication.SessionAuthentication):
    """Authenticates by Django's session. A request without one is answered 401, like any other without a credential."""

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002 - DRF's signature
        return CHALLENGE


def user_of(request: Request) -> User:
    """Returns the asking person, with their password hash of that moment. Only for views that demand authentication."""
    user = request.user
    assert isinstance(user, User)
    return user


def person_of(request: Request) -> Person:
    """Returns the asking person. Only for views that demand authentication."""
    user: Any = request.user
    return Person(user.pk, user.username)


def credential_of(request: Request) -> str:
    """Returns the digest of the request's credential. Only for views that demand authentication."""
    if isinstance(request.auth, TokenView):
        return request.auth.credential
    return credential_digest(request.session.session_key or "")
