"""Histories over REST: pages, cursors, and the wait for a place in the log."""

from typing import Any

import pytest

from klatsch.api import histories
from klatsch.eventlog.places import Position
from tests.integration.archive_rows import PARTITIONS
from tests.integration.chat import Chat, read_pages
from tests.integration.people import problem

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["users/bob/messages", "messages"])
def test_histories_are_read_page_by_page_and_back_again(chat: Chat, path: str) -> None:
    for i in range(7):
        chat.ask("ana", "POST", "users/bob/messages", {"content": str(i)})

    pages = read_pages(lambda address: chat.ask("ana", "GET", address), f"{path}?limit=3")
    assert [[message["content"] for message in page] for page in pages] == [["6", "5", "4"], ["3", "2", "1"], ["0"]]

    second = chat.ask("ana", "GET", chat.ask("ana", "GET", f"{path}?limit=3").json()["next"])
    assert 'rel="next"' in second["Link"]
    assert 'rel="prev"' in second["Link"]
    newer = chat.ask("ana", "GET", second.json()["previous"]).json()
    assert (newer["results"], newer["previous"]) == (pages[0], None)


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "cursor=x", "cursor=%00", "cursor=" + "A" * 600])
@pytest.mark.parametrize("path", ["users/bob/messages", "messages", "conversations"])
def test_a_page_that_cannot_be_asked_for_is_refused_by_field(chat: Chat, path: str, query: str) -> None:
    answer = chat.ask("ana", "GET", f"{path}?{query}")

    assert problem(answer) == (400, "bad_request")
    assert [error["field"] for error in answer.json()["errors"]] == [query.partition("=")[0]]


def test_a_cursor_of_one_list_is_refused_by_another(chat: Chat) -> None:
    for i in range(2):
        chat.ask("ana", "POST", "users/bob/messages", {"content": str(i)})
    address = chat.ask("ana", "GET", "messages?limit=1").json()["next"]

    assert problem(chat.ask("ana", "GET", address.replace("/messages", "/conversations"))) == (400, "bad_request")


@pytest.mark.parametrize("path", ["users/bob/messages", "messages", "conversations"])
def test_at_least_is_waited_for_and_a_late_archive_says_so(chat: Chat, path: str) -> None:
    assert chat.ask("ana", "GET", f"{path}?at_least=1:3:7").status_code == 200
    assert chat.asked_for == ["1:3:7"]

    chat.archiving = False
    place = _place_of(chat.ask("ana", "POST", "users/bob/messages", {"content": "in the log"}))
    assert problem(chat.ask("ana", "GET", f"{path}?at_least={place}")) == (503, "not_archived_yet")


@pytest.mark.parametrize("path", ["users/bob/messages", "messages", "conversations"])
def test_at_least_beyond_the_end_of_the_log_is_refused_and_not_waited_for(chat: Chat, path: str) -> None:
    chat.archiving = False
    last = Position.parse(_place_of(chat.ask("ana", "POST", "users/bob/messages", {"content": "the last one"})))
    token = ".".join(f"{p}:{len(records)}" for p, records in enumerate(chat.log.records))
    for beyond in (
        last._replace(offset=last.offset + 1),
        last._replace(partition=PARTITIONS),
        last._replace(epoch=2),
        f"1.0123456789abcdef.{token}".replace(f"{last.partition}:{last.offset + 1}", f"{last.partition}:{2**62}"),
    ):
        answer = chat.ask("ana", "GET", f"{path}?at_least={beyond}")
        assert problem(answer) == (400, "bad_request")
        assert [(error["field"], error["detail"]) for error in answer.json()["errors"]] == [
            ("at_least", "This place lies beyond the end of the log.")
        ]
    assert problem(chat.ask("ana", "GET", f"{path}?at_least=1.0123456789abcdef.{token}")) == (503, "not_archived_yet")


def _place_of(answer: Any) -> str:
    assert answer.status_code == 202
    return str(answer.json()["position"])


def test_somebody_who_is_removed_while_their_request_waits_for_the_archive_is_shown_nothing(
    chat: Chat, tea: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait(_request: Any, _query: Any) -> None:
        assert chat.ask("ana", "DELETE", f"conversations/{tea}/members/bob").status_code == 204

    monkeypatch.setattr(histories, "wait_for_archive", wait)
    answer = chat.ask("bob", "GET", f"conversations/{tea}/messages?at_least=1:0:0")
    assert problem(answer) == (404, "not_found")
