"""CORS for pages of other origins: a fixed list of exact origins. Other origins get no CORS headers."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

_METHODS = "GET, POST, PUT, PATCH, DELETE"
_HEADERS = "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-Request-ID"
_SHOWN = "Link, Location, Retry-After, X-Request-ID"
_PREFLIGHT_S = "600"


class Cors:
    """Allows `KLATSCH_CORS_ORIGINS` under /api/, with bearer tokens only: such a page cannot read the CSRF cookie."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        origins = settings.ENV["KLATSCH_CORS_ORIGINS"]
        if not origins or not request.path_info.startswith("/api/"):
            return self._get_response(request)
        origin = request.headers.get("Origin", "")
        allowed = origin in origins
        preflight = allowed and request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        response = HttpResponse(status=204) if preflight else self._get_response(request)
        # Set on refusals too: a cache must not serve a refusal to an allowed origin.
        patch_vary_headers(response, ["Origin"])
        if allowed:
            _allow(response, origin)
        if preflight:
            response.headers["Access-Control-Allow-Methods"] = _METHODS
            response.headers["Access-Control-Allow-Headers"] = _HEADERS
            response.headers["Access-Control-Max-Age"] = _PREFLIGHT_S
        return response


def _allow(response: HttpResponse, origin: str) -> None:
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Expose-Headers"] = _SHOWN
