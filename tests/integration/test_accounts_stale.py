"""A password, a session or a token that has ended a moment before opens nothing, and makes no other credential."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.test import Client, RequestFactory
from knox.models import AuthToken

from klatsch.accounts import revocation
from klatsch.accounts.backends import UsernameOrEmailBackend
from klatsch.accounts.models import Session, Ticket, User
from klatsch.accounts.services import create_ticket, create_token, redeem_ticket
from klatsch.core.errors import Conflict, NotAuthenticated
from tests.integration.credential_endings import ACTS, NEW, change, held, take_token
from tests.integration.credential_endings import ana as ana  # noqa: PLC0414 - the fixture
from tests.integration.credentials import session_of, token_of
from tests.integration.people import CREDENTIALS, PASSWORD, V1, admin_form, log_in, make_person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_hashes")]


def enter_admin(client: Client) -> Any:
    return client.post("/admin/login/", CREDENTIALS)


DOORS: dict[str, Callable[[Client], Any]] = {"login": log_in, "token": take_token, "admin": enter_admin}


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
        words = admin_form(ana, email="new@example.org")
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
