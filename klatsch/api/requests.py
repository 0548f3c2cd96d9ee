"""Gives every request an id in its log lines and its answer, counts it, and keeps its answer out of caches."""

import time
from collections.abc import Callable
from typing import Any, Final

from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest, get_str_from_wsgi
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from structlog.contextvars import bound_contextvars

from klatsch.accounts.cookies import read_cookies
from klatsch.api.ports import ports_of
from klatsch.core.metrics import REQUEST_SECONDS, REQUESTS
from klatsch.core.tracing import accept_id
from klatsch.eventlog.outbox import relaying_promises

HEADER = "X-Request-ID"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_MULTIPART: Final = "multipart/form-data"
_MULTIPART_CHARACTERS_MOST: Final = 256
"""The longest `Content-Type` of a form in parts. Its boundary has at most 70 characters (RFC 2046)."""


class _Utf8:
    """A request that is read as UTF-8, like JSON and browsers' addresses, whatever its `Content-Type` says.

    Django reads the query by the declared charset before any middleware sees it, and fails on one like `hex`.
    """

    content_type: str | None
    content_params: dict[str, str] | None

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        """Drops the parameters of the type. Only the boundary of a form in parts is needed.

        To parse parameters takes quadratic time, and raises ValueError where one is encoded (RFC 2231): here, that
        would be before any middleware. Django and DRF parse them again, so `meta` loses them too.
        """
        said = meta.get("CONTENT_TYPE", "")
        kind, semicolon, _ = said.partition(";")
        self.content_type, self.content_params = kind.strip().lower(), {}
        if semicolon and not _is_form_in_parts(self.content_type, said):
            meta["CONTENT_TYPE"] = self.content_type


def _is_form_in_parts(kind: str, said: str) -> bool:
    # "*" marks an encoded parameter, and is in no boundary.
    return kind == _MULTIPART and len(said) <= _MULTIPART_CHARACTERS_MOST and "*" not in said


class Utf8AsgiRequest(_Utf8, ASGIRequest):
    """An ASGI request for `klatsch.api.checks`, which inspects requests without answering them."""


class _Utf8WsgiRequest(_Utf8, WSGIRequest):
    @cached_property
    def COOKIES(self) -> dict[str, str]:  # type: ignore[override]  # noqa: N802 - Django's own
        return read_cookies(get_str_from_wsgi(self.environ, "HTTP_COOKIE", ""))


class Handler(WSGIHandler):
    """Django's WSGI application, with requests that are read as UTF-8."""

    request_class = _Utf8WsgiRequest


class RequestIds:
    """The first middleware, so that the log lines and refusals of the others carry the id, and refusals are counted."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = accept_id(request.headers.get(HEADER, ""))
        started_s = time.perf_counter()
        with bound_contextvars(request=request_id):
            response = self._get_response(request)
        response.headers[HEADER] = request_id
        if request.path_info.startswith("/api/v1/"):
            # No cache may keep private data: neither a proxy's nor a shared browser's.
            response.headers.setdefault("Cache-Control", "no-store")
        method = request.method if request.method in _METHODS else "other"  # clients can invent methods
        REQUESTS.labels(method, str(response.status_code)).inc()
        REQUEST_SECONDS.observe(time.perf_counter() - started_s)
        return response


class RelayPromises:
    """The last middleware: relays a request's queued records before its answer, if the log is reachable."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with relaying_promises(lambda: ports_of(request).log):
            return self._get_response(request)
