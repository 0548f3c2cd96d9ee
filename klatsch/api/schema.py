"""What the OpenAPI document says of operations, credentials and errors, kept apart from what they do."""

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
    400: "The request is wrong; `errors` names the fields.",
    401: "There is no valid credential.",
    403: "It is not allowed; with a session also: the CSRF token is missing or wrong.",
    404: "There is no such thing, or not for you.",
    409: "It contradicts what is there.",
    411: "The body has no Content-Length.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    429: "Too often; `Retry-After` says when to come again.",
    503: "Not now; `Retry-After` says when to come again.",
}

_BLANK = {"type": "string", "maxLength": 0}

NEIGHBOURS = OpenApiParameter(
    "Link",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    response=[200],
    description='RFC 8288: the neighbouring pages, `rel="next"` and `rel="prev"`.',
)


class FieldErrorSerializer(serializers.Serializer[Any]):
    field = serializers.CharField(help_text="Its path in the body, such as `members.0`; empty for the whole body.")
    code = serializers.CharField(help_text="Stable, for programs.")
    detail = serializers.CharField(help_text="For people.")


class ProblemSerializer(serializers.Serializer[Any]):
    """RFC 9457."""

    type = serializers.CharField(help_text="Stable, a reference such as `/problems/not_found`.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField(help_text="Stable, for programs, such as `not_found`.")
    detail = serializers.CharField(help_text="For people.")
    errors = FieldErrorSerializer(many=True)  # type: ignore[assignment]  # DRF takes fields off the class: nothing is hidden
    retry_after = serializers.FloatField(required=False, help_text="Seconds, as in `Retry-After`.")


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
    """Declares a view's method: `answers` are serializers by status, `refusals` what it may answer with a problem.

    Any may be refused with 503, and a body with 411, 413 and 415.
    """
    of_body = (411, 413, 415) if request is not None else ()
    refused = (*refusals, *of_body, 503)
    problems = {
        (status, CONTENT_TYPE): OpenApiResponse(ProblemSerializer, description=REFUSALS[status]) for status in refused
    }
    asked = [] if request is None else [request_example(request)]
    declare: Callable[[F], F] = extend_schema(
        operation_id=operation_id,
        summary=summary,
        description=description,
        request=request,
        parameters=list(parameters),
        responses={**answers, **problems},
        examples=[*asked, *answer_examples(answers), *(problem_example(status) for status in refused)],
    )
    return declare


def paged(row: type[serializers.Serializer[Any]], name: str) -> type[serializers.Serializer[Any]]:
    """The shape of a page of such rows, under its own name in the document."""
    members = {
        "results": row(many=True),
        "next": serializers.URLField(allow_null=True, help_text="The next page's address."),
        "previous": serializers.URLField(allow_null=True, help_text="The previous page's address."),
    }
    return type(name, (serializers.Serializer,), {**members, "row": row})


class TextFieldExtension(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]  # its __init_subclass__
    """Says of each text that it has no NUL, where the field says nothing narrower."""

    target_class = "klatsch.api.bodies.TextField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        field = self.target
        schema: dict[str, Any] = auto_schema._map_serializer_field(field, direction, bypass_extensions=True)  # noqa: SLF001 - as drf-spectacular's own extensions do
        if any(isinstance(validator, RegexValidator) for validator in field.validators):
            return schema
        return schema | {"pattern": r"^[^\x00]*$"}


def join_blank(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:  # noqa: ARG001, FBT001 - drf-spectacular's signature
    """Says of a text that may be empty that it is one text; a post-processing hook of drf-spectacular's.

    It makes two of it, of which just one may fit. Both fit where the pattern takes the empty text; generated clients
    have no type for it, and so no way to clear a field; and a default of '' is not in the first.
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
        return {"type": "http", "scheme": "bearer", "description": "From `POST auth/tokens`."}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # the same
    target_class = "klatsch.api.authentication.SessionAuthentication"
    name = ["session", "csrf"]  # noqa: RUF012 - as drf-spectacular has it

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:  # noqa: ARG002 - the same
        cookie = f"From `POST auth/login`; so is the cookie `{settings.CSRF_COOKIE_NAME}`."
        header = f"With a session: the value of the cookie `{settings.CSRF_COOKIE_NAME}`. Not needed to read."
        return [
            {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME, "description": cookie},
            {"type": "apiKey", "in": "header", "name": "X-CSRFToken", "description": header},
        ]
