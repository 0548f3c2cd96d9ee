"""Guessing is limited by account and by address, for all processes together and not for ever (D16)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connections, transaction
from django.db.models import F
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries

from klatsch.accounts.limits import client_network, count_registration
from klatsch.accounts.models import Attempts, User
from klatsch.accounts.queries import find_by_login
from klatsch.core.errors import RateLimited
from tests.integration.people import (
    PASSWORD,
    V1,
    bearer,
    log_in,
    make_person,
    make_person_with_password,
    post,
    problem,
    register,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_hashes")]
LOGIN, TOKENS = f"{V1}/auth/login", f"{V1}/auth/tokens"


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, most in (
        ("KLATSCH_SIGN_IN_FAILURES", 3),
        ("KLATSCH_SIGN_IN_FAILURES_ADDRESS", 6),
        ("KLATSCH_REGISTRATIONS_PER_HOUR", 2),
        ("KLATSCH_RESETS_PER_HOUR", 2),
    ):
        monkeypatch.setitem(settings.ENV, name, most)


def guess(username: str = "ana", given: str = "wrong", path: str = LOGIN, address: str = "192.0.2.1") -> Any:
    return post(Client(), path, {"username": username, "password": given}, REMOTE_ADDR=address)


def later(**time: int) -> None:
    """Moves the attempts back, as if so much time had passed."""
    Attempts.objects.update(since=F("since") - timedelta(**time))


def is_limited(answer: Any) -> bool:
    if answer.status_code != 429:
        return False
    assert problem(answer) == (429, "rate_limited")
    return 0 < int(answer["Retry-After"]) <= 3600


def test_a_name_is_closed_to_guesses_from_anywhere_in_any_case_and_by_all_ways() -> None:
    make_person_with_password()
    for number, name in enumerate(["ana", "ANA", "Ana"]):
        assert guess(name, path=[LOGIN, TOKENS][number % 2], address=f"192.0.2.{number}").status_code == 401
    assert is_limited(guess(given=PASSWORD, address="192.0.2.9"))
    assert is_limited(guess(given=PASSWORD, path=TOKENS, address="192.0.2.9"))


def test_nobody_learns_by_it_that_a_name_and_an_address_are_one_account() -> None:
    make_person_with_password("ana")
    make_person_with_password("bob")
    for number in range(4):
        guess("ana@example.org", address=f"192.0.2.{number}")
    answers = [guess(name, address="198.51.100.1") for name in ("ana", "bob", "nobody")]
    assert [(answer.status_code, answer.json()["detail"]) for answer in answers] == [
        (401, "The username or password is wrong.")
    ] * 3


def test_the_admins_login_is_limited_too() -> None:
    make_person_with_password(is_staff=True)
    for _ in range(3):
        guess()
    client = Client(raise_request_exception=False)
    answer = client.post("/admin/login/", {"username": "ana", "password": PASSWORD})
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0


def test_nobody_learns_by_it_who_exists() -> None:
    make_person_with_password()
    answers = {name: [guess(name, address=f"192.0.2.{n}") for _ in range(4)] for n, name in enumerate(["ana", "bob"])}
    known, unknown = ([(a.status_code, a.json()["detail"]) for a in some] for some in answers.values())
    assert known == unknown


def test_the_cool_off_ends_however_many_guesses_go_on() -> None:
    make_person_with_password()
    for _ in range(4):
        guess()
    later(minutes=14)
    assert is_limited(guess(given=PASSWORD))
    later(minutes=2)
    assert guess(given=PASSWORD).status_code == 200


def test_an_address_is_closed_to_guesses_at_many_accounts_and_others_are_not() -> None:
    make_person_with_password()
    assert [guess(f"person{n}").status_code for n in range(6)] == [401] * 6
    assert is_limited(guess(given=PASSWORD))
    assert guess(given=PASSWORD, address="198.51.100.1").status_code == 200


def test_a_success_takes_its_try_back_and_opens_the_account_anew() -> None:
    make_person_with_password()
    for _ in range(5):
        assert guess().status_code == 401
        assert guess(given=PASSWORD).status_code == 200
    assert [guess(f"person{n}").status_code for n in range(2)] == [401, 429]


def change_own(headers: dict[str, str], old_password: str, **more: Any) -> Any:
    body = {"old_password": old_password, "new_password": "another horse battery"}
    return post(Client(), f"{V1}/auth/password", body, headers=headers, **more)


def test_a_session_left_open_is_no_way_to_guess_the_password() -> None:
    headers = bearer(make_person_with_password())
    assert [change_own(headers, "wrong").status_code for _ in range(4)] == [400, 400, 400, 429]
    assert is_limited(post(Client(), f"{V1}/me/deactivate", {"password": PASSWORD}, headers=headers))


def test_strangers_failures_do_not_keep_somebody_from_changing_their_password() -> None:
    headers = bearer(make_person_with_password())
    answers = [guess(name) for name in ("ana", "ana@example.org") for _ in range(4)]
    assert {answer.status_code for answer in answers} == {401, 429}
    assert change_own(headers, PASSWORD, REMOTE_ADDR="192.0.2.1").status_code == 204


def test_guesses_by_one_credential_leave_the_others_their_tries_but_not_without_end() -> None:
    ana = make_person_with_password()
    stolen = [bearer(ana) for _ in range(5)]
    for headers in stolen:
        assert [change_own(headers, "wrong").status_code for _ in range(3)] == [400] * 3
    assert is_limited(change_own(bearer(ana), PASSWORD))
    later(minutes=16)
    assert change_own(bearer(ana), PASSWORD).status_code == 204


def test_registrations_from_one_address_are_limited() -> None:
    def enrol(number: int, address: str = "192.0.2.1") -> Any:
        return register(f"ana{number}", REMOTE_ADDR=address)

    assert [enrol(number).status_code for number in range(3)] == [201, 201, 429]
    assert is_limited(enrol(3))
    assert enrol(4, "192.0.2.2").status_code == 201
    later(minutes=61)
    assert enrol(5).status_code == 201
    assert User.objects.count() == 4


def test_resets_are_limited_by_the_address_asked_for_known_or_not() -> None:
    make_person("ana")
    for email in ("ana@example.org", "nobody@example.org"):
        answers = [post(Client(), f"{V1}/auth/password/reset", {"email": email}) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [202, 202, 429]


def test_resets_are_counted_by_the_person_found_however_the_address_is_spelled() -> None:
    make_person("kim")
    spellings = ["kim@example.org", "KIM@EXAMPLE.ORG", "kİm@example.org", "\N{KELVIN SIGN}im@example.org"]
    found = [find_by_login(spelling) for spelling in spellings]
    assert all(person and person.username == "kim" for person in found[:2])
    answers = [post(Client(), f"{V1}/auth/password/reset", {"email": spelling}).status_code for spelling in spellings]
    reached = [code for code, person in zip(answers, found, strict=True) if person]
    assert reached == [202] * 2 + [429] * (len(reached) - 2)


def test_spellings_of_nobodys_address_are_counted_as_those_of_somebodys() -> None:
    make_person("kim")
    codes = {
        name: [
            post(Client(), f"{V1}/auth/password/reset", {"email": spelling}).status_code
            for spelling in (f"{name}@example.org", f"{name.upper()}@example.org", f"{name[0]}İ{name[2]}@example.org")
        ]
        for name in ("kim", "tim")
    }
    assert codes["kim"] == codes["tim"]


def test_a_refused_try_is_only_read(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.1")
    for _ in range(2):
        count_registration(request)
    before = list(Attempts.objects.values())
    for _ in range(3):
        with pytest.raises(RateLimited), django_assert_num_queries(1):
            count_registration(request)
    assert list(Attempts.objects.values()) == before


def test_a_try_that_is_refused_by_the_account_is_not_counted_for_its_address() -> None:
    for _ in range(3):
        guess()
    counted = Attempts.objects.values_list("what", "who", "count").order_by("what", "who")
    before = list(counted)
    assert is_limited(guess())
    assert list(counted) == before


def test_neither_names_nor_addresses_are_kept_and_old_rows_go() -> None:
    guess()
    kept = str(list(Attempts.objects.values_list("what", "who")))
    assert "ana" not in kept
    assert "192.0.2.1" not in kept
    later(days=2)
    guess("bob", address="192.0.2.2")
    assert Attempts.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_forgetting_old_rows_waits_for_no_try_that_counts_one_of_them() -> None:
    guess()
    later(days=2)

    def guess_elsewhere() -> int:
        with connections["default"].cursor() as cursor:
            cursor.execute("SET lock_timeout = '3s'")
        try:
            return int(guess("bob", address="192.0.2.2").status_code)
        finally:
            connections.close_all()

    with transaction.atomic(), ThreadPoolExecutor(1) as pool:
        assert len(Attempts.objects.select_for_update()) == 2
        assert pool.submit(guess_elsewhere).result() == 401


@pytest.mark.django_db(transaction=True)
def test_of_many_tries_at_once_no_more_than_allowed_get_through() -> None:
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.1")

    def attempt(_: int) -> bool:
        try:
            count_registration(request)
        except RateLimited:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(16))) == 2


@pytest.mark.parametrize(
    ("proxies", "forwarded", "network"),
    [
        (0, "203.0.113.9", "192.0.2.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        (2, "6.6.6.6, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (2, "203.0.113.9", "192.0.2.1"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        (1, "::ffff:198.51.100.7", "198.51.100.7"),
    ],
)
def test_a_forwarded_address_counts_only_as_far_as_our_own_proxies_said_it(
    monkeypatch: pytest.MonkeyPatch, proxies: int, forwarded: str, network: str
) -> None:
    monkeypatch.setitem(settings.ENV, "KLATSCH_TRUSTED_PROXIES", proxies)
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR=forwarded)
    assert client_network(request) == network


def test_credentials_that_are_right_are_never_limited() -> None:
    make_person_with_password()
    assert [log_in(Client()).status_code for _ in range(9)] == [200] * 9
