import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from klatsch.accounts.models import User
from klatsch.accounts.services import register_person
from klatsch.core.errors import BadRequest
from tests.integration.people import PASSWORD, make_person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_hashes")]


def refusals(*, username: str = "ana", email: str = "ana@example.org", password: str = PASSWORD) -> dict[str, str]:
    with pytest.raises(BadRequest) as caught:
        register_person(username=username, email=email, password=password)
    return {error.field: error.code for error in caught.value.fields}


def test_a_registered_person_is_active_and_their_password_is_hashed() -> None:
    profile = register_person(username="ana", email="Ana@EXAMPLE.org", password=PASSWORD)
    user = User.objects.get()
    assert (profile.id, profile.username, profile.email) == (user.pk, "ana", "Ana@example.org")
    assert user.is_active
    assert not user.is_staff
    assert user.password.startswith("bcrypt_sha256$")
    assert user.check_password(PASSWORD)


def test_every_field_that_is_wrong_is_named() -> None:
    assert refusals(username="a b", email="nowhere", password="12345").keys() == {"username", "email", "password"}
    assert not User.objects.exists()


@pytest.mark.parametrize("username", ["", "ána", "аna", ".ana", "-ana", "a/b", "a@b", "ana\n", "ana\0", "a" * 65, "Ⅸ"])
def test_a_username_is_ascii_letters_digits_dots_dashes_and_underscores(username: str) -> None:
    assert "username" in refusals(username=username)


@pytest.mark.parametrize("password", ["short1", "password123", "90210902109", "ana.example"])
def test_a_weak_password_is_refused_by_djangos_validators(password: str) -> None:
    assert "password" in refusals(username="ana.example", password=password)


def test_a_name_is_taken_in_any_case() -> None:
    make_person("Ana")
    assert refusals(username="aNA", email="other@example.org") == {"username": "taken"}


def test_an_address_is_taken_in_any_case() -> None:
    make_person("ana")
    assert refusals(username="bob", email="ANA@Example.Org") == {"email": "taken"}


def test_name_and_address_that_are_taken_are_both_named() -> None:
    make_person("ana")
    assert refusals() == {"username": "taken", "email": "taken"}


def test_the_name_of_somebody_inactive_is_never_used_again() -> None:
    make_person("ana", is_active=False)
    assert refusals(email="other@example.org") == {"username": "taken"}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("username", "email"), [("Ana", "ana{}@example.org"), ("ana{}", "ana@example.org")])
def test_of_registrations_of_one_name_at_once_one_is_made_and_the_others_are_told(username: str, email: str) -> None:
    together = threading.Barrier(4)

    def register(number: int) -> str:
        try:
            together.wait(5)
            register_person(username=username.format(number), email=email.format(number), password=PASSWORD)
        except BadRequest as refusal:
            return refusal.fields[0].code
        finally:
            connections.close_all()
        return "made"

    with ThreadPoolExecutor(4) as pool:
        outcomes = sorted(pool.map(register, range(4)))
    assert outcomes == ["made", "taken", "taken", "taken"]
    assert User.objects.count() == 1
