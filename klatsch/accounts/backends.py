"""Signing in by username or e-mail address."""

from typing import Any

import structlog
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest

from klatsch.accounts.limits import count_sign_in, sign_in_tries, take_back
from klatsch.accounts.models import User
from klatsch.accounts.queries import find_by_login, login_key

_log = structlog.get_logger(__name__)


class UsernameOrEmailBackend(ModelBackend):
    """Finds an active person by username or e-mail address in any case. An unknown name costs the same work.

    With a request, too many failures raise RateLimited. They count by name, known or not, and by network address.
    """

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **_: Any,
    ) -> User | None:
        if username is None or password is None:
            return None
        user = find_by_login(username)
        tries = sign_in_tries(request, login_key(username)) if request else []
        if tries:
            count_sign_in(tries)
        if user is None:
            User(password=make_password(None)).check_password(password)
            _log.info("sign_in", accepted=False, user=None)
            return None
        accepted = user.check_password(password) and self.user_can_authenticate(user)
        _log.info("sign_in", accepted=accepted, user=str(user.pk))
        if accepted and tries:
            take_back(tries)
        return user if accepted else None
