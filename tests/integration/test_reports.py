"""Reports of messages over REST: of what one can read, once each, with the text of that moment."""

import time
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings

from klatsch.archive.models import Message
from klatsch.core.http_limits import BODY_BYTES_MOST
from klatsch.moderation import reporting
from klatsch.moderation.models import Report
from tests.integration.chat import Chat
from tests.integration.people import problem, wrong_fields

pytestmark = pytest.mark.django_db


@pytest.fixture
def spam(chat: Chat) -> str:
    """Returns the id of a message of bob's to ana."""
    return str(chat.ask("bob", "POST", "users/ana/messages", {"content": "Buy now"}).json()["id"])


def report(chat: Chat, who: str, message: str, **body: Any) -> Any:
    return chat.ask(who, "POST", f"messages/{message}/report", {"reason": "spam"} | body)


def test_a_report_holds_the_text_of_its_moment_and_waits_in_the_queue(chat: Chat, spam: str) -> None:
    answer = report(chat, "ana", spam, detail="The tenth time.\nToday.")
    assert answer.status_code == 201
    assert answer.json() == {"message": spam, "reason": "spam", "detail": "The tenth time.\nToday."}
    Message.objects.filter(pk=spam).update(content="", deleted=True)
    [row] = Report.objects.all()
    assert (row.content, row.state, row.closed_at) == ("Buy now", "open", None)
    assert (row.reporter_id, row.sender_id) == (chat.id_of("ana"), chat.id_of("bob"))


def test_a_repeated_report_changes_reason_and_detail_of_the_first(chat: Chat, spam: str) -> None:
    report(chat, "ana", spam)
    answer = report(chat, "ana", spam, reason="harassment", detail="Look closer")
    assert answer.status_code == 200
    [row] = Report.objects.all()
    assert (row.reason, row.detail) == ("harassment", "Look closer")


def test_a_repeated_report_of_what_is_decided_changes_nothing(chat: Chat, spam: str) -> None:
    report(chat, "ana", spam)
    Report.objects.update(state="dismissed")
    assert report(chat, "ana", spam, reason="other").status_code == 200
    [row] = Report.objects.all()
    assert (row.reason, row.state) == ("spam", "dismissed")


def test_two_people_report_the_same_message_each_for_themselves(chat: Chat) -> None:
    group = chat.make_group("ana", "bob", "zoe")
    message = chat.ask("bob", "POST", f"conversations/{group}/messages", {"content": "Buy now"}).json()["id"]
    assert [report(chat, who, message).status_code for who in ("ana", "zoe")] == [201, 201]


def test_what_one_cannot_read_answers_like_what_does_not_exist(chat: Chat, spam: str) -> None:
    answers = [report(chat, "zoe", spam), report(chat, "zoe", str(uuid4()))]
    assert [problem(answer) for answer in answers] == [(404, "not_found")] * 2
    assert len({answer.json()["detail"] for answer in answers}) == 1
    group = chat.make_group("bob", "zoe")
    message = chat.ask("bob", "POST", f"conversations/{group}/messages", {"content": "hi"}).json()["id"]
    chat.ask("bob", "DELETE", f"conversations/{group}/members/zoe")
    assert problem(report(chat, "zoe", message)) == (404, "not_found")
    assert not Report.objects.exists()


def test_neither_ones_own_message_nor_a_deleted_one_can_be_reported(chat: Chat, spam: str) -> None:
    assert problem(report(chat, "bob", spam)) == (400, "bad_request")
    Message.objects.filter(pk=spam).update(deleted=True)
    assert problem(report(chat, "ana", spam)) == (410, "gone")
    assert not Report.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reason": "boredom"}, "reason"),
        ({"reason": None}, "reason"),
        ({"detail": "x" * 1_001}, "detail"),
        ({"detail": "\x07"}, "detail"),
        ({"detail": 7}, "detail"),
    ],
)
def test_what_is_wrong_with_a_report_is_said_by_field(chat: Chat, spam: str, body: Any, field: str) -> None:
    assert set(wrong_fields(report(chat, "ana", spam, **body))) == {field}
    assert not Report.objects.exists()


def test_a_detail_of_256_kib_that_ends_in_a_control_character_is_refused_quickly_for_its_length_alone(
    chat: Chat, spam: str
) -> None:
    began_s = time.thread_time()
    answer = report(chat, "ana", spam, detail="a" * (BODY_BYTES_MOST - 100) + "\x01")
    assert time.thread_time() - began_s < 1
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [("detail", "max_length")]


def test_while_the_archive_is_behind_a_message_that_may_be_there_is_not_denied(chat: Chat) -> None:
    chat.archiving = False
    spam = str(chat.ask("bob", "POST", "users/ana/messages", {"content": "Buy now"}).json()["id"])
    assert problem(report(chat, "ana", spam)) == (503, "not_archived_yet")
    chat.archiving = True
    assert report(chat, "ana", spam).status_code == 201


def test_reports_are_limited_by_the_hour_and_open_ones_are_capped(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    spam = [chat.ask("bob", "POST", "users/ana/messages", {"content": "Buy now"}).json()["id"] for _ in range(4)]
    monkeypatch.setattr(reporting, "OPEN_MOST", 1)
    monkeypatch.setitem(settings.ENV, "KLATSCH_REPORTS_PER_HOUR", 3)
    assert report(chat, "ana", spam[0]).status_code == 201
    assert problem(report(chat, "ana", spam[1])) == (409, "limit_reached")
    Report.objects.update(state="dismissed")
    assert report(chat, "ana", spam[2]).status_code == 201
    assert problem(report(chat, "ana", spam[3])) == (429, "rate_limited")
