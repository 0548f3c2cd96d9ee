from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone
from knox.models import AuthToken

from klatsch.accounts.models import Ticket
from klatsch.accounts.services import redeem_ticket
from tests.integration.people import (
    CREDENTIALS,
    V1,
    bearer,
    csrf,
    log_in,
    make_person,
    make_person_with_password,
    post,
    problem,
    wrong_fields,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_hashes")]


class TestTokens:
    def test_a_password_gets_a_token_that_works(self, browser: Client) -> None:
        make_person_with_password()
        answer = post(browser, f"{V1}/auth/tokens", CREDENTIALS)
        assert answer.status_code == 201
        assert answer.json().keys() == {"token", "expires_at"}
        assert datetime.fromisoformat(answer.json()["expires_at"]) > timezone.now() + timedelta(days=29)
        headers = {"Authorization": f"Bearer {answer.json()['token']}"}
        assert browser.get(f"{V1}/me", headers=headers).json()["username"] == "ana"

    def test_a_session_gets_a_token_with_an_empty_body(self, browser: Client) -> None:
        make_person_with_password()
        log_in(browser)
        assert problem(post(browser, f"{V1}/auth/tokens")) == (403, "forbidden")
        assert post(browser, f"{V1}/auth/tokens", headers=csrf(browser)).status_code == 201

    def test_a_token_gets_no_token(self, browser: Client) -> None:
        headers = bearer(make_person())
        assert wrong_fields(post(browser, f"{V1}/auth/tokens", headers=headers)).keys() == {"username", "password"}
        assert AuthToken.objects.count() == 1

    def test_a_wrong_password_gets_none(self, browser: Client) -> None:
        make_person_with_password()
        answer = post(browser, f"{V1}/auth/tokens", CREDENTIALS | {"password": "wrong password"})
        assert problem(answer) == (401, "not_authenticated")
        assert not AuthToken.objects.exists()

    def test_a_wrong_password_with_a_session_gets_none_either(self, browser: Client) -> None:
        make_person_with_password()
        log_in(browser)
        wrong = CREDENTIALS | {"password": "wrong password"}
        assert problem(post(browser, f"{V1}/auth/tokens", wrong, headers=csrf(browser))) == (401, "not_authenticated")

    def test_ones_own_tokens_are_listed_newest_first_without_what_they_are(self, browser: Client) -> None:
        ana, bob = make_person("ana"), make_person("bob")
        mine = [bearer(ana) for _ in range(3)]
        bearer(bob)
        answer = browser.get(f"{V1}/auth/tokens?limit=2", headers=mine[0])
        assert answer.status_code == 200
        following = browser.get(answer.json()["next"], headers=mine[0])
        listed = answer.json()["results"] + following.json()["results"]
        assert [token.keys() for token in listed] == [{"id", "created_at", "expires_at", "device", "last_used_at"}] * 3
        assert [token["id"] for token in listed] == [one["Authorization"][7:22] for one in reversed(mine)]
        back = browser.get(following.json()["previous"], headers=mine[0])
        assert back.json()["results"] == answer.json()["results"]

    def test_a_token_that_was_ended_counts_no_more(self, browser: Client) -> None:
        ana = make_person()
        one, other = bearer(ana), bearer(ana)
        token_id = other["Authorization"][7:22]
        assert browser.delete(f"{V1}/auth/tokens/{token_id}", headers=one).status_code == 204
        assert problem(browser.get(f"{V1}/me", headers=other)) == (401, "not_authenticated")
        assert problem(browser.delete(f"{V1}/auth/tokens/{token_id}", headers=one)) == (404, "not_found")

    def test_somebody_elses_token_is_as_one_that_is_not_there(self, browser: Client) -> None:
        mine, theirs = bearer(make_person("ana")), bearer(make_person("bob"))
        answers = [
            browser.delete(f"{V1}/auth/tokens/{token_id}", headers=mine)
            for token_id in (theirs["Authorization"][7:22], "0" * 15, "%00", "x" * 500)
        ]
        assert {problem(answer) for answer in answers} == {(404, "not_found")}
        assert answers[0].content == answers[1].content
        assert AuthToken.objects.count() == 2


class TestTicket:
    def test_a_ticket_opens_one_connection(self, browser: Client) -> None:
        ana = make_person()
        answer = post(browser, f"{V1}/auth/ticket", headers=bearer(ana))
        assert answer.status_code == 201
        assert answer.json().keys() == {"ticket", "expires_in"}
        assert answer.json()["expires_in"] == 30
        assert redeem_ticket(ticket=answer.json()["ticket"]).id == ana.pk
        assert not Ticket.objects.exists()

    def test_a_session_needs_the_csrf_token_for_one(self, browser: Client) -> None:
        make_person_with_password()
        log_in(browser)
        assert problem(post(browser, f"{V1}/auth/ticket")) == (403, "forbidden")
        assert post(browser, f"{V1}/auth/ticket", headers=csrf(browser)).status_code == 201

    def test_nobody_gets_none(self, browser: Client) -> None:
        assert problem(post(browser, f"{V1}/auth/ticket")) == (401, "not_authenticated")
