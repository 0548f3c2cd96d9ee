"""Whatever hashes a password takes its slot at the door: refused there, nobody was looked up and nothing was hashed."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from pytest_django import DjangoAssertNumQueries

from klatsch.accounts.hashing import hashes_password
from tests.integration.people import (
    PASSWORD,
    V1,
    bearer,
    make_person_with_password,
    post,
    problem,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_hashes")]


def operations_with_a_password() -> Iterator[tuple[str, str]]:
    """Returns method and path of every operation in whose body a password stands."""
    schema: dict[str, Any] = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]  # untyped
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            [body] = operation.get("requestBody", {}).get("content", {"": {}}).values()
            name = body.get("schema", {}).get("$ref", "").rpartition("/")[2]
            fields = schema["components"]["schemas"].get(name, {}).get("properties", {})
            if any("password" in field for field in fields):
                yield method.upper(), path


DOORS = sorted(operations_with_a_password())


def test_every_operation_that_takes_a_password_is_known_to_hash() -> None:
    assert len(DOORS) == 6
    assert all(hashes_password(method, path) for method, path in DOORS)


@pytest.mark.parametrize("path", [path for _, path in DOORS])
@pytest.mark.usefixtures("no_hashing_slot")
def test_while_all_hashing_slots_are_taken_it_says_when_to_come_again(
    path: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        answer = post(Client(), path, {"username": "ana", "password": PASSWORD})
    assert problem(answer) == (503, "unavailable")
    assert answer["Retry-After"] == "1"


def test_what_hashes_nothing_needs_no_slot(request: pytest.FixtureRequest) -> None:
    headers = bearer(make_person_with_password())
    request.getfixturevalue("no_hashing_slot")
    assert Client().get(f"{V1}/me", headers=headers).status_code == 200
    assert post(Client(), f"{V1}/auth/ticket", headers=headers).status_code == 201
