import uuid

import pytest
from django.test import Client
from knox.models import AuthToken
from pytest_django import DjangoAssertNumQueries

from klatsch.accounts import admin, person_lock
from klatsch.accounts.models import User
from klatsch.accounts.passwords import confirm_email, confirmation_tokens
from klatsch.accounts.services import create_token
from klatsch.accounts.suspension import lift_suspension, suspend_person
from klatsch.core.errors import BadRequest
from tests.integration.people import (
    PASSWORD,
    admin_form,
    make_person,
    make_person_with_password,
)

pytestmark = pytest.mark.django_db
PEOPLE = "/admin/accounts/user/"
TOKENS = "/admin/knox/authtoken/"


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(make_person("root", is_staff=True, is_superuser=True))
    return client


@pytest.mark.usefixtures("quick_hashes")
def test_staff_log_in_by_username_or_address(client: Client) -> None:
    make_person_with_password("root", is_staff=True)
    answer = client.post("/admin/login/?next=/admin/", {"username": "Root@example.org", "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")


@pytest.mark.usefixtures("no_hashing_slot")
@pytest.mark.parametrize(
    "path", ["/admin/login/", "/admin/password_change/", f"{PEOPLE}add/", f"{PEOPLE}{uuid.UUID(int=0)}/password/"]
)
def test_while_all_hashing_slots_are_taken_staff_are_told_when_to_come_again(
    client: Client, path: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        answer = client.post(path, {"username": "root", "password": PASSWORD})
    assert answer.status_code == 503
    assert answer["Retry-After"] == "1"


def test_people_are_found_by_name_and_address(staff: Client) -> None:
    make_person("ana")
    make_person("bob")
    for words in ("ana", "ana@example.org"):
        answer = staff.get(PEOPLE, {"q": words})
        assert b"ana@example.org" in answer.content
        assert b"bob@example.org" not in answer.content


def test_a_person_can_be_added_and_deactivated(staff: Client) -> None:
    words = {"username": "ana", "email": "ana@example.org", "usable_password": "false"}
    assert staff.post(f"{PEOPLE}add/", words).status_code == 302
    ana = User.objects.get(username="ana")
    assert staff.post(f"{PEOPLE}{ana.pk}/change/", admin_form(ana, is_active="")).status_code == 302
    ana.refresh_from_db()
    assert not ana.is_active


def test_a_person_cannot_be_added_under_a_name_or_address_that_is_taken_in_any_case(staff: Client) -> None:
    make_person("ana")
    for words in ({"username": "ANA", "email": "x@example.org"}, {"username": "bob", "email": "ANA@example.org"}):
        assert staff.post(f"{PEOPLE}add/", words | {"usable_password": "false"}).status_code == 200
    assert User.objects.count() == 2


def test_a_suspension_while_staff_edit_another_field_can_still_be_lifted(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = make_person("ana")
    lock = person_lock.lock_person

    def lock_after_a_suspension(person_id: uuid.UUID) -> User | None:
        suspend_person(person_id=person_id)  # as its commit just before the lock does
        return lock(person_id)

    monkeypatch.setattr(admin, "lock_person", lock_after_a_suspension)
    staff.post(f"{PEOPLE}{ana.pk}/change/", admin_form(ana, email="new@example.org"))
    assert lift_suspension(person_id=ana.pk)
    ana.refresh_from_db()
    assert (ana.is_active, ana.email) == (True, "new@example.org")


def test_a_page_that_staff_opened_before_a_suspension_does_not_lift_it(staff: Client) -> None:
    ana = make_person("ana")
    page = staff.get(f"{PEOPLE}{ana.pk}/change/").content.decode()
    assert all(f'name="initial-{flag}" value="{getattr(ana, flag)}"' in page for flag in ("is_active", "is_staff"))
    suspend_person(person_id=ana.pk)
    assert staff.post(f"{PEOPLE}{ana.pk}/change/", admin_form(ana, email="new@example.org")).status_code == 302
    ana.refresh_from_db()
    assert (ana.is_active, ana.email) == (False, "new@example.org")
    assert ana.suspended_at is not None


@pytest.mark.parametrize("end", ["suspended", "deactivated"])
def test_an_account_that_staff_activated_awaits_no_address_once_it_is_closed(staff: Client, end: str) -> None:
    ana = make_person("ana", is_active=False, awaits_email=True)
    link = confirmation_tokens.make_token(ana)
    staff.post(f"{PEOPLE}{ana.pk}/change/", admin_form(ana, is_active="on"))
    ana.refresh_from_db()
    assert (ana.is_active, ana.awaits_email) == (True, False)
    if end == "suspended":
        suspend_person(person_id=ana.pk)
    else:
        staff.post(f"{PEOPLE}{ana.pk}/change/", admin_form(ana, is_active=""))
    with pytest.raises(BadRequest):
        confirm_email(uid=ana.pk, token=link)
    assert not User.objects.get(pk=ana.pk).is_active


def test_a_username_cannot_be_changed(staff: Client) -> None:
    ana = make_person("ana")
    assert (
        staff.post(f"{PEOPLE}{ana.pk}/change/", admin_form(ana, username="eve", email="new@example.org")).status_code
        == 302
    )
    ana.refresh_from_db()
    assert (ana.username, ana.email) == ("ana", "new@example.org")


def test_nobody_can_be_deleted(staff: Client) -> None:
    ana = make_person("ana")
    assert staff.post(f"{PEOPLE}{ana.pk}/delete/", {"post": "yes"}).status_code == 403
    staff.post(PEOPLE, {"action": "delete_selected", "_selected_action": [str(ana.pk)], "post": "yes"})
    assert User.objects.filter(pk=ana.pk).exists()


def test_tokens_can_be_seen_and_ended_and_no_more(staff: Client) -> None:
    create_token(person=make_person("ana"))
    kept = AuthToken.objects.get()
    page = staff.get(TOKENS).content.decode()
    assert kept.token_key in page
    assert f">{kept.digest}<" not in page
    assert staff.get(f"{TOKENS}add/").status_code == 403
    assert staff.post(f"{TOKENS}{kept.pk}/change/", {"expiry_0": "2999-01-01"}).status_code == 403
    assert staff.post(f"{TOKENS}{kept.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not AuthToken.objects.exists()
