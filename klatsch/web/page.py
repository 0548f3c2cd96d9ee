"""The chat page at `/`: one document, whose modules do the rest."""

import json
from functools import cache
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from klatsch.core.problem_page import POLICY_WITHOUT_IMAGES
from klatsch.web.assets import ENTRY, load_assets

POLICY: Final = f"{POLICY_WITHOUT_IMAGES}; img-src 'self' data:; connect-src 'self'"
_STYLES: Final = ("base.css", "list.css", "conversation.css", "account.css")
_FIRST: Final = (ENTRY, "page/views/list.js", "page/views/conversation.js")
"""Modules that a signed-in person's first screen runs."""
_CONVERSATIONS: Final = "/api/v1/conversations?limit=20"
"""The first request of `store.js`, to the character. Browsers send it while the modules load."""


@require_safe
@ensure_csrf_cookie
def page(request: HttpRequest) -> HttpResponse:
    """Answers the page. The account of the session stands in it, so that the first screen needs no request for it."""
    response = render(request, "klatsch/index.html", {"me": _account(request), **_addresses()})
    response["Content-Security-Policy"] = POLICY
    response["Cache-Control"] = "no-store"
    return response


@cache
def _addresses() -> dict[str, Any]:
    """Returns the addresses that the page loads, found once: the imports of all its modules are read for them."""
    assets = load_assets()
    modules = dict.fromkeys(module for entry in _FIRST for module in assets.modules(entry))
    return {
        "theme": assets.url("page/theme.js"),
        "icon": assets.url("page/icon.svg"),
        "styles": [assets.url(f"page/{name}") for name in _STYLES],
        "entry": assets.url(ENTRY),
        "conversations": _CONVERSATIONS,
        "modules": [assets.url(module) for module in modules],
    }


def _account(request: HttpRequest) -> str | None:
    user = request.user
    if not user.is_authenticated:
        return None
    return json.dumps({"id": str(user.pk), "username": user.username, "display_name": user.display_name})
