"""One e-mail address, however its domain is spelled, is one person's, at every door and in the database."""

from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.core import mail
from django.core.management.base import CommandError
from django.db import IntegrityError, connection, transaction
from django.test import Client

from klatsch.accounts.addresses import address_key, fold_address
from klatsch.accounts.models import User
from tests.integration.credentials import session_of, settled
from tests.integration.people import (
    PASSWORD,
    V1,
    admin_form,
    make_person,
    make_person_with_password,
    post,
    register,
    wrong_fields,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_hashes")]
KEPT = "Ana@xn--bcher-kva.example"
SPELLINGS = [
    KEPT,
    "ana@bücher.example",
    "ANA@BÜCHER.Example",
    "ana@bu\u0308cher.example",
    "Ana@XN--BCHER-KVA.example",
    "ana@bücher\u3002example",
]
migration: Any = import_module("klatsch.accounts.migrations.0006_addresses")


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Ana@Example.ORG", "Ana@example.org"),
        ("Ana@BÜCHER.example", KEPT),
        ("ana@straße.example", "ana@xn--strae-oqa.example"),  # another domain than strasse.example
        ("ana@[192.0.2.1]", "ana@[192.0.2.1]"),
        ("ana@i\u2764.example", "ana@i\u2764.example"),  # no domain that DNS can have
        ("ana@xn--a.example", "ana@xn--a.example"),
        ("ana", "ana"),
        ("@", "@"),
        ("ana@" + "ü" * 300, "ana@" + "ü" * 300),
    ],
)
def test_an_address_is_kept_with_its_domain_as_dns_has_it(typed: str, kept: str) -> None:
    assert fold_address(typed) == kept
    assert fold_address(kept) == kept


def test_letters_that_some_lower_to_ascii_are_others() -> None:
    assert len({address_key(f"{local}@example.org") for local in ("ai", "aı", "aİ", "ak", "a\u212a", "as", "aſ")}) == 7
    assert address_key("AI@Example.org") == address_key("ai@example.org")


def test_a_registration_keeps_one_spelling_and_refuses_the_others() -> None:
    assert register(email="Ana@BÜCHER.example").json()["email"] == KEPT
    assert User.objects.get().email == KEPT
    for spelling in SPELLINGS:
        assert wrong_fields(register("bob", spelling)) == {"email": "taken"}
    assert wrong_fields(register("bob", "ana@i\u2764.example")) == {"email": "invalid"}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_each_spelling_signs_in(spelling: str) -> None:
    make_person_with_password(email="Ana@Bücher.example")
    for way in ("login", "tokens"):
        answer = post(Client(), f"{V1}/auth/{way}", {"username": spelling, "password": PASSWORD})
        assert answer.status_code in (200, 201)


@pytest.mark.django_db(transaction=True)
def test_each_spelling_asks_for_a_reset_which_goes_to_the_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.ENV, "KLATSCH_RESETS_PER_HOUR", len(SPELLINGS))
    make_person_with_password(email=KEPT)
    answers = [post(Client(), f"{V1}/auth/password/reset", {"email": email}) for email in [*SPELLINGS, KEPT]]
    assert [answer.status_code for answer in answers] == [202] * len(SPELLINGS) + [429]
    settled()
    assert [letter.to for letter in mail.outbox] == [[KEPT]] * len(SPELLINGS)


def test_guesses_by_all_spellings_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.ENV, "KLATSCH_SIGN_IN_FAILURES", len(SPELLINGS))
    guesses = [{"username": email, "password": "wrong"} for email in [*SPELLINGS, KEPT]]
    codes = [post(Client(), f"{V1}/auth/login", guess).status_code for guess in guesses]
    assert codes == [401] * len(SPELLINGS) + [429]


def test_staff_write_the_one_spelling_and_give_nobody_anothers() -> None:
    make_person("ana", email=KEPT)
    bob = make_person("bob")
    staff, _ = session_of(make_person("root", is_staff=True, is_superuser=True))
    path = f"/admin/accounts/user/{bob.pk}/change/"
    assert staff.post(path, admin_form(bob, email="ana@bücher.example")).status_code == 200
    assert staff.post(path, admin_form(bob, email="bob@bücher.example")).status_code == 302
    assert User.objects.get(username="bob").email == "bob@xn--bcher-kva.example"


def test_the_database_takes_no_second_spelling() -> None:
    make_person("ana", email="Ana@bücher.example")
    with pytest.raises(IntegrityError), transaction.atomic():
        make_person("bob", email="ana@BÜCHER.example")
    bob = make_person("bob")
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=bob.pk).update(email="ana@BÜCHER.example")


def write_as_before(person: User, email: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_user SET email = %s WHERE id = %s", [email, person.pk])


def migrate() -> None:
    with connection.schema_editor() as editor:
        migration.fold_addresses(apps, editor)


def test_rows_from_before_are_folded() -> None:
    ana, bob = make_person("ana"), make_person("bob")
    write_as_before(ana, "Ana@BÜCHER.example")
    migrate()
    assert dict(User.objects.values_list("username", "email")) == {"ana": KEPT, "bob": bob.email}


def test_people_whose_addresses_are_one_are_named_and_nothing_is_changed() -> None:
    ana, bob, cleo = (make_person(name) for name in ("ana", "bob", "cleo"))
    write_as_before(ana, "ana@bücher.example")
    write_as_before(bob, "ANA@xn--bcher-kva.example")
    write_as_before(cleo, "cleo@bücher.example")
    before = dict(User.objects.values_list("username", "email"))
    with pytest.raises(CommandError, match="differently spelled: ana, bob"):
        migrate()
    assert dict(User.objects.values_list("username", "email")) == before
