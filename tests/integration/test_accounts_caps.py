"""Caps on a person's tokens, tickets and sessions: they hold exactly, also when many come at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connections
from django.test import Client
from django.utils import timezone
from knox.models import AuthToken

from klatsch.accounts.hashing import HashingSlots
from klatsch.accounts.models import Session, Ticket
from tests.integration.people import (
    CREDENTIALS,
    V1,
    bearer,
    log_in,
    make_person,
    make_person_with_password,
    post,
    problem,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_hashes")]
MOST = 3


@pytest.fixture(autouse=True)
def most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.ENV, "KLATSCH_CREDENTIALS_PER_PERSON", MOST)


def take_token(_: Any = None) -> Any:
    try:
        return post(Client(), f"{V1}/auth/tokens", CREDENTIALS)
    finally:
        if _ is not None:
            connections.close_all()


def test_who_has_as_many_tokens_as_one_may_ends_one_before_there_is_another() -> None:
    make_person_with_password()
    tokens = [take_token().json()["token"] for _ in range(MOST)]
    assert problem(take_token()) == (409, "limit_reached")
    post(Client(), f"{V1}/auth/logout", headers={"Authorization": f"Bearer {tokens[0]}"})
    assert take_token().status_code == 201


def test_expired_tokens_and_those_of_others_do_not_count() -> None:
    for _ in range(MOST - 1):
        bearer(make_person(f"other{_}"))
    make_person_with_password()
    for _ in range(MOST):
        assert take_token().status_code == 201
    AuthToken.objects.update(expiry=timezone.now() - timedelta(minutes=5))
    assert take_token().status_code == 201


@pytest.mark.django_db(transaction=True)
def test_of_many_tokens_asked_for_at_once_exactly_as_many_are_made_as_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("klatsch.api.hashing.hashing_slots", lambda: HashingSlots(8, 8, 10))
    make_person_with_password()
    with ThreadPoolExecutor(8) as pool:
        answers = [answer.status_code for answer in pool.map(take_token, range(8))]
    assert sorted(answers) == [201] * MOST + [409] * (8 - MOST)
    assert AuthToken.objects.count() == MOST


def test_tickets_are_limited_until_they_expire() -> None:
    headers = bearer(make_person())
    codes = [post(Client(), f"{V1}/auth/ticket", headers=headers).status_code for _ in range(MOST)]
    refused = post(Client(), f"{V1}/auth/ticket", headers=headers)
    assert (codes, problem(refused)) == ([201] * MOST, (429, "rate_limited"))
    assert 0 < int(refused["Retry-After"]) <= settings.ENV["KLATSCH_TICKET_SECONDS"]
    Ticket.objects.update(expires_at=timezone.now() - timedelta(minutes=5))
    assert post(Client(), f"{V1}/auth/ticket", headers=headers).status_code == 201


def test_a_new_session_ends_the_one_that_was_used_longest_ago() -> None:
    make_person_with_password()
    clients = [Client() for _ in range(MOST + 1)]
    for age, client in enumerate(clients[:MOST]):
        log_in(client)
        used_at = timezone.now() - timedelta(minutes=age + 1)
        Session.objects.filter(pk=client.cookies["sessionid"].value).update(last_used_at=used_at)
    log_in(clients[MOST])
    assert [client.get(f"{V1}/me").status_code for client in clients] == [200] * (MOST - 1) + [401, 200]
    assert Session.objects.count() == MOST


@pytest.mark.django_db(transaction=True)
def test_of_many_sign_ins_at_once_exactly_as_many_sessions_are_left_as_may_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("klatsch.api.hashing.hashing_slots", lambda: HashingSlots(8, 8, 10))
    make_person_with_password()

    def sign_in(_: int) -> int:
        try:
            return int(log_in(Client()).status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(sign_in, range(8)))
    # A session that others end before its own answer is one that was interrupted: 400.
    assert set(answers) <= {200, 400}
    assert answers.count(200) >= MOST
    assert Session.objects.count() == MOST
