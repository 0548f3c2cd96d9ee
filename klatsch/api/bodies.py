"""Parses request bodies and queries into checked values. Unknown fields are ignored."""

import io
from collections.abc import Mapping
from typing import IO, Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.exceptions import APIException, ParseError, ValidationError
from rest_framework.parsers import JSONParser
from rest_framework.request import Request

from klatsch.core.http_limits import BODY_BYTES_MOST
from klatsch.core.ids import is_uuid


class TextField(serializers.CharField):
    """A text field that is not trimmed. Refuses NUL, lone surrogates and numbers."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"trim_whitespace": False} | options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class IdField(serializers.UUIDField):
    """An id as this API writes it. Django REST framework's field takes numbers, braces and upper case as well."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str) or not is_uuid(data):
            self.fail("invalid", value=data)
        return UUID(data)


class StrictBooleanField(serializers.BooleanField):
    """A boolean field that takes true and false alone. Django REST framework's takes 0, "false" and "no" as well."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class BoundedList(serializers.ListField):
    """A list field that refuses a list that is too long before it looks at any item."""

    def __init__(self, *, max_length: int, **options: Any) -> None:
        super().__init__(max_length=max_length, **options)

    def to_internal_value(self, data: Any) -> list[Any]:
        if isinstance(data, list) and len(data) > (self.max_length or 0):
            self.fail("max_length", max_length=self.max_length)
        return super().to_internal_value(data)


class BodyTooLarge(APIException):
    status_code = 413
    default_detail = f"The body is too large. Send at most {BODY_BYTES_MOST} bytes."


class LengthRequired(APIException):
    status_code = 411
    default_detail = "Send a Content-Length header. Chunked bodies are not accepted."


class JSONBody(JSONParser):
    """Parses one JSON text of at most BODY_BYTES_MOST; raises ParseError or BodyTooLarge."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read(BODY_BYTES_MOST + 1)
        if len(body) > BODY_BYTES_MOST:
            raise BodyTooLarge
        try:
            return super().parse(io.BytesIO(body), media_type, parser_context)
        except RecursionError:
            raise ParseError("The body is nested too deeply.") from None


def read_body(request: Request, shape: type[serializers.Serializer[Any]]) -> dict[str, Any]:
    """Returns the body's fields in `shape`; raises ValidationError naming each wrong field, or LengthRequired.

    Null for a field with `allow_null` is like a missing field, as in the frames of a WebSocket.
    """
    if "Transfer-Encoding" in request.headers:  # Without a length WSGI has no body: it would seem empty.
        raise LengthRequired
    body = shape(data=request.data)
    given = body.initial_data
    if isinstance(given, dict) and None in given.values():
        left_out = {name for name, field in body.fields.items() if field.allow_null}
        body.initial_data = {name: value for name, value in given.items() if value is not None or name not in left_out}
    return _read(body)


def read_query(request: Request, shape: type[serializers.Serializer[Any]]) -> dict[str, Any]:
    """Returns the query's fields in `shape`; raises ValidationError naming each wrong or repeated parameter."""
    query = shape(data=request.query_params)
    repeated = [name for name in map(str, query.fields) if len(request.query_params.getlist(name)) > 1]
    if repeated:
        raise ValidationError({name: ["Give this parameter at most once."] for name in repeated}, code="repeated")
    return _read(query)


def _read(serializer: serializers.Serializer[Any]) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    fields: dict[str, Any] = serializer.validated_data
    return fields
