from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

pytestmark = pytest.mark.django_db
METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    schema: dict[str, Any] = Client().get("/api/schema", headers={"Accept": "application/json"}).json()
    return schema


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    ]


def test_the_document_is_valid_and_without_warnings(tmp_path: Any) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yaml"))


def test_it_is_openapi_3_1_and_describes_every_operation_of_the_accounts(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert {
        "post /api/v1/auth/register",
        "post /api/v1/auth/login",
        "post /api/v1/auth/logout",
        "get /api/v1/auth/tokens",
        "post /api/v1/auth/tokens",
        "delete /api/v1/auth/tokens/{token_id}",
        "post /api/v1/auth/ticket",
        "get /api/v1/me",
        "get /api/v1/users",
        "get /api/v1/users/{username}",
    } <= {name for name, _ in operations(document)}


def test_every_operation_says_what_it_is_for_and_how_it_refuses(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        assert operation["summary"], name
        assert operation["description"], name
        refusals = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
        assert "503" in refusals, name
        for answer in refusals.values():
            assert answer["content"].keys() == {"application/problem+json"}, name


def test_credentials_are_a_bearer_token_or_a_session_with_its_csrf_header(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    assert (schemes["bearer"]["type"], schemes["bearer"]["scheme"]) == ("http", "bearer")
    assert (schemes["session"]["in"], schemes["session"]["name"]) == ("cookie", "sessionid")
    assert (schemes["csrf"]["in"], schemes["csrf"]["name"]) == ("header", "X-CSRFToken")
    assert document["paths"]["/api/v1/me"]["get"]["security"] == [{"bearer": []}, {"session": [], "csrf": []}]


@pytest.mark.parametrize("path", ["/api/docs", "/api/redoc"])
def test_the_pages_load_nothing_from_elsewhere(client: Client, path: str) -> None:
    page = client.get(path).content.decode()
    assert "drf_spectacular_sidecar" in page
    assert "https://" not in page
    assert "//cdn" not in page


def test_the_root_leads_to_swagger_ui(client: Client) -> None:
    assert client.get("/")["Location"] == "/api/docs"
    assert client.get("/api/docs").status_code == 200
