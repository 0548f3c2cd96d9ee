import re
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from jsonschema import Draft202012Validator

from klatsch.archive.models import Message
from klatsch.core.problems import Problem
from klatsch.records.kinds import KINDS
from tests.integration.archive_rows import open_epoch
from tests.integration.chat import Chat
from tests.integration.people import (
    CREDENTIALS,
    V1,
    bearer,
    csrf,
    log_in,
    make_person,
    make_person_with_password,
    post,
    problem,
)
from tests.support.documents import openapi_errors

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_hashes")]
METHODS = {"get", "post", "put", "patch", "delete"}
PAGES = ["/api/docs", "/api/redoc", "/api/schema", "/api/async-docs", "/api/async-schema"]


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


def test_a_validator_of_openapi_takes_it(document: dict[str, Any]) -> None:
    assert openapi_errors(document) == []


def test_a_text_that_may_be_empty_is_one_text_whose_pattern_takes_it(document: dict[str, Any]) -> None:
    profile = document["components"]["schemas"]["ProfileChangeRequest"]["properties"]
    queries = [p["schema"] for _, op in operations(document) for p in op.get("parameters", ()) if p["in"] == "query"]
    texts = [schema for schema in [*profile.values(), *queries] if schema.get("type") == "string"]
    assert {name: schema["type"] for name, schema in profile.items()} == {
        "display_name": "string",
        "about": "string",
        "read_receipts": "boolean",
    }
    assert not any("oneOf" in schema for schema in queries)
    assert len(texts) > 10
    for schema in texts:
        assert "pattern" not in schema or re.search(schema["pattern"], "")


def test_it_is_openapi_3_1_and_describes_every_operation_of_the_accounts(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert {
        "post /api/v1/auth/register",
        "post /api/v1/auth/login",
        "post /api/v1/auth/link",
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


def test_a_problem_declares_every_member_that_an_error_may_have(document: dict[str, Any]) -> None:
    members = Problem(409, "conflict", "This was edited.", retry_after=1, changed="1:0:4").body()
    assert document["components"]["schemas"]["Problem"]["properties"].keys() == members.keys()


def test_every_operation_that_changes_something_says_that_it_needs_the_csrf_token(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        if not name.startswith("get "):
            assert "403" in operation["responses"], name


def test_a_reply_to_a_deleted_message_is_refused_as_every_way_to_send_says(
    document: dict[str, Any], chat: Chat
) -> None:
    open_epoch()
    original = chat.ask("ana", "POST", "users/bob/messages", {"content": "hi"}).json()
    Message.objects.update(deleted=True)
    conversation = original["conversation"]
    ways = {
        "post /api/v1/users/{username}/messages": "users/bob/messages",
        "post /api/v1/conversations/{conversation_id}/messages": f"conversations/{conversation}/messages",
        "put /api/v1/conversations/{conversation_id}/messages/{client_id}": f"conversations/{conversation}/messages/x",
    }
    for name, path in ways.items():
        method = name.partition(" ")[0].upper()
        answer = chat.ask("ana", method, path, {"content": "ho", "reply_to": original["id"]})
        assert problem(answer) == (410, "gone")
        assert "410" in dict(operations(document))[name]["responses"], name


def test_sync_names_every_push_that_it_may_bring(document: dict[str, Any]) -> None:
    said = document["paths"]["/api/v1/sync"]["get"]["description"]
    for name in (*(kind.name for kind in KINDS if kind.push), "state", "reset"):
        assert f"`{name}`" in said, name


def test_sync_says_that_it_refuses_the_cookie_to_pages_elsewhere(document: dict[str, Any]) -> None:
    assert "origin" in document["paths"]["/api/v1/sync"]["get"]["responses"]["403"]["description"]


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


def statuses(path: str, headers: dict[str, str]) -> dict[str, int]:
    """Returns the status that each method is answered with."""
    client = Client(raise_request_exception=False)

    def ask(method: str) -> int:
        return client.generic(method.upper(), path, "{}", "application/json", headers=headers).status_code

    return {method: ask(method) for method in (*sorted(METHODS), "head", "options", "trace", "brew")}


def test_no_method_on_any_documented_path_and_none_on_the_documentations_pages_answers_500(
    document: dict[str, Any],
) -> None:
    for number, template in enumerate([*PAGES, *document["paths"]]):
        path = re.sub(r"{\w+_id}", str(uuid4()), template).replace("{username}", "ana").replace("{emoji}", "x")
        assert "{" not in path
        for headers in ({}, bearer(make_person(f"person-{number}"))):
            assert 500 not in statuses(path, headers).values(), path


@pytest.mark.parametrize("path", PAGES)
def test_the_pages_can_only_be_read(path: str) -> None:
    for method in ("OPTIONS", "POST", "PUT"):
        answer = Client().generic(method, path)
        assert problem(answer) == (405, "method_not_allowed")
        assert answer["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["/api/docs", "/api/redoc", "/api/schema"])
def test_a_form_that_the_pages_do_not_have_is_refused_as_json(client: Client, path: str) -> None:
    assert problem(client.get(path, headers={"Accept": "text/csv"})) == (406, "not_acceptable")
    assert problem(client.get(f"{path}?format=csv")) == (404, "not_found")


def contents(operation: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Returns each kind of body that goes with an operation, the request's under its own name."""
    found = [(status, answer.get("content", {})) for status, answer in operation["responses"].items()]
    found.append(("request", operation.get("requestBody", {}).get("content", {})))
    return [(name, kind) for name, content in found for kind in content.values()]


def test_every_body_has_an_example_that_fits_it(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for part, content in contents(operation):
            examples = [example["value"] for example in content["examples"].values()]
            assert examples, (name, part)
            schema = {"allOf": [content["schema"]], "components": document["components"]}
            for example in examples:
                found = [error.message for error in Draft202012Validator(schema).iter_errors(example)]
                assert not found, (name, part, found)
                if isinstance(example, dict):  # events are a text
                    named = resolved(document, content["schema"])["properties"]
                    assert set(example) <= set(named), (name, part)


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def test_the_example_of_a_refusal_is_one_of_that_status(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, content in contents(operation):
            if status.isdecimal() and status >= "400":
                values = [example["value"] for example in content["examples"].values()]
                assert [value["status"] for value in values] == [int(status)], name
                assert all("retry_after" in value for value in values) == (status in {"429", "503"}), name


def test_every_operation_belongs_to_a_group_that_says_what_it_is(document: dict[str, Any]) -> None:
    groups = {tag["name"]: tag["description"] for tag in document["tags"]}
    assert all(groups.values())
    assert {tag for _, operation in operations(document) for tag in operation["tags"]} == set(groups)


def test_authorize_with_a_bearer_token_works_as_swagger_ui_asks(client: Client) -> None:
    make_person_with_password()
    made = post(client, f"{V1}/auth/tokens", CREDENTIALS)
    authorized = {"Authorization": f"Bearer {made.json()['token']}"}  # what http/bearer means in the document
    assert client.get(f"{V1}/me", headers=authorized).json()["username"] == "ana"
    assert post(client, f"{V1}/auth/ticket", headers=authorized).status_code == 201
    assert client.get(f"{V1}/me").status_code == 401


def test_authorize_with_the_cookie_and_its_csrf_header_works_as_swagger_ui_asks() -> None:
    make_person_with_password()
    browser = Client(enforce_csrf_checks=True)
    assert log_in(browser).status_code == 200
    assert browser.get(f"{V1}/me").json()["username"] == "ana"
    assert problem(post(browser, f"{V1}/auth/ticket")) == (403, "forbidden")
    assert post(browser, f"{V1}/auth/ticket", headers=csrf(browser)).status_code == 201


def test_swagger_ui_sends_the_csrf_cookie_as_the_header_that_the_document_names(
    client: Client, document: dict[str, Any]
) -> None:
    page = client.get("/api/docs").content.decode()
    assert document["components"]["securitySchemes"]["csrf"]["name"] == "X-CSRFToken"
    assert 'request.headers["X-CSRFToken"]' in page
    assert f"{settings.CSRF_COOKIE_NAME}=" in page


def arrays(schema: Any, document: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns every array in a schema, and in what it refers to."""
    if isinstance(schema, list):
        return [found for part in schema for found in arrays(part, document)]
    if not isinstance(schema, dict):
        return []
    if name := schema.get("$ref", "").rpartition("/")[2]:
        return arrays(document["components"]["schemas"][name], document)
    found = [array for part in schema.values() for array in arrays(part, document)]
    return [schema, *found] if schema.get("type") == "array" else found


def test_every_list_in_a_body_has_a_bound(document: dict[str, Any]) -> None:
    bodies = [operation.get("requestBody", {}) for _, operation in operations(document)]
    lists = arrays(bodies, document)
    assert lists
    assert all("maxItems" in one for one in lists)
