"""People for tests, made without hashing: a quarter of a second each would be most of a run."""

import json
from typing import Any

from django.contrib.auth.hashers import make_password
from django.test import Client

from klatsch.accounts.models import User
from klatsch.accounts.services import create_token

V1 = "/api/v1"
PASSWORD = "correct horse battery"
CREDENTIALS = {"username": "ana", "password": PASSWORD}
LEAST_ROUNDS = 4
_FLAGS = ("is_active", "awaits_email", "is_staff", "is_superuser")


def make_person(username: str = "ana", **fields: Any) -> User:
    """Makes somebody who cannot log in by password."""
    return User.objects.create(**{"username": username, "email": f"{username}@example.org", "password": "!"} | fields)


def make_person_with_password(username: str = "ana", **fields: Any) -> User:
    """Makes somebody whose password is PASSWORD; needs `quick_hashes`."""
    return make_person(username, password=make_password(PASSWORD), **fields)


def bearer(person: User) -> dict[str, str]:
    """Returns the header that makes a request theirs."""
    return {"Authorization": f"Bearer {create_token(person=person).token}"}


def admin_form(person: User, **changes: Any) -> dict[str, Any]:
    """Returns the fields that a browser sends from a person's page of the admin, opened when they were as given."""
    shown = {f"initial-{flag}": str(getattr(person, flag)) for flag in _FLAGS}
    ticked = {flag: "on" for flag in _FLAGS if getattr(person, flag)}
    return {"username": person.username, "email": person.email} | ticked | shown | changes


def post(client: Client, path: str, body: Any = None, **more: Any) -> Any:
    """Sends a POST with JSON, as every client of the API does."""
    return client.post(path, json.dumps({} if body is None else body), content_type="application/json", **more)


def register(username: str = "ana", email: str | None = None, **more: Any) -> Any:
    """Registers somebody over REST, with PASSWORD."""
    body = {"username": username, "email": email or f"{username}@example.org", "password": PASSWORD}
    return post(Client(), f"{V1}/auth/register", body, **more)


def log_in(client: Client, **more: Any) -> Any:
    """Logs in as `ana`, made by `make_person_with_password`."""
    return post(client, f"{V1}/auth/login", CREDENTIALS, **more)


def csrf(client: Client) -> dict[str, str]:
    """Returns the header that unsafe requests with a session need."""
    return {"X-CSRFToken": client.cookies["csrftoken"].value}


def problem(response: Any) -> tuple[int, str]:
    """Returns status and code of an answer that must be problem+json in full."""
    assert response["Content-Type"] == "application/problem+json", response.content
    body = response.json()
    assert body["status"] == response.status_code
    assert body["type"] == f"/problems/{body['code']}"
    assert {"title", "detail", "errors"} <= body.keys()
    assert (response.status_code == 401) == ("WWW-Authenticate" in response)
    assert ("retry_after" in body) == ("Retry-After" in response)
    return response.status_code, body["code"]


def wrong_fields(response: Any) -> dict[str, str]:
    """Returns the code of each field that a 400 names."""
    assert problem(response) == (400, "bad_request")
    return {error["field"]: error["code"] for error in response.json()["errors"]}
