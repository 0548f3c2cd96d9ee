import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from klatsch.accounts.models import Session, User
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
ANA = {"username": "ana", "email": "ana@example.org", "password": PASSWORD}


class TestRegister:
    def test_a_person_registers_without_any_cookie_and_is_answered_with_themself(self, browser: Client) -> None:
        answer = post(browser, f"{V1}/auth/register", ANA)
        assert answer.status_code == 201
        body = answer.json()
        assert body.keys() == {"id", "username", "email", "date_joined", "display_name", "about", "read_receipts"}
        assert (uuid.UUID(body["id"]), body["username"]) == (User.objects.get().pk, "ana")
        assert "sessionid" not in browser.cookies

    def test_fields_that_are_wrong_or_missing_are_named(self, browser: Client) -> None:
        assert wrong_fields(post(browser, f"{V1}/auth/register")).keys() == {"username", "email", "password"}
        assert wrong_fields(post(browser, f"{V1}/auth/register", ANA | {"email": "x"})) == {"email": "invalid"}
        make_person("Ana")
        assert wrong_fields(post(browser, f"{V1}/auth/register", ANA)) == {"username": "taken", "email": "taken"}

    @pytest.mark.parametrize("wrong", [None, 7.5, True, [], {}, "", " ana", "a\0b", "\ud800", "x" * 10_000])
    @pytest.mark.parametrize("field", ["username", "email"])
    def test_a_field_of_any_other_shape_is_named(self, browser: Client, field: str, wrong: Any) -> None:
        assert field in wrong_fields(post(browser, f"{V1}/auth/register", ANA | {field: wrong}))

    @pytest.mark.parametrize("wrong", [None, [], {}, "", "a\0bcdefgh", "abcdefgh\ud800", "x" * 10_000])
    def test_a_password_that_is_no_text_is_named(self, browser: Client, wrong: Any) -> None:
        assert wrong_fields(post(browser, f"{V1}/auth/register", ANA | {"password": wrong})).keys() == {"password"}

    def test_fields_that_are_not_asked_for_change_nothing(self, browser: Client) -> None:
        forbidden = {
            "id": str(uuid.UUID(int=7)),
            "is_staff": True,
            "is_superuser": True,
            "is_active": False,
            "date_joined": "2001-01-01T00:00:00Z",
            "last_login": "2001-01-01T00:00:00Z",
            "groups": [1],
        }
        assert post(browser, f"{V1}/auth/register", ANA | forbidden).status_code == 201
        user = User.objects.get()
        assert user.pk != uuid.UUID(int=7)
        assert (user.is_staff, user.is_superuser, user.is_active, user.last_login) == (False, False, True, None)
        assert timezone.now() - user.date_joined < timedelta(minutes=1)

    def test_spaces_belong_to_a_password(self, browser: Client) -> None:
        post(browser, f"{V1}/auth/register", ANA | {"password": f" {PASSWORD} "})
        assert problem(log_in(browser)) == (401, "not_authenticated")


class TestLogIn:
    def test_it_answers_with_the_user_and_sets_session_and_csrf_cookies(self, browser: Client) -> None:
        make_person_with_password()
        answer = log_in(browser)
        assert answer.status_code == 200
        assert answer.json()["username"] == "ana"
        assert browser.cookies["sessionid"]["httponly"]
        assert browser.cookies["sessionid"]["samesite"] == "Lax"
        assert not browser.cookies["csrftoken"]["httponly"]
        assert browser.get(f"{V1}/me").json() == answer.json()

    def test_it_takes_the_address_too(self, browser: Client) -> None:
        make_person_with_password()
        assert post(browser, f"{V1}/auth/login", CREDENTIALS | {"username": "ANA@example.org"}).status_code == 200

    def test_unknown_wrong_and_inactive_are_refused_with_one_answer(self, browser: Client) -> None:
        make_person_with_password("ana")
        make_person_with_password("bob", is_active=False)
        tries = [("ana", "wrong password"), ("bob", PASSWORD), ("nobody", PASSWORD), ("no@example.org", PASSWORD)]
        answers = [
            post(browser, f"{V1}/auth/login", {"username": username, "password": password})
            for username, password in tries
        ]
        assert {problem(answer) for answer in answers} == {(401, "not_authenticated")}
        assert len({answer.content for answer in answers}) == 1
        assert not Session.objects.exists()

    def test_missing_fields_are_named(self, browser: Client) -> None:
        assert wrong_fields(post(browser, f"{V1}/auth/login")) == {"username": "required", "password": "required"}

    def test_a_session_is_renewed_at_login_also_for_the_same_person(self, browser: Client) -> None:
        make_person_with_password()
        log_in(browser)
        first = browser.cookies["sessionid"].value
        assert log_in(browser, headers=csrf(browser)).status_code == 200
        assert browser.cookies["sessionid"].value != first
        assert not Session.objects.filter(pk=first).exists()

    def test_ones_expired_sessions_go_at_login_and_those_of_others_and_live_ones_stay(self, browser: Client) -> None:
        ana, bob = make_person_with_password(), make_person("bob")
        for person in (ana, bob, ana):
            Client().force_login(person)
        gone, others, stays = Session.objects.order_by("created_at").values_list("pk", flat=True)
        Session.objects.filter(pk__in=[gone, others]).update(expire_date=timezone.now() - timedelta(minutes=5))
        log_in(browser)
        assert {others, stays} < set(Session.objects.values_list("pk", flat=True))
        assert not Session.objects.filter(pk=gone).exists()

    def test_a_key_that_was_planted_before_login_is_not_the_sessions(self, browser: Client) -> None:
        make_person_with_password()
        browser.cookies["sessionid"] = "a" * 32
        assert log_in(browser).status_code == 200
        assert browser.cookies["sessionid"].value != "a" * 32

    def test_with_a_session_it_needs_the_csrf_token(self, browser: Client) -> None:
        make_person_with_password()
        log_in(browser)
        assert problem(log_in(browser)) == (403, "forbidden")
        assert problem(post(browser, f"{V1}/auth/register", ANA)) == (403, "forbidden")
        assert problem(post(browser, f"{V1}/auth/tokens", CREDENTIALS)) == (403, "forbidden")

    def test_a_form_of_another_site_cannot_log_anybody_in(self, browser: Client) -> None:
        make_person_with_password()
        for content_type in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"):
            answer = browser.post(f"{V1}/auth/login", '{"username": "ana"}', content_type=content_type)
            assert problem(answer) == (415, "unsupported_media_type")

    def test_a_stale_token_is_no_obstacle(self, browser: Client) -> None:
        make_person_with_password()
        assert log_in(browser, headers={"Authorization": "Bearer stale"}).status_code == 200


class TestLogOut:
    def test_it_ends_the_session_that_it_came_with_and_no_other(self, browser: Client) -> None:
        ana = make_person_with_password()
        other, token = Client(), bearer(ana)
        other.force_login(ana)
        log_in(browser)
        key = browser.cookies["sessionid"].value
        assert post(browser, f"{V1}/auth/logout", headers=csrf(browser)).status_code == 204
        browser.cookies["sessionid"] = key
        assert problem(browser.get(f"{V1}/me")) == (401, "not_authenticated")
        assert other.get(f"{V1}/me").status_code == 200
        assert Client().get(f"{V1}/me", headers=token).status_code == 200

    def test_it_ends_the_token_that_it_came_with_and_no_other(self, browser: Client) -> None:
        ana = make_person()
        one, other = bearer(ana), bearer(ana)
        assert post(browser, f"{V1}/auth/logout", headers=one).status_code == 204
        assert problem(browser.get(f"{V1}/me", headers=one)) == (401, "not_authenticated")
        assert browser.get(f"{V1}/me", headers=other).status_code == 200

    def test_with_a_session_it_needs_the_csrf_token(self, browser: Client) -> None:
        make_person_with_password()
        log_in(browser)
        assert problem(post(browser, f"{V1}/auth/logout")) == (403, "forbidden")
        assert browser.get(f"{V1}/me").status_code == 200

    def test_without_a_credential_there_is_nothing_to_end(self, browser: Client) -> None:
        assert problem(post(browser, f"{V1}/auth/logout")) == (401, "not_authenticated")


class TestMe:
    def test_it_says_who_one_is(self, browser: Client) -> None:
        ana = make_person()
        answer = browser.get(f"{V1}/me", headers=bearer(ana))
        assert answer.status_code == 200
        assert answer.json() | {"date_joined": None} == {
            "id": str(ana.pk),
            "username": "ana",
            "email": "ana@example.org",
            "date_joined": None,
            "read_receipts": True,
            "display_name": "",
            "about": "",
        }
        assert datetime.fromisoformat(answer.json()["date_joined"]) == ana.date_joined

    @pytest.mark.parametrize(
        "header",
        ["Bearer", "Bearer x", "Bearer a b", "bearer " + "0" * 64, "Bearer \xff\xfe", "Bearer \0", "Basic YTpi"],
    )
    def test_a_wrong_credential_is_a_401_with_a_challenge(self, browser: Client, header: str) -> None:
        assert problem(browser.get(f"{V1}/me", headers={"Authorization": header})) == (401, "not_authenticated")

    @pytest.mark.parametrize("key", ["x", "a" * 32, '"\\000aaaaaaaa"', "é" * 32, "a" * 4000])
    def test_a_wrong_session_cookie_is_refused(self, browser: Client, key: str) -> None:
        answer = browser.get(f"{V1}/me", HTTP_COOKIE=f"sessionid={key}")
        assert problem(answer)[0] in {400, 401}

    def test_somebody_who_was_deactivated_is_nobody(self, browser: Client) -> None:
        ana = make_person()
        token = bearer(ana)
        browser.force_login(ana)
        User.objects.update(is_active=False)
        assert problem(browser.get(f"{V1}/me")) == (401, "not_authenticated")
        assert problem(Client().get(f"{V1}/me", headers=token)) == (401, "not_authenticated")

    def test_a_token_costs_one_statement_and_a_session_two(
        self, browser: Client, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        ana = make_person()
        token = bearer(ana)
        with django_assert_num_queries(1):
            Client().get(f"{V1}/me", headers=token)
        browser.force_login(ana)
        with django_assert_num_queries(2):
            browser.get(f"{V1}/me")
