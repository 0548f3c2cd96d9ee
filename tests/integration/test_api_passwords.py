"""Changing and resetting passwords, and confirming an address."""

import re
import time
from statistics import median
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.test import Client
from knox.models import AuthToken

from klatsch.accounts.mail import Mailer, mailer
from klatsch.accounts.models import Session, User
from klatsch.accounts.passwords import confirmation_tokens
from klatsch.core.errors import Unavailable
from tests.integration.credentials import ended, live, session_of, settled, token_of
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
    problem,
    register,
    wrong_fields,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_hashes")]
NEW = "another horse battery"
CHANGE = {"old_password": PASSWORD, "new_password": NEW}
REAL = pytest.mark.django_db(transaction=True)
"""The mailer's thread reads by a connection of its own."""


def link(page: str) -> dict[str, str]:
    """Returns what stands in the link of the one e-mail that was sent."""
    settled()
    [letter] = mail.outbox
    mail.outbox.clear()
    found = re.search(rf"{settings.ENV['KLATSCH_PUBLIC_URL']}/{page}#uid=(\S+)&token=(\S+)", str(letter.body))
    assert found is not None
    return {"uid": found[1], "token": found[2]}


class TestChange:
    def test_it_keeps_the_session_under_a_new_key_and_ends_all_others_and_all_tokens(self, browser: Client) -> None:
        ana = make_person_with_password()
        (_, other), (_, token) = session_of(ana), token_of(ana)
        log_in(browser)
        mine = Session.objects.exclude(digest=other).get()
        assert post(browser, f"{V1}/auth/password", CHANGE, headers=csrf(browser)).status_code == 204
        assert browser.get(f"{V1}/me").json()["username"] == "ana"
        assert browser.cookies["sessionid"].value != mine.session_key
        assert live(ana, other, token, mine.digest) == set()
        assert ended() == {other, token, mine.digest}
        assert Session.objects.get().digest not in ended()
        assert problem(log_in(Client())) == (401, "not_authenticated")
        assert log_in(browser, headers=csrf(browser)).status_code == 401
        assert post(Client(), f"{V1}/auth/login", CREDENTIALS | {"password": NEW}).status_code == 200

    def test_an_answer_to_the_former_cookie_leaves_the_new_one(self, browser: Client) -> None:
        make_person_with_password()
        log_in(browser)
        late = Client()
        late.cookies["sessionid"] = browser.cookies["sessionid"].value
        post(browser, f"{V1}/auth/password", CHANGE, headers=csrf(browser))
        answer = late.get(f"{V1}/me")
        assert answer.status_code == 401
        assert "sessionid" not in answer.cookies

    def test_signing_out_deletes_the_cookie(self, browser: Client) -> None:
        make_person_with_password()
        log_in(browser)
        answer = post(browser, f"{V1}/auth/logout", headers=csrf(browser))
        assert answer.cookies["sessionid"].value == ""
        assert answer.cookies["sessionid"]["max-age"] == 0

    def test_with_a_token_that_token_ends_too(self) -> None:
        ana = make_person_with_password()
        headers = bearer(ana)
        session_of(ana)
        assert post(Client(), f"{V1}/auth/password", CHANGE, headers=headers).status_code == 204
        assert problem(Client().get(f"{V1}/me", headers=headers)) == (401, "not_authenticated")
        assert not Session.objects.exists()
        assert not AuthToken.objects.exists()

    def test_what_is_wrong_is_named_and_changes_nothing(self, browser: Client) -> None:
        ana = make_person_with_password()
        headers, path = bearer(ana), f"{V1}/auth/password"
        assert wrong_fields(post(browser, path, headers=headers)).keys() == {"old_password", "new_password"}
        assert wrong_fields(post(browser, path, CHANGE | {"old_password": NEW}, headers=headers)) == {
            "old_password": "wrong"
        }
        for weak in ("short", "12345678901", "password1", "ana@example.org"):
            fields = wrong_fields(post(browser, path, CHANGE | {"new_password": weak}, headers=headers))
            assert fields.keys() == {"new_password"}
        assert browser.get(f"{V1}/me", headers=headers).status_code == 200
        assert ended() == set()

    def test_it_needs_a_credential_and_with_a_session_the_csrf_token(self, browser: Client) -> None:
        make_person_with_password()
        assert problem(post(browser, f"{V1}/auth/password", CHANGE)) == (401, "not_authenticated")
        log_in(browser)
        assert problem(post(browser, f"{V1}/auth/password", CHANGE)) == (403, "forbidden")


@REAL
class TestReset:
    def ask(self, email: str = "Ana@Example.org") -> Any:
        return post(Client(), f"{V1}/auth/password/reset", {"email": email})

    def test_a_link_sets_another_password_once_and_ends_everything(self) -> None:
        ana = make_person_with_password()
        (_, session), (_, token) = session_of(ana), token_of(ana)
        assert self.ask().status_code == 202
        proof = link("reset")
        path, body = f"{V1}/auth/password/reset/confirm", proof | {"new_password": NEW}
        assert wrong_fields(post(Client(), path, body | {"new_password": "short"})) == {
            "new_password": "password_too_short"
        }
        assert post(Client(), path, body).status_code == 204
        assert ended() == {session, token}
        assert live(ana, session, token) == set()
        assert wrong_fields(post(Client(), path, body)) == {"token": "invalid"}
        assert log_in(Client()).status_code == 401
        assert post(Client(), f"{V1}/auth/login", CREDENTIALS | {"password": NEW}).status_code == 200

    def test_a_link_ends_with_the_password_the_address_and_the_person(self) -> None:
        ana = make_person_with_password()
        make_person_with_password("bob")
        path = f"{V1}/auth/password/reset/confirm"
        for change in ({"password": ana.password + "x"}, {"email": "b@example.org"}, {"is_active": False}):
            self.ask()
            body = link("reset") | {"new_password": NEW}
            bob = User.objects.get(username="bob")
            assert wrong_fields(post(Client(), path, body | {"uid": str(bob.pk)})) == {"token": "invalid"}
            User.objects.filter(pk=ana.pk).update(**change)
            assert wrong_fields(post(Client(), path, body)) == {"token": "invalid"}
            ana.save()

    def test_known_and_unknown_addresses_get_the_same_answer_after_the_same_work(self) -> None:
        make_person_with_password()
        make_person_with_password("bob", is_active=False)

        def cost(email: str) -> float:
            def once() -> float:
                begun = time.thread_time()
                self.ask(email)
                return time.thread_time() - begun

            return median(once() for _ in range(5))

        cost("warm@example.org")
        addresses = ["ana@example.org", "bob@example.org", "nobody@example.org", "ana", "a@b\0"]
        answers = [(answer.status_code, answer.content) for answer in map(self.ask, addresses[:3])]
        assert set(answers) == {(202, b"")}
        costs = [cost(email) for email in addresses[:4]]
        assert max(costs) < 3 * min(costs)
        settled()
        assert {letter.to[0] for letter in mail.outbox} == {"ana@example.org"}

    def test_the_token_is_in_no_log_line(self, caplog: pytest.LogCaptureFixture) -> None:
        make_person_with_password()
        caplog.set_level("DEBUG")
        self.ask()
        proof = link("reset")
        post(Client(), f"{V1}/auth/password/reset/confirm", proof | {"new_password": NEW})
        assert proof["token"] not in caplog.text
        assert "ana@example.org" not in caplog.text

    def test_a_mail_that_cannot_be_sent_is_logged_by_its_kind_and_the_next_one_is_sent(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        def refuse() -> None:
            raise ConnectionRefusedError("secret")

        mailer().submit(refuse)
        make_person_with_password()
        self.ask()
        assert link("reset")
        assert "ConnectionRefusedError" in caplog.text
        assert "secret" not in caplog.text


def test_when_too_many_mails_wait_who_asks_is_told_so() -> None:
    full = Mailer(0)
    with pytest.raises(Unavailable):
        full.submit(lambda: None)


@REAL
class TestConfirmation:
    @pytest.fixture(autouse=True)
    def confirming(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(settings.ENV, "KLATSCH_CONFIRM_EMAIL", value=True)

    def register(self) -> dict[str, str]:
        assert register().status_code == 201
        return link("confirm")

    def test_who_registers_signs_in_once_the_address_is_confirmed(self) -> None:
        proof = self.register()
        assert problem(log_in(Client())) == (401, "not_authenticated")
        path = f"{V1}/auth/email/confirm"
        assert wrong_fields(post(Client(), path, proof | {"token": "x-y"})) == {"token": "invalid"}
        assert post(Client(), path, proof).status_code == 204
        assert log_in(Client()).status_code == 200
        assert wrong_fields(post(Client(), path, proof)) == {"token": "invalid"}

    def test_while_too_many_mails_wait_nobody_is_registered_without_a_link(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("klatsch.accounts.passwords.mailer", lambda: Mailer(0))
        assert problem(register()) == (503, "unavailable")
        assert not User.objects.exists()

    def test_a_registration_that_is_refused_takes_no_place_among_the_mails(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one = Mailer(1)
        monkeypatch.setattr("klatsch.accounts.passwords.mailer", lambda: one)
        assert "username" in wrong_fields(register("a b"))
        one.submit(lambda: None)

    def test_who_asks_for_a_reset_before_gets_the_confirmation_again(self) -> None:
        self.register()
        post(Client(), f"{V1}/auth/password/reset", {"email": "ana@example.org"})
        assert post(Client(), f"{V1}/auth/email/confirm", link("confirm")).status_code == 204

    def test_no_link_lets_in_who_was_deactivated(self) -> None:
        self.register()
        ana = User.objects.get()
        proof = {"uid": str(ana.pk), "token": confirmation_tokens.make_token(ana)}
        User.objects.update(awaits_email=False)
        assert wrong_fields(post(Client(), f"{V1}/auth/email/confirm", proof)) == {"token": "invalid"}


def test_without_the_setting_who_registers_signs_in_at_once() -> None:
    assert register().status_code == 201
    assert log_in(Client()).status_code == 200
    assert make_person("bob").awaits_email is False
