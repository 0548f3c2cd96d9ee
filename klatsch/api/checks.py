"""Runs Django's middleware for requests that Django does not answer: host name, https, CORS and security headers."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.common import CommonMiddleware
from django.middleware.security import SecurityMiddleware

from klatsch.api.cors import Cors
from klatsch.api.probes import PROBES
from klatsch.api.requests import Utf8AsgiRequest

Headers = list[tuple[bytes, bytes]]
Answer = Callable[[HttpRequest], Any]
_SAID_BY_THE_ANSWER: Final = frozenset(
    {"content-type", "content-length", "vary", "access-control-allow-origin", "access-control-expose-headers"}
)


@dataclass(frozen=True, slots=True)
class Checked:
    """A middleware's verdict: headers for the answer of a request that passed, or else the whole refusal."""

    passed: bool
    status: int
    headers: Headers
    body: bytes


class Passed(HttpResponse):
    """A placeholder for the answer that is made elsewhere."""


def _chain(*middleware: Callable[[Any], Any]) -> Answer:
    """Nests the middleware, the outermost first. Outer middleware sees an inner exception as an answer."""
    answer: Answer = lambda _: Passed()  # noqa: E731 - the innermost of a chain
    for one in reversed(middleware):
        answer = convert_exception_to_response(one(answer))
    return answer


class Checks:
    """Runs those of settings.MIDDLEWARE that refuse, redirect to https or add headers, in their order. Does no I/O."""

    def __init__(self) -> None:
        self._check = _chain(Cors, SecurityMiddleware, CommonMiddleware, XFrameOptionsMiddleware)
        # Probes ask by address, under any host name, like in `klatsch.api.probes`.
        self._check_probe = _chain(SecurityMiddleware)

    def __call__(self, scope: dict[str, Any]) -> Checked:
        check = self._check_probe if scope["path"] in PROBES else self._check
        response: HttpResponse = check(Utf8AsgiRequest(scope, io.BytesIO()))
        passed = isinstance(response, Passed)
        headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in response.items()
            if not passed or name.lower() not in _SAID_BY_THE_ANSWER
        ]
        return Checked(passed, response.status_code, headers, response.content)
