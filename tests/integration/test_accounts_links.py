"""Links that sign in without a password: once, for minutes, and only as long as nothing has ended them."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from klatsch.accounts.links import create_sign_in_link
from klatsch.accounts.models import Session, SignInLink
from klatsch.accounts.passwords import set_password
from klatsch.accounts.revocation import deactivate_person
from tests.integration.people import V1, csrf, log_in, make_person, make_person_with_password, post, problem

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_hashes")]


def follow(client: Client, token: str, **more: Any) -> Any:
    return post(client, f"{V1}/auth/link", {"token": token}, **more)


def test_a_link_signs_its_person_in(browser: Client) -> None:
    link = create_sign_in_link(person=make_person())
    answer = follow(browser, link)
    assert (answer.status_code, answer.json()["username"]) == (200, "ana")
    assert browser.get(f"{V1}/me").json()["username"] == "ana"


def test_a_link_works_once(browser: Client) -> None:
    link = create_sign_in_link(person=make_person())
    assert follow(browser, link).status_code == 200
    second = Client()
    assert problem(follow(second, link)) == (401, "not_authenticated")
    assert problem(second.get(f"{V1}/me")) == (401, "not_authenticated")


def test_a_link_that_has_expired_is_refused_and_deleted_with_the_next_one(browser: Client) -> None:
    ana = make_person()
    link = create_sign_in_link(person=ana)
    SignInLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert problem(follow(browser, link)) == (401, "not_authenticated")
    create_sign_in_link(person=ana)
    assert SignInLink.objects.count() == 1


@pytest.mark.parametrize("token", ["x", "x" * 43, "é"])
def test_what_is_no_link_is_refused_like_one_that_was_used(browser: Client, token: str) -> None:
    link = create_sign_in_link(person=make_person())
    follow(browser, link)
    assert follow(browser, token).json() == follow(browser, link).json()


def test_only_a_digest_of_a_link_is_stored() -> None:
    link = create_sign_in_link(person=make_person())
    assert not any(link in str(row) for row in SignInLink.objects.values_list())


def test_a_link_ends_with_a_new_password_and_with_the_account(browser: Client) -> None:
    ana = make_person_with_password()
    link = create_sign_in_link(person=ana)
    set_password(person_id=ana.pk, password="staple correct horse")
    assert problem(follow(browser, link)) == (401, "not_authenticated")
    ana.refresh_from_db()
    link = create_sign_in_link(person=ana)
    deactivate_person(person=ana)
    assert problem(follow(browser, link)) == (401, "not_authenticated")
    assert not SignInLink.objects.exists()


def test_a_browser_that_is_signed_in_needs_its_csrf_token_and_ends_its_session(browser: Client) -> None:
    make_person_with_password()
    log_in(browser)
    link = create_sign_in_link(person=make_person("bob"))
    assert problem(follow(browser, link)) == (403, "forbidden")
    assert follow(browser, link, headers=csrf(browser)).status_code == 200
    assert browser.get(f"{V1}/me").json()["username"] == "bob"
    assert [session.user.username for session in Session.objects.all() if session.user] == ["bob"]
