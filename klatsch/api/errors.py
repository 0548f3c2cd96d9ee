"""Answers refusals under /api/ as `application/problem+json` (RFC 9457), others as pages. Leaks no internals."""

import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DataError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions

from klatsch.core.errors import FieldError, KlatschError
from klatsch.core.problem_page import answer_of
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


def problem_response(error: Exception, context: dict[str, Any]) -> HttpResponse | None:  # noqa: ARG001 - DRF's signature
    """DRF's exception handler. None leaves the exception to Django, which logs it and calls `server_error`.

    No renderer of the view takes part: that of the OpenAPI document would answer YAML.
    """
    problem = problem_of(error)
    return None if problem is None else answer_problem(problem)


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


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400."""
    return refuse_with(request, problem_of(exception) or Problem(400, "bad_request", "The request is malformed."))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler403."""
    return refuse_with(request, problem_of(exception) or Problem(403, "forbidden", "You are not allowed to do this."))


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's CSRF_FAILURE_VIEW."""
    return refuse_with(request, Problem(403, "forbidden", f"CSRF: {reason}"))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404."""
    return refuse_with(request, problem_of(exception) or Problem(404, "not_found", "There is no such resource."))


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500. It also answers exceptions outside views, such as a session that cannot be stored."""
    known = problem_of(sys.exception())
    return refuse_with(
        request, known or Problem(500, "internal_error", "An internal error occurred. It has been logged.")
    )


def refuse(request: HttpRequest, error: KlatschError) -> HttpResponse:
    """Answers a middleware's refusal, which no view and no exception handler sees."""
    return refuse_with(request, Problem.of(error))


def refuse_with(request: HttpRequest, problem: Problem) -> HttpResponse:
    """Answers the problem as JSON under /api/, and as a page elsewhere."""
    if request.path_info.startswith("/api/"):
        return answer_problem(problem)
    headers, body = answer_of(problem, page=True)
    return HttpResponse(body, status=problem.status, headers=headers)


def answer_problem(problem: Problem) -> JsonResponse:
    """Answers the problem as JSON, whatever form was asked for."""
    return JsonResponse(problem.body(), status=problem.status, headers=problem.headers(), content_type=CONTENT_TYPE)
