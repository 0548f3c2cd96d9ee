"""CORS: a page served elsewhere may use REST where it is named, and nobody else is told anything."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test import Client, override_settings

OURS = "https://page.example"
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}


@pytest.fixture(autouse=True)
def named() -> Iterator[None]:
    with override_settings(ENV=settings.ENV | {"KLATSCH_CORS_ORIGINS": [OURS]}):
        yield


def test_a_named_page_may_ask_and_read_also_what_is_refused(client: Client) -> None:
    answer = client.get("/api/v1/conversations", headers={"Origin": OURS})
    assert answer.status_code == 401
    assert answer.headers["Access-Control-Allow-Origin"] == OURS
    assert {"Link", "Location", "Retry-After"} <= set(answer.headers["Access-Control-Expose-Headers"].split(", "))
    assert "Origin" in answer.headers["Vary"]


def test_a_preflight_of_a_named_page_is_answered_without_asking_who_it_is(client: Client) -> None:
    answer = client.options("/api/v1/conversations", headers={"Origin": OURS, **PREFLIGHT})
    assert answer.status_code == 204
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize("origin", ["https://page.example.evil", "http://page.example", "null", f"{OURS}:8443", ""])
def test_any_other_page_is_told_nothing(client: Client, origin: str) -> None:
    for answer in (
        client.get("/api/v1/conversations", headers={"Origin": origin}),
        client.options("/api/v1/conversations", headers={"Origin": origin, **PREFLIGHT}),
    ):
        assert not [name for name in answer.headers if name.startswith("Access-Control-")]
        assert "Origin" in answer.headers["Vary"]


def test_no_page_may_send_the_session_cookie_from_elsewhere_or_read_what_is_no_api(client: Client) -> None:
    for path in ("/api/v1/conversations", "/metrics", "/livez"):
        answer = client.get(path, headers={"Origin": OURS})
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert path.startswith("/api/") == ("Access-Control-Allow-Origin" in answer.headers)


def test_without_a_named_page_nothing_is_added(client: Client) -> None:
    with override_settings(ENV=settings.ENV | {"KLATSCH_CORS_ORIGINS": []}):
        answer = client.get("/api/v1/conversations", headers={"Origin": OURS})
    assert not [name for name in answer.headers if name.startswith("Access-Control-")]
