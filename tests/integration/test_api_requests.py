"""Every request has an id that its answer tells, and counts; its address is UTF-8."""

from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client, RequestFactory, override_settings

from klatsch.api.requests import Handler
from klatsch.core.metrics import REQUESTS


def test_the_answer_tells_the_id_that_a_proxy_gave_or_a_new_one(client: Client) -> None:
    given = uuid4().hex
    assert client.get("/livez", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given
    first, second = (client.get("/livez", headers={"X-Request-ID": "a b"}).headers["X-Request-ID"] for _ in range(2))
    assert first != second
    assert len(first) == 16


def test_a_refused_request_has_an_id_too(client: Client) -> None:
    assert client.get("/nothing/here").headers["X-Request-ID"]


def test_requests_are_counted_by_method_and_status_and_inventions_together(client: Client) -> None:
    counted = REQUESTS.labels("GET", "200")._value.get()
    client.get("/livez")
    assert REQUESTS.labels("GET", "200")._value.get() == counted + 1
    invented = REQUESTS.labels("other", "200")._value.get()
    client.generic("BREW", "/livez")
    assert REQUESTS.labels("other", "200")._value.get() == invented + 1


def test_an_api_process_shows_its_metrics_to_whoever_has_the_token(client: Client) -> None:
    assert b"klatsch_requests_total" in client.get("/metrics").content
    with override_settings(ENV=settings.ENV | {"KLATSCH_METRICS_TOKEN": "a-token"}):
        assert client.get("/metrics").status_code == 401
        assert client.get("/metrics", headers={"Authorization": "Bearer a-token"}).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/v1/me", "/api/v1/nowhere", "/api/v1/auth/login"])
def test_no_cache_keeps_an_answer_of_the_api(client: Client, path: str) -> None:
    assert client.get(path).headers["Cache-Control"] == "no-store"


@pytest.mark.django_db
@pytest.mark.parametrize("charset", ["hex", "rot13", "utf-16", "nothing", "utf-8"])
def test_an_address_is_utf_8_whatever_charset_is_said(charset: str) -> None:
    said: list[str] = []
    environ = RequestFactory().get("/api/async-schema?q=%C3%A4").environ
    environ["CONTENT_TYPE"] = f"text/plain; charset={charset}"
    handler: Any = Handler()
    answer = handler(environ, lambda status, _: said.append(status))
    assert said == ["200 OK"]
    assert Handler.request_class(environ).GET["q"] == "ä"
    answer.close()
