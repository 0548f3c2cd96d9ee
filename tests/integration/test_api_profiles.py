"""One's profile, one's sessions and tokens with device and last use, and leaving."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client, RequestFactory
from django.utils import timezone
from knox.models import AuthToken
from pytest_django import DjangoAssertNumQueries

from klatsch.accounts.devices import device_of
from klatsch.accounts.models import Session, TokenUse, User
from klatsch.core.http_limits import BODY_BYTES_MOST
from klatsch.records.people import credential_digest
from tests.integration.credentials import ended, promised, session_of, token_of
from tests.integration.people import (
    CREDENTIALS,
    PASSWORD,
    V1,
    bearer,
    csrf,
    log_in,
    make_person,
    make_person_with_password,
    post,
    problem,
    wrong_fields,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_hashes")]
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 "
    "Mobile/15E148 Safari/604.1"
)


def patch(headers: dict[str, str], **fields: Any) -> Any:
    return Client().patch(f"{V1}/me", fields, content_type="application/json", headers=headers)


class TestProfile:
    def test_what_is_named_is_changed_and_shown_to_others(self) -> None:
        headers = bearer(make_person())
        assert patch(headers, display_name="Ana María", about="Tea.\nAnd cake.").status_code == 200
        answer = patch(headers, display_name="Ana").json()
        assert (answer["display_name"], answer["about"]) == ("Ana", "Tea.\nAnd cake.")
        assert Client().get(f"{V1}/me", headers=headers).json() == answer
        others = Client().get(f"{V1}/users/ANA", headers=bearer(make_person("bob"))).json()
        assert (others["display_name"], others["about"]) == ("Ana", "Tea.\nAnd cake.")
        assert patch(headers, display_name="", about="").json()["about"] == ""

    def test_nothing_else_can_be_changed(self) -> None:
        ana = make_person()
        before = User.objects.filter(pk=ana.pk).values().get()
        body = {"username": "eve", "email": "e@example.org", "is_staff": True, "id": "x", "is_active": False}
        assert patch(bearer(ana), **body).status_code == 200
        assert User.objects.filter(pk=ana.pk).values().get() == before

    @pytest.mark.parametrize(
        ("field", "wrong"),
        [
            ("display_name", "x" * 65),
            ("display_name", "a\nb"),
            ("display_name", None),
            ("display_name", 7),
            ("about", "x" * 501),
            ("about", "\0"),
            ("display_name", "a\u2028b"),
            ("display_name", "\u200b\u00ad"),
            ("about", "\x1b[2J"),
            ("about", " \n\u3164"),
            ("about", "\ud800"),
            ("read_receipts", 0),
            ("read_receipts", "false"),
        ],
    )
    def test_what_is_wrong_is_named(self, field: str, wrong: Any) -> None:
        assert wrong_fields(patch(bearer(make_person()), **{field: wrong})).keys() == {field}

    @pytest.mark.parametrize("field", ["display_name", "about"])
    def test_a_text_of_256_kib_that_ends_in_a_control_character_is_refused_quickly_for_its_length_alone(
        self, field: str
    ) -> None:
        headers, text = bearer(make_person()), "a" * (BODY_BYTES_MOST - 100) + "\x01"
        began_s = time.thread_time()
        answer = patch(headers, **{field: text})
        assert time.thread_time() - began_s < 1
        assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [(field, "max_length")]


class TestSessions:
    def test_my_sessions_are_listed_with_device_and_last_use_and_never_by_their_key(self) -> None:
        make_person_with_password()
        firefox, phone = Client(headers={"User-Agent": FIREFOX}), Client(headers={"User-Agent": PHONE})
        log_in(firefox)
        log_in(phone)
        session_of(make_person("bob"))
        answer = phone.get(f"{V1}/auth/sessions")
        rows = answer.json()["results"]
        assert [(row["device"], row["current"]) for row in rows] == [
            ("Safari on iPhone", True),
            ("Firefox on Linux", False),
        ]
        assert rows[0]["id"] == credential_digest(phone.cookies["sessionid"].value)
        assert phone.cookies["sessionid"].value not in answer.content.decode()
        assert rows[0].keys() == {"id", "device", "created_at", "last_used_at", "expires_at", "current"}
        page = phone.get(f"{V1}/auth/sessions", {"limit": "1"}).json()
        assert phone.get(page["next"]).json()["results"] == rows[1:]

    def test_one_of_them_ends_by_its_id_and_nobody_elses_does(self) -> None:
        ana = make_person_with_password()
        mine, _ = session_of(ana)
        (_, other), (_, bobs) = session_of(ana), session_of(make_person("bob"))
        assert mine.delete(f"{V1}/auth/sessions/{other}").status_code == 204
        assert ended() == {other}
        for wrong in (other, bobs, "x", mine.cookies["sessionid"].value):
            assert problem(mine.delete(f"{V1}/auth/sessions/{wrong}")) == (404, "not_found")
        assert Session.objects.count() == 2

    def test_ending_the_one_that_asks_is_a_logout(self) -> None:
        mine, digest = session_of(make_person())
        assert mine.delete(f"{V1}/auth/sessions/{digest}").status_code == 204
        assert problem(mine.get(f"{V1}/me")) == (401, "not_authenticated")


class TestTokens:
    def test_tokens_are_listed_with_device_and_last_use_without_a_write_for_each_request(
        self, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        make_person_with_password()
        made = post(Client(headers={"User-Agent": "curl/8.5.0"}), f"{V1}/auth/tokens", CREDENTIALS).json()
        headers = {"Authorization": f"Bearer {made['token']}"}
        [row] = Client().get(f"{V1}/auth/tokens", headers=headers).json()["results"]
        assert (row["device"], row["last_used_at"] is not None) == ("curl/8.5.0", True)
        TokenUse.objects.update(last_used_at=timezone.now() - timedelta(minutes=6))
        Client().get(f"{V1}/me", headers=headers)
        assert timezone.now() - TokenUse.objects.get().last_used_at < timedelta(minutes=1)
        with django_assert_num_queries(1):
            Client().get(f"{V1}/me", headers=headers)

    def test_a_token_that_nobody_knows_the_use_of_works(self) -> None:
        headers, _ = token_of(make_person())
        TokenUse.objects.all().delete()
        assert Client().get(f"{V1}/me", headers=headers).status_code == 200
        assert TokenUse.objects.count() == 1


class TestLeaving:
    def test_with_the_password_everything_ends_and_nobody_comes_in(self) -> None:
        ana = make_person_with_password()
        client = Client(enforce_csrf_checks=True)
        log_in(client)
        bearer(ana)
        path = f"{V1}/me/deactivate"
        assert wrong_fields(post(client, path, {"password": "wrong"}, headers=csrf(client))) == {"password": "wrong"}
        assert post(client, path, {"password": PASSWORD}, headers=csrf(client)).status_code == 204
        assert [(event.what, event.credentials) for event in promised()] == [("deactivated", "all")]
        assert not Session.objects.exists()
        assert not AuthToken.objects.exists()
        assert log_in(Client()).status_code == 401
        assert problem(Client().get(f"{V1}/users/ana", headers=bearer(make_person("bob")))) == (404, "not_found")


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        (FIREFOX, "Firefox on Linux"),
        (PHONE, "Safari on iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("python-httpx/0.28.1", "python-httpx/0.28.1"),
        ("<script>", ""),
        ("x" * 500, "x" * 64),
        ("", ""),
    ],
)
def test_a_device_is_told_in_two_words(agent: str, device: str) -> None:
    assert device_of(RequestFactory().get("/", HTTP_USER_AGENT=agent)) == device
