"""The OpenAPI document's descriptions of operations, credentials and errors, kept apart from the endpoints."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from django.conf import settings
from django.core.validators import RegexValidator
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from klatsch.api.examples import answer_examples, problem_example, request_example
from klatsch.core.problems import CONTENT_TYPE

F = TypeVar("F", bound=Callable[..., Any])

REFUSALS = {
    400: "The request is not valid. `errors` names the fields.",
    401: "The request has no valid credential.",
    403: "You are not allowed to do this. With a session, also: the CSRF token is missing or wrong.",
    404: "There is no such resource, or you may not see it.",
    409: "The request conflicts with the current state.",
    410: "The message, or the one that a reply names, was deleted for good; or the invitation has ended.",
    411: "The request has no Content-Length.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    429: "Too many requests. Wait for the seconds in `Retry-After`.",
    503: "Temporarily unavailable. Wait for the seconds in `Retry-After`.",
}

_BLANK = {"type": "string", "maxLength": 0}

NEIGHBOURS = OpenApiParameter(
    "Link",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    response=[200],
    description='Addresses of the neighbouring pages (RFC 8288), `rel="next"` and `rel="prev"`.',
)


class FieldErrorSerializer(serializers.Serializer[Any]):
    field = serializers.CharField(
        help_text="The field's path in the body, such as `members.0`. Empty for the whole body."
    )
    code = serializers.CharField(help_text="A stable code for programs.")
    detail = serializers.CharField(help_text="A sentence for people.")


class ProblemSerializer(serializers.Serializer[Any]):
    """An error as RFC 9457 shapes it."""

    type = serializers.CharField(help_text="A stable reference, such as `/problems/not_found`.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField(help_text="A stable code for programs, such as `not_found`.")
    detail = serializers.CharField(help_text="A sentence for people.")
    errors = FieldErrorSerializer(many=True)  # type: ignore[assignment]  # DRF takes fields off the class: nothing is hidden
    retry_after = serializers.FloatField(required=False, help_text="Seconds to wait, like in `Retry-After`.")
    changed = serializers.CharField(
        required=False, help_text="With `conflict`: the position of the edit that came after the `base` of yours."
    )


def operation(
    operation_id: str,
    summary: str,
    description: str,
    *,
    answers: Mapping[int, Any],
    refusals: Sequence[int] = (),
    request: Any = None,
    parameters: Sequence[Any] = (),
) -> Callable[[F], F]:
    """Declares a view's method: `answers` are serializers by status, `refusals` the statuses of its problems.

    Every operation may answer 429 and 503, and every one with a body 411, 413 and 415. Every one that changes something
    may answer 403, since with a session it needs the CSRF token.
    """
    of_body = (411, 413, 415) if request is not None else ()
    asked = [] if request is None else [request_example(request)]

    def declare(method: F) -> F:
        of_change = () if method.__name__ == "get" else (403,)
        refused = sorted({*refusals, *of_body, *of_change, 429, 503})
        problems = {
            (status, CONTENT_TYPE): OpenApiResponse(ProblemSerializer, description=REFUSALS[status])
            for status in refused
        }
        declared: F = extend_schema(
            operation_id=operation_id,
            summary=summary,
            description=description,
            request=request,
            parameters=list(parameters),
            responses={**answers, **problems},
            examples=[*asked, *answer_examples(answers), *(problem_example(status) for status in refused)],
        )(method)
        return declared

    return declare


def paged(row: type[serializers.Serializer[Any]], name: str) -> type[serializers.Serializer[Any]]:
    """Returns the shape of a page of such rows, under its own name in the document."""
    members = {
        "results": row(many=True),
        "next": serializers.URLField(allow_null=True, help_text="The next page's address."),
        "previous": serializers.URLField(allow_null=True, help_text="The previous page's address."),
    }
    return type(name, (serializers.Serializer,), {**members, "row": row})


class TextFieldExtension(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]  # its __init_subclass__
    """Declares that a text contains no NUL, where the field declares no narrower pattern."""

    target_class = "klatsch.api.bodies.TextField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        field = self.target
        schema: dict[str, Any] = auto_schema._map_serializer_field(field, direction, bypass_extensions=True)  # noqa: SLF001 - as drf-spectacular's own extensions do
        if field.allow_null:  # drf-spectacular adds null to the types here, and again to what this returns
            schema["type"] = "string"
        if any(isinstance(validator, RegexValidator) for validator in field.validators):
            return schema
        return schema | {"pattern": r"^[^\x00]*$"}


def join_blank(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:  # noqa: ARG001, FBT001 - drf-spectacular's signature
    """Merges the two schemas of a text that may be empty; a post-processing hook of drf-spectacular.

    drf-spectacular writes a `oneOf` of the text and the empty text. Both match where the pattern allows the empty
    text, so `oneOf` refuses it. Generated clients have no type for it and cannot clear a field, and a default of '' is
    not in the first schema.
    """
    for schema in _dicts(result):
        if isinstance(choices := schema.get("oneOf"), list) and choices[1:] == [_BLANK]:
            del schema["oneOf"]
            schema.update(choices[0])
            if "pattern" in schema:
                schema["pattern"] = re.sub(r"\+\$\Z", "*$", schema["pattern"])
    return result


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in list(parts):
        yield from _dicts(part)


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its __init_subclass__
    target_class = "klatsch.api.authentication.TokenAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:  # noqa: ARG002 - drf-spectacular's signature
        return {"type": "http", "scheme": "bearer", "description": "A bearer token from `POST auth/tokens`."}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its __init_subclass__
    target_class = "klatsch.api.authentication.SessionAuthentication"
    name = ["session", "csrf"]  # noqa: RUF012 - drf-spectacular's own form

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:  # noqa: ARG002 - drf-spectacular's signature
        cookie = f"Set by `POST auth/login`, together with the cookie `{settings.CSRF_COOKIE_NAME}`."
        header = f"With a session: the value of the cookie `{settings.CSRF_COOKIE_NAME}`. Not needed for reading."
        return [
            {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME, "description": cookie},
            {"type": "apiKey", "in": "header", "name": "X-CSRFToken", "description": header},
        ]
