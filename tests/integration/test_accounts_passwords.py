"""A password set in one form of Unicode and typed in another is one password, whatever door it comes through."""

import unicodedata
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.tokens import default_token_generator
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client

from klatsch.accounts.hashing import BCryptAsTyped
from klatsch.accounts.models import User
from klatsch.accounts.passwords import confirm_reset
from klatsch.accounts.services import register_person
from klatsch.processes.management.commands import changepassword
from tests.integration.credentials import ended, live, session_of, token_of
from tests.integration.people import V1, bearer, make_person, post, wrong_fields

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_hashes")]
NFC = unicodedata.normalize("NFC", "Grüße aus Zürich")
NFD = unicodedata.normalize("NFD", NFC)
FORMS = {NFC, NFD, NFC.replace(" ", "\u00a0")}


def from_before(password: str) -> str:
    """Returns the hash as it was made before there was one form."""
    return BCryptAsTyped().encode(password, BCryptAsTyped().salt())


def sign_in_by_each_form() -> set[int]:
    return {
        post(Client(), f"{V1}/auth/{way}", {"username": "ana", "password": form}).status_code
        for way in ("login", "tokens")
        for form in FORMS
    }


def register() -> None:
    register_person(username="ana", email="ana@example.org", password=NFD)


def change() -> None:
    ana = make_person("ana", password=from_before(NFD))
    body = {"old_password": NFD, "new_password": "x" + NFD}
    assert post(Client(), f"{V1}/auth/password", body, headers=bearer(ana)).status_code == 204
    body = {"old_password": "x" + NFC, "new_password": NFD}
    assert post(Client(), f"{V1}/auth/password", body, headers=bearer(User.objects.get())).status_code == 204


def reset() -> None:
    ana = make_person("ana", password=from_before("another"))
    confirm_reset(uid=ana.pk, token=default_token_generator.make_token(ana), new_password=NFD)


def add_by_staff() -> None:
    staff, _ = session_of(make_person("root", is_staff=True, is_superuser=True))
    words = {"username": "ana", "email": "ana@example.org", "usable_password": "true"}
    answer = staff.post("/admin/accounts/user/add/", words | {"password1": NFD, "password2": NFD})
    assert answer.status_code == 302


def change_by_staff() -> None:
    ana = make_person("ana")
    staff, _ = session_of(make_person("root", is_staff=True, is_superuser=True))
    words = {"usable_password": "true", "password1": NFD, "password2": NFD}
    assert staff.post(f"/admin/accounts/user/{ana.pk}/password/", words).status_code == 302


def createsuperuser() -> None:
    User.objects.create_superuser("ana", "ana@example.org", NFD)


def changepassword_command() -> None:
    make_person("ana")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(changepassword, "getpass", lambda _: NFD)
        call_command("changepassword", "ana", stdout=StringIO())


@pytest.mark.parametrize(
    "set_password",
    [register, change, reset, add_by_staff, change_by_staff, createsuperuser, changepassword_command],
)
def test_each_form_signs_in_whatever_door_the_password_was_set_through(set_password: Any) -> None:
    set_password()
    assert sign_in_by_each_form() <= {200, 201}


def test_the_admins_login_takes_each_form() -> None:
    User.objects.create_superuser("ana", "ana@example.org", NFC)
    for form in FORMS:
        answer = Client().post("/admin/login/?next=/admin/", {"username": "ana", "password": form})
        assert (answer.status_code, answer["Location"]) == (302, "/admin/")


def test_a_hash_from_before_signs_in_as_it_was_typed_and_by_each_form_from_then_on() -> None:
    ana = make_person("ana", password=from_before(NFD))
    assert post(Client(), f"{V1}/auth/login", {"username": "ana", "password": NFC}).status_code == 401
    assert post(Client(), f"{V1}/auth/login", {"username": "ana", "password": NFD}).status_code == 200
    renewed = User.objects.get(pk=ana.pk).password
    assert renewed != ana.password
    assert sign_in_by_each_form() <= {200, 201}
    assert User.objects.get(pk=ana.pk).password == renewed


def test_a_password_is_as_long_as_its_letters_are_many() -> None:
    short = unicodedata.normalize("NFD", "äöüäöüä")
    body = {"username": "ana", "email": "ana@example.org", "password": short}
    assert wrong_fields(post(Client(), f"{V1}/auth/register", body)) == {"password": "password_too_short"}


def test_the_command_ends_all_that_was_there_before(monkeypatch: pytest.MonkeyPatch) -> None:
    ana = make_person("ana")
    (_, session), (_, token) = session_of(ana), token_of(ana)
    monkeypatch.setattr(changepassword, "getpass", lambda _: NFC)
    call_command("changepassword", "ana@example.org", stdout=StringIO())
    assert ended() == {session, token}
    assert live(ana, session, token) == set()


@pytest.mark.parametrize("end", [EOFError, KeyboardInterrupt])
def test_the_command_changes_nothing_where_its_question_gets_no_answer(
    monkeypatch: pytest.MonkeyPatch, end: type[BaseException]
) -> None:
    ana = make_person("ana")

    def ask(_: str) -> str:
        raise end

    monkeypatch.setattr(changepassword, "getpass", ask)
    with pytest.raises(CommandError, match=r"Nothing was changed\."):
        call_command("changepassword", "ana", stdout=StringIO())
    assert User.objects.get().password == ana.password


@pytest.mark.parametrize(("username", "email"), [("ANA", "new@example.org"), ("new", "ANA@EXAMPLE.ORG")])
def test_an_administrator_is_not_made_under_a_name_or_an_address_that_is_taken_in_any_case(
    username: str, email: str
) -> None:
    make_person("ana")
    with transaction.atomic(), pytest.raises(CommandError, match="taken"):
        call_command("createsuperuser", "--no-input", "--username", username, "--email", email)


@pytest.mark.parametrize("answers", [["one of two", "two of two"], ["short", "short"]])
def test_the_command_changes_nothing_where_it_refuses(monkeypatch: pytest.MonkeyPatch, answers: list[str]) -> None:
    ana = make_person("ana")
    _, token = token_of(ana)
    monkeypatch.setattr(changepassword, "getpass", lambda _: answers.pop())
    with pytest.raises(CommandError):
        call_command("changepassword", "ana", stdout=StringIO())
    assert User.objects.get().password == ana.password
    assert live(ana, token) == {token}
    with pytest.raises(CommandError, match="No account"):
        call_command("changepassword", "bob", stdout=StringIO())
