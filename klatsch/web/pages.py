"""Pages behind the links in e-mails: they send the proof behind `#`, which no server and no log has seen."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def link_page(*, title: str, button: str, path: str, asks_password: bool) -> Callable[[HttpRequest], HttpResponse]:
    """Returns a view of a page whose button sends the link's proof to `path`, with a new password if asked for."""

    @require_safe
    def answer(request: HttpRequest) -> HttpResponse:
        shown = {"title": title, "button": button, "path": path, "asks_password": asks_password}
        response = render(request, "klatsch/link.html", shown)
        response["Content-Security-Policy"] = _POLICY
        response["Referrer-Policy"] = "no-referrer"
        return response

    return answer


reset = link_page(
    title="Another password", button="Set it", path="/api/v1/auth/password/reset/confirm", asks_password=True
)
confirm = link_page(
    title="Your e-mail address", button="Confirm it", path="/api/v1/auth/email/confirm", asks_password=False
)
