"""Answers every refusal under /api/ as `application/problem+json` (RFC 9457), and leaks no internals."""

import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DataError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response

from klatsch.core.errors import FieldError, KlatschError
from klatsch.core.problems import CONTENT_TYPE, ERRORS_MOST, Problem
from klatsch.postgres.outages import is_outage

DATABASE_AWAY_RETRY_S = 2
_SENTENCE_MOST = 300
"""The characters of an error's sentence that are answered."""

REST_CODES = {
    400: "bad_request",
    401: "not_authenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    410: "gone",
    411: "length_required",
    413: "too_large",
    415: "unsupported_media_type",
    429: "rate_limited",
}


_KNOWN: tuple[tuple[tuple[type[Exception], ...], Problem], ...] = (
    ((Http404,), Problem(404, "not_found", "There is no such resource, or you may not see it.")),
    ((PermissionDenied,), Problem(403, "forbidden", "You are not allowed to do this.")),
    ((RequestDataTooBig,), Problem(413, "too_large", "The request is too large. Send less.")),
    # PostgreSQL raises DataError only for data of the request: a NUL in a cookie, a number out of range.
    ((SuspiciousOperation, DataError), Problem(400, "bad_request", "The request is malformed.")),
)
_DATABASE_AWAY = Problem(
    503, "unavailable", "The archive cannot be reached. Try again.", retry_after=DATABASE_AWAY_RETRY_S
)


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:  # noqa: ARG001 - DRF's signature
    """DRF's exception handler. None leaves the exception to Django, which logs it and calls `server_error`."""
    problem = problem_of(error)
    if problem is None:
        return None
    return Response(problem.body(), problem.status, headers=problem.headers(), content_type=CONTENT_TYPE)


def problem_of(error: BaseException | None) -> Problem | None:
    """Returns an exception's answer; None for an exception that is a fault of the server."""
    if isinstance(error, KlatschError):
        return Problem.of(error)
    if isinstance(error, exceptions.APIException):
        return _of_framework(error)
    if is_outage(error):
        return _DATABASE_AWAY
    return next((problem for kinds, problem in _KNOWN if isinstance(error, kinds)), None)


def _of_framework(error: exceptions.APIException) -> Problem:
    code = REST_CODES.get(error.status_code, "error")
    if isinstance(error.detail, (dict, list)):
        fields = tuple(islice(_field_errors("", error.detail), ERRORS_MOST))
        return Problem(error.status_code, code, "The request is not valid. `errors` names the fields.", fields)
    return Problem(error.status_code, code, _repeatable(str(error.detail)), retry_after=getattr(error, "wait", None))


def _field_errors(path: str, detail: Any) -> Iterator[FieldError]:
    """Flattens DRF's nested details: `members.0.username`. An error of the whole body has the empty field."""
    if isinstance(detail, dict):
        parts = [("" if name == "non_field_errors" else str(name), part) for name, part in detail.items()]
    elif isinstance(detail, list):
        parts = [("" if isinstance(part, str) else str(i), part) for i, part in enumerate(detail)]
    else:
        yield FieldError(path, getattr(detail, "code", None) or "invalid", _repeatable(str(detail)))
        return
    for name, part in parts:
        yield from _field_errors(f"{path}.{name}".strip("."), part)


def _repeatable(sentence: str) -> str:
    """Returns a sentence of the framework that may repeat what was sent: shortened, and without lone surrogates."""
    return sentence[:_SENTENCE_MOST].encode(errors="replace").decode()


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's handler400."""
    return _answer(request, problem_of(exception)) or defaults.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's handler403."""
    return _answer(request, problem_of(exception)) or defaults.permission_denied(request, exception)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    """Django's CSRF_FAILURE_VIEW."""
    problem = Problem(403, "forbidden", f"CSRF: {reason}")
    return _answer(request, problem) or HttpResponse(problem.detail, "text/plain", problem.status)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's handler404."""
    return _answer(request, problem_of(exception)) or defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Django's handler500. It also answers exceptions outside views, such as a session that cannot be stored."""
    known = problem_of(sys.exception())
    if known is not None and not _is_api(request):
        return _plain(known)
    problem = known or Problem(500, "internal_error", "An internal error occurred. It has been logged.")
    return _answer(request, problem) or defaults.server_error(request)


def refuse(request: HttpRequest, error: KlatschError) -> HttpResponse:
    """Answers a middleware's refusal, which no view and no exception handler sees."""
    problem = Problem.of(error)
    return _answer(request, problem) or _plain(problem)


def _plain(problem: Problem) -> HttpResponse:
    """Answers the problem as plain text, for a page."""
    return HttpResponse(problem.detail, "text/plain", problem.status, headers=problem.headers())


def _answer(request: HttpRequest, problem: Problem | None) -> JsonResponse | None:
    """Answers the problem as JSON for the API; None for pages, which have Django's own answers."""
    return None if problem is None or not _is_api(request) else answer_problem(problem)


def answer_problem(problem: Problem) -> JsonResponse:
    """Answers the problem outside DRF's views."""
    return JsonResponse(problem.body(), status=problem.status, headers=problem.headers(), content_type=CONTENT_TYPE)


def _is_api(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")
