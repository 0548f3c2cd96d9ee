"""No credential outlives what it was made with, however many are made and ended at the same moment."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import update_last_login
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.base import UpdateError
from django.db import connections
from django.test import Client
from knox.crypto import hash_token
from knox.models import AuthToken

from klatsch.accounts import revocation
from klatsch.accounts.hashing import BCryptAsTyped
from klatsch.accounts.models import Ticket, User
from klatsch.accounts.services import create_token, redeem_ticket
from klatsch.core.errors import NotAuthenticated
from klatsch.records.people import credential_digest
from tests.integration.credential_endings import ACTS, held, insist, take_token
from tests.integration.credential_endings import ana as ana  # noqa: PLC0414 - the fixture
from tests.integration.credentials import ended, promised
from tests.integration.people import PASSWORD, V1, csrf, log_in, make_person_with_password, post

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_hashes")]
WINDOW_ROUNDS = 8
"""A hash of some 20 ms: long enough for a password to be changed while another thread checks the old one."""


class Guest:
    """Takes one kind of credential again and again, until it gets none any more; notes each by its digest."""

    def __init__(self, take: Callable[["Guest"], str | None]) -> None:
        self.take = take
        self.client = Client()
        log_in(self.client)
        self.made = {credential_digest(self.client.cookies["sessionid"].value)}
        self.tickets: list[str] = []
        self.warm = threading.Event()

    def go_on(self, done: threading.Event) -> None:
        try:
            while not done.is_set() and (digest := self.take(self)) is not None:
                self.made.add(digest)
                if len(self.made) > 2:
                    self.warm.set()
        finally:
            self.warm.set()
            connections.close_all()

    def session(self) -> str | None:
        client = Client()
        answer = insist(lambda: log_in(client))
        return credential_digest(client.cookies["sessionid"].value) if answer.status_code == 200 else None

    def token(self, answer: Any = None) -> str | None:
        answer = answer or insist(lambda: take_token(Client()))
        return credential_digest(hash_token(answer.json()["token"])) if answer.status_code == 201 else None

    def token_of_session(self) -> str | None:
        headers = csrf(self.client)
        return self.token(insist(lambda: post(self.client, f"{V1}/auth/tokens", headers=headers)))

    def ticket(self) -> str | None:
        """Makes a ticket with a token of its own, so that tickets are made with tokens, too."""
        answer = insist(lambda: take_token(Client()))
        if answer.status_code != 201:
            return None
        headers = {"Authorization": f"Bearer {answer.json()['token']}"}
        ticket = post(Client(), f"{V1}/auth/ticket", headers=headers)
        if ticket.status_code == 201:
            self.tickets.append(ticket.json()["ticket"])
        return self.token(answer)


@pytest.mark.django_db(transaction=True)
class TestManyAtOnce:
    @pytest.fixture(autouse=True)
    def slower_hashes(self, quick_hashes: None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(BCryptAsTyped, "rounds", WINDOW_ROUNDS)

    @pytest.fixture(autouse=True)
    def no_last_login(self) -> Iterator[None]:
        """Keeps no last sign-in, as the next one ends a link to reset a password: here there is always a next one."""
        user_logged_in.disconnect(dispatch_uid="update_last_login")
        yield
        user_logged_in.connect(update_last_login, dispatch_uid="update_last_login")

    @pytest.mark.parametrize("act", ACTS)
    def test_nothing_that_was_made_with_the_old_password_is_left_and_the_log_is_told_of_all_of_it(
        self, ana: User, act: str
    ) -> None:
        guests = [Guest(take) for take in (Guest.session, Guest.token, Guest.token_of_session, Guest.ticket)]
        with ThreadPoolExecutor(len(guests)) as pool:
            gave_up = threading.Event()
            running = [pool.submit(guest.go_on, gave_up) for guest in guests]
            try:
                for guest in guests:
                    assert guest.warm.wait(30)
                ACTS[act](User.objects.get(pk=ana.pk))
                for one in running:
                    one.result(30)
            finally:
                gave_up.set()
        made = set[str]().union(*(guest.made for guest in guests))
        assert held(ana) == set()
        assert not Ticket.objects.exists()
        for ticket in [ticket for guest in guests for ticket in guest.tickets]:
            with pytest.raises(NotAuthenticated):
                redeem_ticket(ticket=ticket)
        assert made <= ended() or [(event.user, event.credentials) for event in promised()] == [("ana", "all")]

    def test_all_ways_to_end_and_to_make_them_wait_for_each_other_in_no_circle(self, ana: User) -> None:
        """Each thread does what another does to the other person; a deadlock would be an error, or a status."""
        bob = make_person_with_password("bob", is_staff=True, is_superuser=True)
        User.objects.filter(pk=ana.pk).update(is_superuser=True)

        def sets_password_of(mine: User, theirs: User) -> None:
            staff = client_of(mine)
            words = {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
            answer = insist(lambda: staff.post(f"/admin/accounts/user/{theirs.pk}/password/", words))
            assert answer.status_code in (302, 400, 401, 409)

        def comes_over_session_of(mine: User, theirs: User) -> None:
            body = {"username": mine.username, "password": PASSWORD}
            client = client_of(theirs)
            assert insist(lambda: post(client, f"{V1}/auth/login", body)).status_code in (200, 400, 401)

        def ends_tokens_of_both(mine: User, theirs: User) -> None:
            for person in (mine, theirs):
                with contextlib.suppress(NotAuthenticated):
                    create_token(person=User.objects.get(pk=person.pk))
            revocation.end_tokens(AuthToken.objects.filter(user__in=[mine, theirs]))

        def leaves_session(mine: User, _: User) -> None:
            client = client_of(mine)
            assert post(client, f"{V1}/auth/ticket").status_code in (201, 401)
            assert post(client, f"{V1}/auth/logout").status_code in (204, 401)

        doings = (sets_password_of, comes_over_session_of, ends_tokens_of_both, leaves_session)

        def do(number: int) -> None:
            people = (ana, bob) if number % 2 else (bob, ana)
            try:
                doings[number // 2 % len(doings)](*people)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(8) as pool:
            for doing in [pool.submit(do, number) for number in range(48)]:
                doing.result(60)


def client_of(person: User) -> Client:
    """Returns a browser with a session, or without one where the password is changed at the same moment."""
    client = Client(raise_request_exception=False)
    with contextlib.suppress(UpdateError):
        client.force_login(User.objects.get(pk=person.pk))
    return client
