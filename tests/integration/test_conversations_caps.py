"""Caps on a person's conversations, and on how fast they change groups: over REST, and with many at once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import settings
from django.db import connections

from klatsch.conversations.models import Conversation, Member
from klatsch.core.bucket import Buckets
from klatsch.core.caps import AtOnce
from klatsch.core.errors import Unavailable
from klatsch.core.ids import direct_conversation_id
from tests.integration.chat import Chat
from tests.integration.people import problem
from tests.support.gateway_parts import Costs

pytestmark = pytest.mark.django_db(transaction=True)
MOST = 5


@pytest.fixture(autouse=True)
def most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.ENV, "KLATSCH_CONVERSATIONS_PER_PERSON", MOST)


@pytest.fixture
def chat() -> Chat:
    chat = Chat()
    chat.join("ana", "bob", "cid")
    return chat


def begin(chat: Chat, who: str, *members: str) -> Any:
    return chat.ask(who, "POST", "conversations", {"title": "Tea", "members": members})


def in_how_many(chat: Chat, who: str) -> int:
    return Member.objects.filter(user_id=chat.id_of(who), active=True).count()


def fill(chat: Chat, who: str, count: int = MOST) -> list[str]:
    return [begin(chat, who).json()["id"] for _ in range(count)]


def test_who_is_in_as_many_conversations_as_one_may_begins_no_other_before_they_leave_one(chat: Chat) -> None:
    [first, *_] = fill(chat, "ana")
    assert problem(begin(chat, "ana")) == (409, "limit_reached")
    assert problem(chat.ask("ana", "POST", "users/bob/messages", {"content": "hi"})) == (409, "limit_reached")
    assert in_how_many(chat, "ana") == MOST

    assert chat.ask("ana", "DELETE", f"conversations/{first}/members/ana").status_code == 204
    assert chat.ask("ana", "POST", "users/bob/messages", {"content": "hi"}).status_code == 201


def test_a_conversation_that_was_made_before_is_no_other_one(chat: Chat) -> None:
    assert chat.ask("ana", "POST", "users/bob/messages", {"content": "hi"}).status_code == 201
    fill(chat, "ana", MOST - 1)
    assert chat.ask("ana", "POST", "users/bob/messages", {"content": "still there?"}).status_code == 201


def test_others_cannot_use_up_the_last_fifth_nor_keep_people_from_writing_to_somebody(chat: Chat) -> None:
    for _ in range(MOST - 1):
        assert begin(chat, "bob", "ana").status_code == 201
    chat.ask("bob", "DELETE", f"conversations/{Conversation.objects.first().pk}/members/bob")  # type: ignore[union-attr]  # there
    [own] = fill(chat, "cid", 1)
    assert problem(begin(chat, "cid", "ana")) == (409, "limit_reached")
    added = chat.ask("cid", "POST", f"conversations/{own}/members", {"username": "ana"})
    assert problem(added) == (409, "limit_reached")
    assert "ana" in added.json()["detail"]
    assert begin(chat, "ana").status_code == 201
    assert chat.ask("cid", "POST", "users/ana/messages", {"content": "hi"}).status_code == 201


def test_at_the_cap_blocking_and_unblocking_a_stranger_does_not_let_one_write_to_them_and_neither_sees_the_conversation(
    chat: Chat,
) -> None:
    [first, *_] = fill(chat, "ana")
    before = {who: chat.ask(who, "GET", "conversations").json()["results"] for who in ("ana", "bob")}
    for method in ("PUT", "DELETE"):
        assert chat.ask("ana", method, "blocks/bob").status_code == 204
    direct = direct_conversation_id(chat.id_of("ana"), chat.id_of("bob"))
    for where, refusal in (("users/bob", (409, "limit_reached")), (f"conversations/{direct}", (404, "not_found"))):
        assert problem(chat.ask("ana", "POST", f"{where}/messages", {"content": "hi"})) == refusal
    for who, seen in before.items():
        assert chat.ask(who, "GET", "conversations").json()["results"] == seen

    assert chat.ask("ana", "DELETE", f"conversations/{first}/members/ana").status_code == 204
    assert chat.ask("ana", "POST", "users/bob/messages", {"content": "hi"}).status_code == 201


def test_people_whom_one_blocks_and_who_block_one_take_no_room(chat: Chat) -> None:
    names = [f"p{number}" for number in range(MOST)]
    chat.join(*names)
    for name in names:
        assert chat.ask("ana", "PUT", f"blocks/{name}").status_code == 204
        assert chat.ask(name, "PUT", "blocks/bob").status_code == 204
    for who in ("ana", "bob"):
        fill(chat, who)
        assert problem(begin(chat, who)) == (409, "limit_reached")


def test_of_many_begun_at_once_exactly_as_many_come_to_be_as_may(chat: Chat) -> None:
    def attempt(_: int) -> int:
        try:
            return int(begin(chat, "ana").status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(attempt, range(2 * MOST)))
    assert sorted(answers) == [201] * MOST + [409] * MOST
    assert in_how_many(chat, "ana") == MOST


def test_two_who_add_each_other_at_once_do_not_wait_for_each_other(chat: Chat) -> None:
    def attempt(pair: tuple[str, str]) -> int:
        try:
            return int(begin(chat, *pair).status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(attempt, [("ana", "bob"), ("bob", "ana")] * 2)) == {201}


def test_how_many_members_a_group_has_is_kept_with_each_change(chat: Chat) -> None:
    tea = begin(chat, "ana", "bob").json()["id"]

    def count() -> int:
        return Conversation.objects.get(pk=tea).member_count

    assert count() == 2
    chat.ask("ana", "POST", f"conversations/{tea}/members", {"username": "cid"})
    chat.ask("ana", "POST", f"conversations/{tea}/members", {"username": "cid"})
    assert count() == 3
    chat.ask("bob", "DELETE", f"conversations/{tea}/members/bob")
    assert count() == 2
    chat.ask("ana", "DELETE", f"conversations/{tea}")
    assert count() == 0


def test_who_changes_groups_too_fast_is_told_when_to_come_again_and_others_are_not(chat: Chat) -> None:
    tea = begin(chat, "ana", "bob").json()["id"]
    chat.changes = Buckets(0.001)
    path = f"conversations/{tea}"
    assert chat.ask("ana", "PATCH", path, {"title": "Coffee"}).status_code == 200
    for method, where, body in (
        ("PATCH", path, {"title": "Milk"}),
        ("POST", f"{path}/members", {"username": "cid"}),
        ("PATCH", f"{path}/members/bob", {"role": "admin"}),
        ("DELETE", f"{path}/members/bob", None),
        ("DELETE", path, None),
        ("POST", "conversations", {"title": "Water"}),
    ):
        refused = chat.ask("ana", method, where, body)
        assert problem(refused) == (429, "rate_limited")
        assert 900 < int(refused["Retry-After"]) <= 1_000
    assert chat.ask("bob", "DELETE", f"{path}/members/bob").status_code == 204


def test_a_message_into_a_large_group_costs_more_over_rest_too(chat: Chat) -> None:
    tea = begin(chat, "ana", "bob").json()["id"]
    Conversation.objects.filter(pk=tea).update(member_count=1_000)
    chat.rates = Costs(0)
    refused = chat.ask("ana", "POST", f"conversations/{tea}/messages", {"content": "hi"})
    assert (problem(refused), refused["Retry-After"]) == ((429, "rate_limited"), "3")
    assert chat.rates.taken == [1, 50]
    assert chat.ask("ana", "POST", "users/bob/messages", {"content": "hi"}).status_code == 201


def test_of_a_person_few_requests_wait_for_the_archive_or_change_groups_at_once(chat: Chat) -> None:
    chat.waits = AtOnce(1, cap="waits", refusal=Unavailable, detail="Several of your requests wait.")
    with chat.waits.enter(str(chat.id_of("ana"))):
        for method, path, body in (
            ("GET", "messages?at_least=1:0:0", None),
            ("POST", "users/bob/messages", {"content": "hi", "client_id": "last-week"}),
            ("POST", "conversations", {"title": "Tea"}),
        ):
            refused = chat.ask("ana", method, path, body)
            assert problem(refused) == (503, "unavailable")
            assert refused["Retry-After"] == "1"
        assert chat.ask("bob", "GET", "messages?at_least=1:0:0").status_code == 200
    assert chat.ask("ana", "GET", "messages?at_least=1:0:0").status_code == 200


def test_a_send_that_waits_has_no_connection_of_postgresql(chat: Chat) -> None:
    holds: list[bool] = []

    def wait_for(partition: int, offset: int, deadline_s: float) -> bool:
        holds.append(connections["default"].connection is not None)
        return False

    chat.ask("ana", "POST", "users/bob/messages", {"content": "made"})
    chat.wait_for = wait_for  # type: ignore[method-assign]  # what the send waits for
    assert chat.ask("ana", "POST", "users/bob/messages", {"content": "hi"}).status_code == 202
    assert holds == [False]
