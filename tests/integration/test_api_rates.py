"""A person's requests are limited over REST, whatever the endpoint, and `Retry-After` says when to come back (D16)."""

from typing import Any

import pytest
from django.test import Client

from klatsch.api.rates import REQUEST_RATES
from klatsch.conversations.models import Conversation
from klatsch.core.bucket import Buckets
from tests.integration.chat import Chat
from tests.integration.people import make_person
from tests.support.rates import StoppedBuckets

pytestmark = pytest.mark.django_db


def signed_in(rates: Buckets, name: str) -> Client:
    environment: dict[str, Any] = {REQUEST_RATES: rates}
    client = Client(**environment)
    client.force_login(make_person(name))
    return client


def test_beyond_the_rate_every_endpoint_answers_429_and_says_when_to_come_back() -> None:
    client = signed_in(StoppedBuckets(1), "ana")
    statuses = [client.get("/api/v1/me").status_code for _ in range(2)]
    refused = [client.get(f"/api/v1/{path}") for path in ("me", "conversations", "users?search=a", "auth/tokens")]
    assert statuses == [200, 200]
    assert [(answer.status_code, answer.json()["code"]) for answer in refused] == [(429, "rate_limited")] * 4
    assert refused[0].headers["Retry-After"] == "1"
    assert 0 < refused[0].json()["retry_after"] <= 1


def test_one_persons_requests_do_not_use_up_anothers() -> None:
    rates = StoppedBuckets(1)
    ana, bob = signed_in(rates, "ana"), signed_in(rates, "bob")
    assert [ana.get("/api/v1/me").status_code for _ in range(3)][-1] == 429
    assert bob.get("/api/v1/me").status_code == 200


def test_sends_and_changes_have_a_rate_of_their_own() -> None:
    client = signed_in(StoppedBuckets(1), "ana")
    for _ in range(3):
        client.get("/api/v1/me")
    message = "/api/v1/messages/00000000-0000-4000-8000-000000000000"
    for path, method in (("/api/v1/users/bob/messages", "post"), (message, "patch"), (f"{message}/pin", "put")):
        answer = getattr(client, method)(path, {"content": "hi"}, content_type="application/json")
        assert answer.status_code != 429, path


def test_a_search_counts_as_a_hundred_requests() -> None:
    client = signed_in(StoppedBuckets(100), "ana")
    statuses = [client.get(f"/api/v1/{path}").status_code for path in ["search?q=tea"] * 3]
    assert statuses == [200, 200, 429]


def test_a_search_can_be_had_at_any_rate() -> None:
    client = signed_in(StoppedBuckets(10), "ana")
    assert [client.get("/api/v1/search?q=tea").status_code for _ in range(2)] == [200, 429]


def test_an_edit_that_makes_no_sense_counts_like_one_that_does(chat: Chat) -> None:
    chat.rates = StoppedBuckets(1)
    path = "messages/00000000-0000-4000-8000-000000000000"
    assert [chat.ask("ana", "PATCH", path, body).status_code for body in ("{", "{}", "{")] == [400, 400, 429]


def test_what_a_change_of_a_group_costs_does_not_tell_strangers_its_size(chat: Chat, tea: str) -> None:
    invitation = chat.ask("ana", "POST", "invitations", {"conversation": tea, "username": "zoe"}).json()["id"]
    Conversation.objects.update(member_count=5_000)
    nowhere = "00000000-0000-4000-8000-000000000000"
    for path, method, body in (
        ("conversations/{}", "PATCH", {"title": "Tea"}),
        ("conversations/{}", "DELETE", None),
        ("conversations/{}/transfer", "POST", {"username": "bob"}),
        ("conversations/{}/members", "POST", {"username": "bob"}),
        ("conversations/{}/members/bob", "PATCH", {"role": "admin"}),
        ("conversations/{}/members/zoe", "DELETE", None),
    ):
        for conversation in (nowhere, tea):
            chat.changes = StoppedBuckets(1)
            statuses = [chat.ask("zoe", method, path.format(conversation), body).status_code for _ in range(3)]
            assert statuses == [404, 404, 429], (method, path)
    for which in (nowhere, invitation):
        chat.changes = StoppedBuckets(1)
        statuses = [chat.ask("bob", "POST", f"invitations/{which}/accept").status_code for _ in range(3)]
        assert statuses == [404, 404, 429]
