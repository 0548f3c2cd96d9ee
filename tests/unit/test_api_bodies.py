"""Null for an optional field of a request counts as if the field were not there, as in clients' WebSocket frames."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from klatsch.api.bodies import IdField, JSONBody, TextField, read_body


class Shape(serializers.Serializer[Any]):
    needed = TextField()
    optional = TextField(required=False, allow_null=True)
    usual = TextField(default="usual", allow_null=True)


def read(body: Any) -> dict[str, Any]:
    sent = APIRequestFactory().post("/", body, format="json")
    return read_body(Request(sent, parsers=[JSONBody()]), Shape)


def test_null_for_an_optional_field_is_like_a_missing_field() -> None:
    assert (
        read({"needed": "a", "optional": None, "usual": None})
        == read({"needed": "a"})
        == {
            "needed": "a",
            "usual": "usual",
        }
    )


def test_null_for_a_needed_field_is_refused() -> None:
    with pytest.raises(ValidationError) as refused:
        read({"needed": None})
    assert refused.value.get_codes() == {"needed": ["null"]}


CHANGES = {"patch /api/v1/me", "patch /api/v1/conversations/{conversation_id}"}
"""They change fields that always have a value: null might mean to clear one."""
LISTS = {"members"}


def optional_fields() -> Iterator[tuple[str, Any]]:
    """Yields the optional fields of all other requests that the OpenAPI document describes, with their schemas."""
    document = Client().get("/api/schema", headers={"Accept": "application/json"}).json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            name = f"{method} {path}"
            for body in operation.get("requestBody", {}).get("content", {}).values():
                shape = document["components"]["schemas"][body["schema"]["$ref"].rpartition("/")[2]]
                for field in shape["properties"].keys() - set(shape.get("required", ())) - LISTS:
                    if name not in CHANGES:
                        yield f"{name} {field}", shape["properties"][field]


def test_the_document_says_that_an_optional_field_may_be_null() -> None:
    types = {name: schema.get("type") for name, schema in optional_fields()}
    assert len(types) > 8
    assert {name: kind for name, kind in types.items() if kind != ["string", "null"]} == {}


ID = "7ea00000-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    "sent", [7, True, [], "x", ID.upper(), f"{{{ID}}}", f"urn:uuid:{ID}", ID.replace("-", ""), f"{ID}\n"]
)
def test_an_id_is_one_text(sent: Any) -> None:
    assert IdField().run_validation(ID) == UUID(ID)
    with pytest.raises(ValidationError):
        IdField().run_validation(sent)
