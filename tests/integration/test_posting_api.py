"""Sending and reading over REST: shapes, statuses and refusals, and how many statements they cost."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from klatsch.accounts.models import User
from klatsch.conversations.models import Conversation
from klatsch.core.bucket import Buckets
from klatsch.core.ids import uuid7
from klatsch.core.metrics import REFUSED
from tests.integration.chat import NOW_MS, Chat
from tests.integration.people import problem

pytestmark = pytest.mark.django_db

SHAPE = {
    "id", "client_id", "conversation", "sender", "sender_id", "receiver", "content", "sent_at", "position", "changed",
    "seq", "edited_at", "deleted", "reply_to", "reactions", "pinned_at", "reaction_counts",
    "mentions", "reply_preview",
}  # fmt: skip


def test_a_direct_message_is_201_with_the_whole_message_and_both_read_it(chat: Chat) -> None:
    sent = chat.ask("ana", "POST", "users/bob/messages", {"content": "hi"})

    assert sent.status_code == 201
    assert sent["Content-Type"] == "application/json"
    message = sent.json()
    assert message.keys() == SHAPE
    assert (message["sender"], message["receiver"], message["content"], message["seq"]) == ("ana", "bob", "hi", 1)
    for reader, other in (("ana", "BOB"), ("bob", "ana")):
        assert chat.ask(reader, "GET", f"users/{other}/messages").json()["results"] == [message]
        assert chat.ask(reader, "GET", f"conversations/{message['conversation']}/messages").json()["results"] == [
            message
        ]
        assert chat.ask(reader, "GET", "messages").json()["results"] == [message]
    assert chat.ask("zoe", "GET", "messages").json() == {"results": [], "next": None, "previous": None}


def test_a_message_that_is_not_archived_in_time_is_202_with_its_position(chat: Chat, tea: str) -> None:
    chat.archiving = False

    sent = chat.ask("ana", "POST", f"conversations/{tea}/messages", {"content": "hi"})

    assert sent.status_code == 202
    assert sent.json().keys() == SHAPE
    assert (sent.json()["seq"], sent.json()["receiver"]) == (None, None)
    [record] = chat.messages()
    assert sent.json()["position"] == f"1:{record.partition}:{record.offset}"


def test_the_same_client_id_is_the_same_message_however_it_is_given(chat: Chat, tea: str) -> None:
    client_id = uuid7(NOW_MS)
    path = f"conversations/{tea}/messages"
    body = {"content": "hi"}

    answers = [
        chat.ask("ana", "PUT", f"{path}/{client_id}", body),
        chat.ask("ana", "PUT", f"{path}/{client_id}", body | {"client_id": client_id}, idempotency_key=client_id),
        chat.ask("ana", "POST", path, body | {"client_id": client_id}),
        chat.ask("ana", "POST", path, body, idempotency_key=client_id),
        chat.ask("ana", "POST", path, body | {"client_id": None, "reply_to": None}, idempotency_key=client_id),
    ]

    assert [answer.status_code for answer in answers] == [201] * 5
    assert len({answer.content for answer in answers}) == 1
    assert len(chat.ask("bob", "GET", path).json()["results"]) == 1
    assert problem(chat.ask("ana", "PUT", f"{path}/{client_id}", {"content": "else"})) == (409, "conflict")


def test_an_old_client_id_answers_the_message_that_has_it(chat: Chat, tea: str) -> None:
    path = f"conversations/{tea}/messages/monday-1"
    first = chat.ask("ana", "PUT", path, {"content": "hi"})
    again = chat.ask("ana", "PUT", path, {"content": "hi"})

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert len(chat.messages()) == 1


def test_a_message_called_by_two_names_is_refused(chat: Chat, tea: str) -> None:
    path = f"conversations/{tea}/messages"
    body = {"content": "hi", "client_id": "a"}

    for answer in (chat.ask("ana", "POST", path, body, idempotency_key="b"), chat.ask("ana", "PUT", f"{path}/b", body)):
        assert problem(answer) == (400, "bad_request")
        assert answer.json()["errors"][0]["field"] == "client_id"
    assert not chat.messages()


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "bad_request", "content"),
        ({"content": None}, "bad_request", "content"),
        ({"content": 7}, "bad_request", "content"),
        ({"content": ["hi"]}, "bad_request", "content"),
        ({"content": ""}, "invalid_content", "content"),
        ({"content": "a\0b"}, "invalid_content", "content"),
        ({"content": "\x07"}, "invalid_content", "content"),
        ('{"content": "\\ud800"}', "invalid_content", "content"),
        ({"content": "x" * 4001}, "too_long", "content"),
        ({"content": "x" * 100_000}, "too_long", "content"),
        ({"content": "hi", "client_id": 7}, "bad_request", "client_id"),
        ({"content": "hi", "client_id": ""}, "bad_request", "client_id"),
        ({"content": "hi", "client_id": "a b"}, "bad_request", "client_id"),
        ({"content": "hi", "client_id": "x" * 65}, "bad_request", "client_id"),
        ({"content": "hi", "reply_to": "yesterday"}, "bad_request", "reply_to"),
        ({"content": "hi", "reply_to": 7}, "bad_request", "reply_to"),
        ([], "bad_request", ""),
        ("hi", "bad_request", None),
        (b"\xff", "bad_request", None),
    ],
)
def test_what_is_wrong_with_a_message_is_said_by_field_and_nothing_is_appended_or_made(
    chat: Chat, body: Any, code: str, field: str | None
) -> None:
    answer = chat.ask("ana", "POST", "users/bob/messages", body)

    assert problem(answer) == (400, code)
    if field is not None:
        assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert not chat.messages()
    assert not Conversation.objects.exists()


def test_fields_that_are_the_servers_own_change_nothing(chat: Chat) -> None:
    forged = {"sender": "zoe", "id": "x", "sent_at": "1970-01-01T00:00:00.000Z", "position": "9:9:9", "seq": 99}

    message = chat.ask("ana", "POST", "users/bob/messages", forged | {"content": "hi"}).json()

    assert (message["sender"], message["seq"]) == ("ana", 1)
    assert not set(forged.values()) & {message[name] for name in ("id", "sent_at", "position")}


def test_to_oneself_to_nobody_and_to_one_who_is_not_active_is_refused(chat: Chat) -> None:
    User.objects.filter(username="zoe").update(is_active=False)

    to_nobody = chat.ask("ana", "POST", "users/nobody/messages", {"content": "hi"})
    to_zoe = chat.ask("ana", "POST", "users/zoe/messages", {"content": "hi"})

    assert problem(chat.ask("ana", "POST", "users/ana/messages", {"content": "hi"})) == (400, "bad_request")
    assert problem(to_nobody) == problem(to_zoe) == (404, "not_found")
    assert to_nobody.json()["detail"].replace("nobody", "zoe", 1) != to_nobody.json()["detail"]
    assert not chat.messages()


@pytest.mark.parametrize("at", ["messages", "messages/m1", "members", ""])
def test_strangers_get_the_same_404_as_for_what_does_not_exist(chat: Chat, tea: str, at: str) -> None:
    missing = "0" * 8 + tea[8:]
    method, body = ("PUT", {"content": "hi"}) if at == "messages/m1" else ("GET", None)

    answers = [
        chat.ask("zoe", method, f"conversations/{conversation}/{at}".rstrip("/"), body)
        for conversation in (tea, missing)
    ]

    assert [problem(answer) for answer in answers] == [(404, "not_found")] * 2
    assert answers[0].content == answers[1].content


def test_removed_people_neither_read_nor_write(chat: Chat, tea: str) -> None:
    path = f"conversations/{tea}/messages"
    chat.ask("bob", "POST", path, {"content": "hi"})
    assert chat.ask("ana", "DELETE", f"conversations/{tea}/members/bob").status_code == 204

    assert problem(chat.ask("bob", "GET", path)) == (404, "not_found")
    assert problem(chat.ask("bob", "POST", path, {"content": "still here"})) == (404, "not_found")
    assert chat.ask("bob", "GET", "messages").json()["results"] == []
    assert len(chat.ask("ana", "GET", path).json()["results"]) == 1


def test_without_a_log_nothing_is_sent_and_histories_are_read(chat: Chat) -> None:
    chat.ask("ana", "POST", "users/bob/messages", {"content": "hi"})
    chat.writer.room = 0

    assert problem(chat.ask("ana", "POST", "users/bob/messages", {"content": "again"})) == (503, "unavailable")
    assert len(chat.ask("ana", "GET", "users/bob/messages").json()["results"]) == 1


def test_a_send_and_a_page_cost_three_statements_with_sign_in(chat: Chat) -> None:
    conversation = chat.ask("ana", "POST", "users/bob/messages", {"content": "hi"}).json()["conversation"]
    client_id = uuid7(NOW_MS)
    body = {"content": "hi", "client_id": client_id}
    chat.ask("ana", "POST", "users/bob/messages", body)
    chat.archived = True

    costs = {}
    for method, path, sent in (
        ("POST", "users/bob/messages", body),
        ("POST", f"conversations/{conversation}/messages", body),
        ("GET", "users/bob/messages", None),
        ("GET", f"conversations/{conversation}/messages", None),
        ("GET", "messages", None),
        ("GET", "conversations", None),
    ):
        with CaptureQueriesContext(connection) as captured:
            assert chat.ask("ana", method, path, sent).status_code in {200, 201}
        costs[method, path.split("/")[0]] = len(captured)

    assert costs == {
        ("POST", "users"): 3,
        ("POST", "conversations"): 3,
        ("GET", "users"): 3,
        ("GET", "conversations"): 2,
        ("GET", "messages"): 2,
    }


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "users/bob/messages"), ("PUT", "conversations/{tea}/messages/x")]
)
def test_who_sends_too_fast_is_429_with_the_time_to_wait_and_others_are_not(
    chat: Chat, tea: str, method: str, path: str
) -> None:
    chat.rates = Buckets(0.01)
    path = path.format(tea=tea)
    assert chat.ask("ana", method, path, {"content": "hi"}).status_code == 201

    refused = chat.ask("ana", method, path, {"content": "hi"})

    assert problem(refused) == (429, "rate_limited")
    assert 90 < int(refused["Retry-After"]) <= 100
    assert chat.ask("bob", "POST", "users/ana/messages", {"content": "hi"}).status_code == 201
    assert len(chat.messages()) == 2


def test_what_is_refused_before_it_is_appended_is_counted_by_its_code(chat: Chat) -> None:
    before = {code: REFUSED.labels(code)._value.get() for code in ("too_long", "not_found")}
    chat.ask("ana", "POST", "users/bob/messages", {"content": "x" * 4_001})
    chat.ask("ana", "POST", "users/nobody-at-all/messages", {"content": "hi"})
    assert {code: REFUSED.labels(code)._value.get() - count for code, count in before.items()} == {
        "too_long": 1,
        "not_found": 1,
    }
