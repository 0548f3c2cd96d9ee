"""No credential outlives what it was made with: a password, a session or a token that ends at the same moment."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import update_last_login
from django.contrib.auth.signals import user_logged_in
from django.contrib.auth.tokens import default_token_generator
from django.contrib.sessions.backends.base import UpdateError
from django.db import connections
from django.test import Client, RequestFactory
from knox.crypto import hash_token
from knox.models import AuthToken

from klatsch.accounts import passwords, revocation
from klatsch.accounts.backends import UsernameOrEmailBackend
from klatsch.accounts.hashing import BCryptAsTyped
from klatsch.accounts.models import Session, Ticket, User
from klatsch.accounts.services import create_ticket, create_token, redeem_ticket
from klatsch.core.errors import Conflict, NotAuthenticated
from klatsch.records.people import credential_digest
from tests.integration.credentials import ended, promised, session_of, token_of
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
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_hashes")]
NEW = "another horse battery"
WINDOW_ROUNDS = 8
"""A hash of some 20 ms: long enough for a password to be changed while another thread checks the old one."""


def insist(ask: Callable[[], Any]) -> Any:
    """The first answer that is none of a hasher that is busy; another 503 would be a deadlock, and is an answer."""
    while (answer := ask()).status_code == 503 and b"Too many sign-ins" in answer.content:
        pass
    return answer


def change(ana: User) -> None:
    body, headers = {"old_password": PASSWORD, "new_password": NEW}, bearer(ana)
    assert insist(lambda: post(Client(), f"{V1}/auth/password", body, headers=headers)).status_code == 204


def reset(ana: User) -> None:
    passwords.confirm_reset(uid=ana.pk, token=default_token_generator.make_token(ana), new_password=NEW)


def deactivate(ana: User) -> None:
    body, headers = {"password": PASSWORD}, bearer(ana)
    assert insist(lambda: post(Client(), f"{V1}/me/deactivate", body, headers=headers)).status_code == 204


def change_by_staff(ana: User) -> None:
    staff, _ = session_of(User.objects.get(username="root"))
    words = {"usable_password": "true", "password1": NEW, "password2": NEW}
    path = f"/admin/accounts/user/{ana.pk}/password/"
    assert insist(lambda: staff.post(path, words)).status_code == 302


def deactivate_by_staff(ana: User) -> None:
    staff, _ = session_of(User.objects.get(username="root"))
    assert staff.post(f"/admin/accounts/user/{ana.pk}/change/", {"email": ana.email}).status_code == 302


ACTS: dict[str, Callable[[User], None]] = {
    act.__name__: act for act in (change, reset, deactivate, change_by_staff, deactivate_by_staff)
}


def take_token(client: Client) -> Any:
    return post(client, f"{V1}/auth/tokens", CREDENTIALS)


def enter_admin(client: Client) -> Any:
    return client.post("/admin/login/", CREDENTIALS)


DOORS: dict[str, Callable[[Client], Any]] = {"login": log_in, "token": take_token, "admin": enter_admin}


@pytest.fixture
def ana() -> User:
    make_person("root", is_staff=True, is_superuser=True)
    return make_person_with_password("ana", is_staff=True)


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Sets what happens between the check of a password and what is made on its word."""

    def set_act(act: Callable[[], object]) -> None:
        acts = [act]

        def as_before(self: UsernameOrEmailBackend, user: User) -> bool:
            if acts:
                acts.pop()()
            return user.is_active

        monkeypatch.setattr(UsernameOrEmailBackend, "user_can_authenticate", as_before)

    return set_act


def held(ana: User) -> set[str]:
    return {*Session.objects.filter(user=ana).values_list("digest", flat=True)} | {
        credential_digest(pk) for pk in AuthToken.objects.filter(user=ana).values_list("pk", flat=True)
    }


class TestBetweenCheckAndCreation:
    @pytest.mark.parametrize("act", ACTS)
    @pytest.mark.parametrize("door", DOORS)
    def test_a_password_that_was_right_a_moment_ago_opens_nothing(
        self, ana: User, meanwhile: Callable[..., None], door: str, act: str
    ) -> None:
        client = Client(raise_request_exception=False)
        meanwhile(lambda: ACTS[act](ana))
        answer = DOORS[door](client)
        assert answer.status_code == (400 if door == "admin" else 401)
        assert held(ana) == set()
        assert client.get(f"{V1}/me").status_code == 401

    def test_a_sign_in_that_was_too_late_leaves_the_session_that_it_came_with(
        self, ana: User, meanwhile: Callable[..., None]
    ) -> None:
        client, digest = session_of(make_person("bob"))
        meanwhile(lambda: change(ana))
        assert log_in(client).status_code == 401
        assert Session.objects.filter(digest=digest).exists()
        assert client.get(f"{V1}/me").json()["username"] == "bob"

    def test_an_older_hash_is_never_written_over_another_password(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ana = make_person("ana", password=make_password(PASSWORD, hasher="argon2"))
        checked = User.objects.get()
        new = make_password(NEW)

        def change_first(password: str) -> str:
            User.objects.update(password=new)
            return make_password(password)

        monkeypatch.setattr("klatsch.accounts.models.make_password", change_first)
        assert not checked.check_password(PASSWORD)
        ana.refresh_from_db()
        assert ana.password == new

    def test_who_make_one_hash_anew_at_once_both_get_in(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ana = make_person("ana", password=make_password(PASSWORD, hasher="argon2"))
        checked, renewed = User.objects.get(), make_password(PASSWORD)

        def renew_first(password: str) -> str:
            User.objects.update(password=renewed)
            return make_password(password)

        monkeypatch.setattr("klatsch.accounts.models.make_password", renew_first)
        assert checked.check_password(PASSWORD)
        ana.refresh_from_db()
        assert ana.password == renewed == checked.password
        assert create_token(person=checked).token

    def test_staff_who_save_a_persons_page_write_no_password(self, ana: User, monkeypatch: pytest.MonkeyPatch) -> None:
        staff, _ = session_of(User.objects.get(username="root"))
        form_valid = User.full_clean

        def change_first(self: User, *args: Any, **options: Any) -> None:
            User.objects.filter(pk=ana.pk).update(password="!changed")
            form_valid(self, *args, **options)

        monkeypatch.setattr(User, "full_clean", change_first)
        words = {"email": "new@example.org", "is_active": "on", "is_staff": "on"}
        assert staff.post(f"/admin/accounts/user/{ana.pk}/change/", words).status_code == 302
        ana.refresh_from_db()
        assert (ana.email, ana.password) == ("new@example.org", "!changed")


class TestWhatACredentialIsMadeWith:
    @pytest.mark.parametrize("act", ACTS)
    def test_a_session_that_has_ended_makes_no_token_and_no_ticket(self, ana: User, act: str) -> None:
        _, digest = session_of(ana)
        ACTS[act](ana)
        with pytest.raises(NotAuthenticated):
            create_token(person=ana, session=digest)
        with pytest.raises(NotAuthenticated):
            create_ticket(person_id=ana.pk, credential=digest)
        assert held(ana) == set()
        assert not Ticket.objects.exists()

    def test_nor_does_one_that_ended_by_itself(self, ana: User) -> None:
        (_, session), (_, token) = session_of(ana), token_of(ana)
        revocation.end_session(person_id=ana.pk, session_id=session)
        revocation.end_tokens(AuthToken.objects.all())
        with pytest.raises(NotAuthenticated):
            create_token(person=ana, session=session)
        for credential in (session, token):
            with pytest.raises(NotAuthenticated):
                create_ticket(person_id=ana.pk, credential=credential)

    @pytest.mark.parametrize("of", [session_of, token_of])
    def test_a_ticket_opens_nothing_once_its_credential_has_ended(self, ana: User, of: Callable[..., Any]) -> None:
        made = create_ticket(person_id=ana.pk, credential=of(ana)[1])
        Session.objects.all().delete()
        AuthToken.objects.all().delete()
        with pytest.raises(NotAuthenticated):
            redeem_ticket(ticket=made.ticket)

    def test_a_ticket_of_a_session_opens_nothing_once_the_password_is_another(self, ana: User) -> None:
        made = create_ticket(person_id=ana.pk, credential=session_of(ana)[1])
        User.objects.update(password=make_password(NEW))
        with pytest.raises(NotAuthenticated):
            redeem_ticket(ticket=made.ticket)

    def test_nobody_leaves_by_a_password_that_has_been_changed(self, ana: User) -> None:
        change(User.objects.get(pk=ana.pk))
        with pytest.raises(Conflict):
            revocation.deactivate_person(person=ana)
        assert User.objects.get(pk=ana.pk).is_active

    def test_staff_whose_own_password_has_been_changed_change_none(self, ana: User) -> None:
        client, _ = session_of(ana)
        request = RequestFactory().post("/admin/password_change/")
        request.user, request.session = ana, client.session
        change(User.objects.get(pk=ana.pk))
        with pytest.raises(Conflict):
            revocation.ending_credentials(request, str(ana.pk), lambda: pytest.fail("it must not come to this"))

    def test_staff_whose_session_has_ended_get_no_other_by_changing_a_password(self, ana: User) -> None:
        client, digest = session_of(ana)
        request = RequestFactory().post("/admin/password_change/")
        request.user, request.session = ana, client.session
        revocation.end_session(person_id=ana.pk, session_id=digest)
        with pytest.raises(NotAuthenticated):
            revocation.ending_credentials(request, str(ana.pk), lambda: pytest.fail("it must not come to this"))


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
        """With a token of its own, so that tickets are made with tokens, too."""
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
        """A link to reset a password is good until the next sign-in: here there is always a next one."""
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
    """A browser with a session, or without one where the password is changed at the same moment."""
    client = Client(raise_request_exception=False)
    with contextlib.suppress(UpdateError):
        client.force_login(User.objects.get(pk=person.pk))
    return client
