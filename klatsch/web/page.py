"""The chat page at `/`: one document, whose modules do the rest."""

import json
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from klatsch.web.assets import ENTRY, load_assets

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_STYLES: Final = ("base.css", "list.css", "conversation.css", "account.css")
_FIRST: Final = (ENTRY, "page/views/list.js", "page/views/conversation.js")
"""Modules that a signed-in person's first screen runs."""


@require_safe
@ensure_csrf_cookie
def page(request: HttpRequest) -> HttpResponse:
    """Answers the page. The account of the session stands in it, so that the first screen needs no request for it."""
    assets = load_assets()
    modules = dict.fromkeys(module for entry in _FIRST for module in assets.modules(entry))
    shown = {
        "me": _account(request),
        "theme": assets.url("page/theme.js"),
        "icon": assets.url("page/icon.svg"),
        "styles": [assets.url(f"page/{name}") for name in _STYLES],
        "entry": assets.url(ENTRY),
        "modules": [assets.url(module) for module in modules],
    }
    response = render(request, "klatsch/index.html", shown)
    response["Content-Security-Policy"] = POLICY
    response["Cache-Control"] = "no-store"
    return response


def _account(request: HttpRequest) -> str | None:
    user = request.user
    if not user.is_authenticated:
        return None
    return json.dumps({"id": str(user.pk), "username": user.username, "display_name": user.display_name})
