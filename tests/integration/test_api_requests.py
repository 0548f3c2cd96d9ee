"""Every request has an id that its answer tells, and counts; its address is UTF-8."""

import contextlib
import time
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.http.multipartparser import MultiPartParserError
from django.test import Client, RequestFactory, override_settings

from klatsch.api.requests import Handler
from klatsch.core.metrics import REQUESTS


def test_a_cookie_that_takes_long_to_read_is_left_out_and_the_others_are_read() -> None:
    environ = RequestFactory().get("/").environ
    environ["HTTP_COOKIE"] = 'one=1; a="' + "\\" * 10_000 + '"; two="2"'
    assert Handler.request_class(environ).COOKIES == {"one": "1", "two": "2"}


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


def ask_as(content_type: str, method: str, path: str, body: str) -> tuple[int, dict[str, str]]:
    """Returns the status and the headers of the application's answer, as a server's worker gets them."""
    said: list[tuple[int, dict[str, str]]] = []
    environ = RequestFactory().generic(method, path, body, content_type="text/plain").environ
    environ["CONTENT_TYPE"] = content_type
    handler: Any = Handler()
    handler(environ, lambda status, headers: said.append((int(status[:3]), dict(headers)))).close()
    [answer] = said
    return answer


REFUSED_BY_DJANGO = "a*=nope''x"
MANY_DIGITS = f"a*{'9' * 5_000}=x"
MANY_SEMICOLONS = '"' + ";" * 15_500


@pytest.mark.django_db
@pytest.mark.parametrize("parameter", [REFUSED_BY_DJANGO, MANY_DIGITS, MANY_SEMICOLONS, "charset=hex", "a*0*=x; a*1=y"])
@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/json", "application/x-www-form-urlencoded", "multipart/form-data", "Multipart/X", ""],
)
def test_no_content_type_makes_a_request_fail_before_it_has_an_id(kind: str, parameter: str) -> None:
    for method, path, body in (
        ("GET", "/livez", ""),
        ("GET", "/api/v1/me", ""),
        ("PATCH", "/api/v1/me", "{}"),
        ("POST", "/api/v1/auth/link", ""),
        ("POST", "/api/v1/auth/link", "{}"),
        ("POST", "/admin/", "a=b"),
        ("POST", "/nowhere", "a=b"),
    ):
        status, headers = ask_as(f"{kind}; {parameter}", method, path, body)
        assert status < 500
        assert headers["X-Request-ID"]


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data"])
def test_a_content_type_of_16_kib_takes_no_time_to_read(kind: str) -> None:
    environ = RequestFactory().post("/", "a=b", content_type="text/plain").environ
    began_s = time.thread_time()
    for _ in range(10):
        request = Handler.request_class({**environ, "CONTENT_TYPE": f"{kind}; {MANY_SEMICOLONS}"})
        with contextlib.suppress(MultiPartParserError):
            assert request.POST.dict() == {}
    assert time.thread_time() - began_s < 0.5  # each took 0.2 s


@pytest.mark.parametrize("parameters", ["", "; charset=utf-8", "; a*=nope''x"])
def test_a_form_is_read_whatever_else_its_type_says(parameters: str) -> None:
    environ = RequestFactory().post("/", "a=%C3%A4", content_type="text/plain").environ
    environ["CONTENT_TYPE"] = f"Application/X-WWW-Form-Urlencoded {parameters}"
    assert Handler.request_class(environ).POST.dict() == {"a": "ä"}


def test_a_multipart_form_is_read_by_its_boundary() -> None:
    environ = RequestFactory().post("/", {"a": "ä"}).environ
    assert Handler.request_class(environ).POST.dict() == {"a": "ä"}
