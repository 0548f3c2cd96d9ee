"""The session cookie: deleted by signing out, and by nothing else."""

from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_out
from django.contrib.sessions.middleware import SessionMiddleware
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponseBase


class SessionCookies(SessionMiddleware):
    """Django's session middleware, which leaves the cookie of a session that it does not know.

    A new password gives the session a new key, and the browser a new cookie. A request that was sent with the former
    cookie may be answered later; if that answer deleted the cookie, it would delete the new one.
    """

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:  # type: ignore[override]  # also streams
        response = super().process_response(request, response)  # type: ignore[arg-type]
        cookie = response.cookies.get(settings.SESSION_COOKIE_NAME)
        if cookie is not None and cookie["max-age"] == 0 and not getattr(request.session, "signs_out", False):
            del response.cookies[settings.SESSION_COOKIE_NAME]
        return response


@receiver(user_logged_out)
def _note(request: HttpRequest, **_: Any) -> None:
    request.session.signs_out = True  # type: ignore[attr-defined]
