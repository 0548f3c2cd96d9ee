import re
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import DataError, InterfaceError, OperationalError
from django.test import Client
from rest_framework import serializers
from rest_framework.exceptions import Throttled

from klatsch.accounts import queries
from klatsch.api.errors import problem_of
from klatsch.core.errors import RateLimited
from klatsch.core.http_limits import BODY_BYTES_MOST
from tests.integration.people import bearer, make_person, post, problem, wrong_fields

pytestmark = pytest.mark.django_db
LOGIN = "/api/v1/auth/login"


def send(client: Client, body: bytes | str, content_type: str = "application/json", **more: Any) -> Any:
    return client.post(LOGIN, body, content_type=content_type, **more)


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "nonsense",
        "{'a': 1}",
        '{"username": NaN}',
        b"\xff\xfe",
        b'{"username": "\xed\xa0\x80"}',
        "[" * 100_000,
        "7e",
    ],
)
def test_a_body_that_is_no_json_is_a_bad_request(client: Client, body: bytes | str) -> None:
    assert problem(send(client, body)) == (400, "bad_request")


@pytest.mark.parametrize("body", ["[]", "7", "null", '"text"', "[{}]", "true"])
def test_a_body_that_is_no_object_is_a_bad_request(client: Client, body: str) -> None:
    assert problem(send(client, body)) == (400, "bad_request")


def test_a_charset_that_is_none_is_a_bad_request(client: Client) -> None:
    answer = client.generic("POST", LOGIN, b"{}", "application/json; charset=bz2_codec")
    assert problem(answer) == (400, "bad_request")


def test_a_body_beyond_256_kb_is_too_large(client: Client) -> None:
    fits = b'{"username": "' + b"x" * (BODY_BYTES_MOST - 16) + b'"}'
    assert len(fits) == BODY_BYTES_MOST
    assert wrong_fields(send(client, fits)) == {"username": "max_length", "password": "required"}
    assert problem(send(client, fits + b" ")) == (413, "too_large")


def test_a_body_in_chunks_is_refused_as_it_would_seem_empty(client: Client) -> None:
    assert problem(send(client, b"", HTTP_TRANSFER_ENCODING="chunked")) == (411, "length_required")


def test_a_nul_or_a_lone_surrogate_is_named_by_its_field(client: Client) -> None:
    for text in (r"a\u0000b", r"\ud800", r"\udc00\ud800"):
        answer = send(client, f'{{"username": "{text}", "password": "{text}"}}')
        assert wrong_fields(answer).keys() == {"username", "password"}


def test_a_sentence_that_repeats_what_was_sent_is_short_and_has_no_lone_surrogate() -> None:
    """The framework says of a wrong choice what it was. It cannot be answered as it came."""
    choice = serializers.ChoiceField(["spam"])
    for sent in ("\ud800", "x" * 200_000 + "\udc00"):
        with pytest.raises(serializers.ValidationError) as refused:
            choice.run_validation(sent)
        answered = problem_of(serializers.ValidationError({"reason": refused.value.detail}))
        assert answered is not None
        [error] = answered.errors
        assert error.field == "reason"
        assert len(error.detail.encode()) <= 300


def test_a_path_that_is_none_is_not_found(client: Client) -> None:
    for path in ("/api/v1/nothing", "/api/", "/api/v1/me/", "/api/v1/%00"):
        assert problem(client.get(path)) == (404, "not_found")


def test_a_method_that_a_path_has_not_is_answered_with_those_it_has(client: Client) -> None:
    answer = client.put(LOGIN, "{}", content_type="application/json")
    assert problem(answer) == (405, "method_not_allowed")
    assert answer["Allow"] == "POST, OPTIONS"
    assert client.options(LOGIN).status_code == 200


def test_what_cannot_be_answered_in_the_form_asked_for_is_406(client: Client) -> None:
    headers = bearer(make_person()) | {"Accept": "text/csv"}
    for path in ("/api/v1/me", "/api/v1/messages", "/api/v1/conversations"):
        assert problem(client.get(path, headers=headers)) == (406, "not_acceptable")


def test_a_host_that_is_not_ours_is_a_bad_request(client: Client) -> None:
    assert problem(client.get("/api/v1/me", HTTP_HOST="evil.example")) == (400, "bad_request")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (OperationalError("connection to 10.0.0.7 failed"), 503, "unavailable"),
        (InterfaceError("the connection is closed"), 503, "unavailable"),
        (DataError("invalid byte sequence: secret"), 400, "bad_request"),
        (PermissionDenied("secret"), 403, "forbidden"),
        (RateLimited("Too fast.", retry_after=0.2), 429, "rate_limited"),
        (Throttled(7), 429, "rate_limited"),
    ],
)
def test_what_goes_wrong_below_has_its_answer_which_says_nothing_of_what_is_there(
    client: Client, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, code: str
) -> None:
    headers = bearer(make_person())

    def fail(_: str) -> None:
        raise error

    monkeypatch.setattr(queries, "get_person", fail)
    answer = client.get("/api/v1/users/ana", headers=headers)
    assert problem(answer) == (status, code)
    assert b"secret" not in answer.content
    assert b"10.0.0.7" not in answer.content


def test_a_fault_of_ours_is_a_500_that_says_nothing(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = bearer(make_person())
    client.raise_request_exception = False

    def fail(_: str) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(queries, "get_person", fail)
    answer = client.get("/api/v1/users/ana", headers=headers)
    assert problem(answer) == (500, "internal_error")
    assert b"secret" not in answer.content


def test_seconds_to_wait_are_rounded_up_in_the_header_and_exact_in_the_body() -> None:
    answer = problem_of(RateLimited("Too fast.", retry_after=0.2))
    assert answer is not None
    assert answer.headers()["Retry-After"] == "1"
    assert answer.body()["retry_after"] == 0.2


def is_page(answer: Any, status: int) -> bool:
    """Returns whether the answer is the page of that error, with a policy that lets nothing in it run."""
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert b"style=" not in answer.content
    assert b"<style" not in answer.content
    says = b"Error %d" % status in answer.content
    return answer.status_code == status and answer["Content-Type"] == "text/html; charset=utf-8" and says


def test_an_address_that_is_none_is_a_page_whose_files_are_there(client: Client) -> None:
    answer = client.get("/nothing")
    assert is_page(answer, 404)
    addresses = re.findall(r'(?:src|href)="(/static/[^"]+)"', answer.content.decode())
    assert len(addresses) >= 3
    for address in addresses:
        assert b"".join(client.get(address)), address  # read whole, so that the file is closed


def test_a_host_that_is_not_ours_gets_a_page(client: Client) -> None:
    assert is_page(client.get("/", HTTP_HOST="evil.example"), 400)


def test_a_csrf_failure_outside_the_api_is_a_page(db: None) -> None:
    answer = Client(enforce_csrf_checks=True).post("/admin/login/", {"username": "ana"})
    assert is_page(answer, 403)


@pytest.mark.parametrize(
    ("error", "status"), [(OperationalError("10.0.0.7"), 503), (ZeroDivisionError("10.0.0.7"), 500)]
)
def test_what_goes_wrong_below_a_page_is_a_page_that_says_nothing_of_it(
    client: Client, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    client.raise_request_exception = False

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("klatsch.accounts.sessions.SessionStore.load", fail)
    client.cookies["sessionid"] = "x" * 32
    answer = client.get("/admin/")
    assert is_page(answer, status)
    assert b"10.0.0.7" not in answer.content


def test_an_error_of_one_field_among_many_says_which(client: Client) -> None:
    answer = post(client, LOGIN, {"username": ["ana"], "password": {"a": "b"}})
    assert wrong_fields(answer) == {"username": "invalid", "password": "invalid"}
