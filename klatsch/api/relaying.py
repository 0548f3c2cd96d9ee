"""What a request promised to the log about somebody's own affairs is relayed before its answer, if it can be.

What was committed holds, and the relay follows within seconds: a log that does not answer is no reason to refuse.
"""

from collections.abc import Callable
from typing import Final
from uuid import UUID

import structlog
from django.http import HttpRequest, HttpResponseBase
from rest_framework.request import Request

from klatsch.api.ports import ports_of
from klatsch.core.errors import Unavailable
from klatsch.eventlog.outbox import relay_records
from klatsch.records.keys import PERSON

_log = structlog.get_logger(__name__)
RELAY_S: Final = 2.0
_SAFE: Final = {"GET", "HEAD", "OPTIONS"}


def relay_affairs(request: Request, user_id: UUID) -> None:
    """Relays what is promised about a person, so that gateways act on it at once."""
    _relay(request, PERSON.of(str(user_id)))


class RelayAfterStaff:
    """Middleware: what a change in the admin promised, of whomever, is relayed after it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        if request.path_info.startswith("/admin/") and request.method not in _SAFE:
            _relay(request, None)
        return response


def _relay(request: HttpRequest, place: bytes | None) -> None:
    try:
        relay_records(ports_of(request).log, place=place, deadline_s=RELAY_S)
    except Unavailable:
        _log.warning("relay_postponed")
