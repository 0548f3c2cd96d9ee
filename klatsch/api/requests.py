"""Gives every request an id in its log lines and its answer, counts it, and keeps its answer out of caches."""

import time
from collections.abc import Callable
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.http import HttpRequest, HttpResponse
from django.utils.http import parse_header_parameters
from structlog.contextvars import bound_contextvars

from klatsch.api.ports import ports_of
from klatsch.core.metrics import REQUEST_SECONDS, REQUESTS
from klatsch.core.tracing import accept_id
from klatsch.eventlog.outbox import relaying_promises

HEADER = "X-Request-ID"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class _Utf8:
    """A request that is read as UTF-8, like JSON and browsers' addresses, whatever charset it declares.

    Django reads the query by the declared charset before any middleware sees it, and fails on one like `hex`.
    """

    content_type: str | None
    content_params: dict[str, str] | None

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))


class Utf8AsgiRequest(_Utf8, ASGIRequest):
    """An ASGI request for `klatsch.api.checks`, which inspects requests without answering them."""


class _Utf8WsgiRequest(_Utf8, WSGIRequest):
    pass


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
