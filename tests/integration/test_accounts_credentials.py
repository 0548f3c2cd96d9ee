import logging
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from statistics import median
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.hashers import make_password
from django.db import connection, connections
from django.test import Client
from django.utils import timezone
from knox.models import AuthToken
from pytest_django import DjangoAssertNumQueries

from klatsch.accounts.credentials import find_by_token, list_tokens, no_such_credential
from klatsch.accounts.hashing import BCryptAsTyped
from klatsch.accounts.models import Session, Ticket, TokenUse, User
from klatsch.accounts.revocation import end_token
from klatsch.accounts.services import (
    NewTicket,
    SignedIn,
    authenticate_bearers,
    authenticate_connection,
    create_token,
    redeem_ticket,
)
from klatsch.accounts.services import create_ticket as create_ticket_for
from klatsch.core.errors import NotAuthenticated, NotFound
from klatsch.records.people import credential_digest
from tests.integration.people import PASSWORD, make_person, make_person_with_password

pytestmark = pytest.mark.django_db


@pytest.mark.usefixtures("quick_hashes")
@pytest.mark.parametrize("login", ["ana", "ANA", "ana@example.org", "Ana@Example.ORG"])
def test_a_person_signs_in_by_username_or_address_in_any_case(login: str) -> None:
    ana = make_person_with_password("ana")
    assert authenticate(username=login, password=PASSWORD) == ana


@pytest.mark.usefixtures("quick_hashes")
@pytest.mark.parametrize(
    "login",
    ["bob", "bob@example.org", "", "@", "ána", "an", "a\0na", "ana\0@example.org", "ana' OR 1=1 --", "x" * 9999],
)
def test_nobody_signs_in_by_a_name_that_is_not_theirs(login: str) -> None:
    make_person_with_password("ana")
    assert authenticate(username=login, password=PASSWORD) is None


@pytest.mark.usefixtures("quick_hashes")
def test_a_wrong_password_or_an_inactive_person_is_refused() -> None:
    make_person_with_password("ana")
    make_person_with_password("bob", is_active=False)
    make_person("cleo")
    assert authenticate(username="ana", password=PASSWORD.upper()) is None
    assert authenticate(username="bob", password=PASSWORD) is None
    assert authenticate(username="cleo", password="!") is None


@pytest.mark.usefixtures("quick_hashes")
def test_a_person_with_an_argon2_hash_signs_in_and_has_a_bcrypt_one_from_then_on() -> None:
    ana = make_person("ana", password=make_password(PASSWORD, hasher="argon2"))
    assert authenticate(username="ana", password=PASSWORD) == ana
    ana.refresh_from_db()
    assert ana.password.startswith("bcrypt_sha256$")


@pytest.mark.usefixtures("quick_hashes")
def test_a_sign_in_is_logged_by_the_persons_id_and_neither_by_what_was_typed(caplog: pytest.LogCaptureFixture) -> None:
    ana = make_person_with_password("ana")
    caplog.set_level(logging.INFO, "klatsch.accounts.backends")
    authenticate(username="ana", password=PASSWORD)
    authenticate(username="ana", password="a wrong one")
    authenticate(username="nobody@example.org", password="a wrong one")
    lines: list[Any] = [record.msg for record in caplog.records]
    assert [(line["event"], line["accepted"], line["user"]) for line in lines] == [
        ("sign_in", True, str(ana.pk)),
        ("sign_in", False, str(ana.pk)),
        ("sign_in", False, None),
    ]
    assert not any(typed in str(lines) for typed in (PASSWORD, "a wrong one", "nobody", "'ana'"))


def test_an_unknown_an_inactive_and_a_passwordless_person_cost_as_much_as_a_wrong_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(BCryptAsTyped, "rounds", 9)  # an eighth of the real cost, and still nearly all of a sign-in
    make_person_with_password("ana")
    make_person_with_password("bob", is_active=False)
    make_person("cleo")

    def cost(login: str) -> float:
        def once() -> float:
            begun = time.thread_time()
            assert authenticate(username=login, password="wrong") is None
            return time.thread_time() - begun

        return median(once() for _ in range(3))

    known = cost("ana")
    for login in ("bob", "cleo", "nobody", "nobody@example.org", "no body"):
        assert cost(login) == pytest.approx(known, rel=0.5)


def test_a_token_is_kept_as_a_digest_and_expires_in_time() -> None:
    made = create_token(person=make_person())
    kept = AuthToken.objects.get()
    assert made.token not in (kept.digest, kept.token_key)
    assert made.token not in repr(made)
    assert timedelta(days=29) < made.expires_at - timezone.now() <= timedelta(days=30)


def test_a_token_names_its_person_until_it_is_ended() -> None:
    ana, bob = make_person("ana"), make_person("bob")
    token = create_token(person=ana).token
    found = find_by_token(token)
    assert found is not None
    assert found[0] == ana
    with pytest.raises(NotFound):
        end_token(person_id=bob.pk, token_id=found[1].id)
    end_token(person_id=ana.pk, token_id=found[1].id)
    assert find_by_token(token) is None
    with pytest.raises(NotFound):
        end_token(person_id=ana.pk, token_id=found[1].id)


def test_the_statement_for_a_token_is_prepared_once_and_outlives_a_migration_that_adds_a_column() -> None:
    token = create_token(person=make_person()).token
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
        connection.connection._prepared.clear()
        for _ in range(3):
            assert find_by_token(token) is not None
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%%knox_authtoken%%'", [])
        assert cursor.fetchone() == (1,)
        cursor.execute("ALTER TABLE accounts_user ADD COLUMN a_later_one integer")
    assert find_by_token(token) is not None


def test_an_expired_token_counts_no_more_and_goes_with_the_next_one() -> None:
    ana = make_person()
    token = create_token(person=ana).token
    AuthToken.objects.update(expiry=timezone.now() - timedelta(minutes=5))
    assert find_by_token(token) is None
    assert list_tokens(person_id=ana.pk, limit=9) == []
    create_token(person=ana)
    assert AuthToken.objects.count() == 1


@pytest.mark.parametrize("token", ["", "x", "\0", "é" * 64, "0" * 64, "0" * 100_000])
def test_what_is_no_token_names_nobody(token: str) -> None:
    create_token(person=make_person())
    assert find_by_token(token) is None


def create_ticket(person: User) -> NewTicket:
    return create_ticket_for(person_id=person.pk, credential=credential_digest(session_of(person)))


def test_a_ticket_is_kept_as_a_digest_and_works_once() -> None:
    ana = make_person()
    made = create_ticket(ana)
    digest = Session.objects.get().digest
    assert made.expires_in == 30
    assert made.ticket not in repr(made)
    assert not Ticket.objects.filter(digest=made.ticket).exists()
    assert redeem_ticket(ticket=made.ticket) == SignedIn(ana.pk, "ana", digest)
    with pytest.raises(NotAuthenticated):
        redeem_ticket(ticket=made.ticket)


def test_a_ticket_is_refused_after_its_time_and_goes_with_the_next_one() -> None:
    ana = make_person()
    late, later = create_ticket(ana), create_ticket(ana)
    Ticket.objects.update(expires_at=timezone.now() - timedelta(minutes=5))
    with pytest.raises(NotAuthenticated):
        redeem_ticket(ticket=late.ticket)
    create_ticket(ana)
    assert Ticket.objects.count() == 1
    with pytest.raises(NotAuthenticated):
        redeem_ticket(ticket=later.ticket)


@pytest.mark.django_db(transaction=True)
def test_of_many_who_redeem_one_ticket_at_once_one_gets_in() -> None:
    ticket = create_ticket(make_person()).ticket

    def redeem(_: int) -> str:
        try:
            return redeem_ticket(ticket=ticket).username
        except NotAuthenticated:
            return ""
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(redeem, range(8))) == [""] * 7 + ["ana"]


def session_of(person: User) -> str:
    client = Client()
    client.force_login(person)
    return client.cookies["sessionid"].value


CREDENTIALS: dict[str, Callable[[User], dict[str, Any]]] = {
    "ticket": lambda person: {"ticket": create_ticket(person).ticket},
    "bearer": lambda person: {"bearer": create_token(person=person).token},
    "session": lambda person: {"session_key": session_of(person)},
}


def sign_in(bearer: str | None = None, **credential: str) -> SignedIn:
    """Signs in as a gateway does, which asks for bearer tokens together."""
    if bearer is None:
        return authenticate_connection(**credential)
    found = authenticate_bearers([bearer]).get(bearer)
    if found is None:
        raise no_such_credential()
    return found


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_a_connection_is_its_persons_at_the_cost_of_two_statements_at_most(
    kind: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    ana = make_person()
    credential = CREDENTIALS[kind](ana)
    with django_assert_max_num_queries(2):
        signed_in = sign_in(**credential)
    assert (signed_in.id, signed_in.username) == (ana.pk, "ana")


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_a_connection_of_somebody_inactive_is_refused(kind: str) -> None:
    ana = make_person()
    credential = CREDENTIALS[kind](ana)
    User.objects.update(is_active=False)
    with pytest.raises(NotAuthenticated):
        sign_in(**credential)


@pytest.mark.parametrize("kind", ["ticket", "bearer", "session_key"])
@pytest.mark.parametrize("value", ["", "x", "a" * 32, "\0" * 32, "é" * 32, str(uuid.UUID(int=0)), "../../etc/passwd"])
def test_a_connection_with_a_forged_credential_is_refused(kind: str, value: str) -> None:
    make_person()
    with pytest.raises(NotAuthenticated):
        sign_in(**{kind: value})


def test_many_bearers_are_told_apart_in_one_statement_and_each_use_is_noted(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    ana, bob, cleo = (make_person(name) for name in ("ana", "bob", "cleo"))
    tokens = {person.pk: create_token(person=person).token for person in (ana, bob, cleo)}
    User.objects.filter(pk=cleo.pk).update(is_active=False)
    long_ago = timezone.now() - timedelta(hours=1)
    TokenUse.objects.update(last_used_at=long_ago)
    with django_assert_num_queries(1):
        found = authenticate_bearers([*tokens.values(), "forged"])
    assert found.keys() == {tokens[ana.pk], tokens[bob.pk]}
    assert [(found[tokens[person.pk]].id, found[tokens[person.pk]].username) for person in (ana, bob)] == [
        (ana.pk, "ana"),
        (bob.pk, "bob"),
    ]
    kept = find_by_token(tokens[ana.pk])
    assert kept is not None
    assert found[tokens[ana.pk]].credential == kept[1].credential
    used = TokenUse.objects.exclude(last_used_at=long_ago)
    assert set(used.values_list("token__user", flat=True)) == {ana.pk, bob.pk}


def test_a_connection_without_any_credential_is_refused() -> None:
    with pytest.raises(NotAuthenticated):
        authenticate_connection()


def test_a_session_counts_no_more_after_the_password_has_changed_or_the_session_has_expired() -> None:
    ana, bob = make_person("ana"), make_person("bob")
    key_of_ana, key_of_bob = session_of(ana), session_of(bob)
    User.objects.filter(pk=ana.pk).update(password="!other")
    Session.objects.filter(pk=key_of_bob).update(expire_date=timezone.now() - timedelta(minutes=5))
    for key in (key_of_ana, key_of_bob):
        with pytest.raises(NotAuthenticated):
            authenticate_connection(session_key=key)
