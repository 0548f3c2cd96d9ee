"""Markers over REST: answered as the marker then is, and read again as the archive has them (D19)."""

from typing import Any
from uuid import UUID

import pytest

from klatsch.archive.models import Marker
from klatsch.eventlog.partitions import partition_of
from klatsch.records.kinds import KINDS
from klatsch.records.markers import MarkerMoved, is_own_only
from klatsch.records.people import UserChanged
from tests.integration.archive_rows import PARTITIONS, open_epoch
from tests.integration.chat import Chat, read_pages
from tests.integration.people import problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def chat() -> Chat:
    open_epoch()
    chat = Chat()
    chat.join("ana", "bob", "cleo", "zoe")
    return chat


@pytest.fixture
def tea(chat: Chat) -> str:
    """Returns a group of ana, bob and cleo with two messages."""
    group = chat.make_group("ana", "bob", "cleo")
    for content in ("one", "two"):
        assert chat.ask("ana", "POST", f"conversations/{group}/messages", {"content": content}).status_code == 201
    return group


def positions(chat: Chat) -> list[str]:
    return [f"1:{record.partition}:{record.offset}" for record in chat.messages()]


def markers(chat: Chat) -> list[tuple[MarkerMoved, bool]]:
    """Returns what the log's markers say, and which are for the person alone."""
    records = [record for partition in chat.log.records for record in partition]
    events = [(KINDS.decode(record.value), record.judge) for record in records]
    return [(event, is_own_only(judge)) for event, judge in events if isinstance(event, MarkerMoved)]


def mark(chat: Chat, who: str, group: str, **body: Any) -> Any:
    return chat.ask(who, "PUT", f"conversations/{group}/markers", body)


def test_a_mark_is_answered_as_the_marker_then_is_and_appended_once(chat: Chat, tea: str) -> None:
    first, last = positions(chat)
    answer = mark(chat, "bob", tea, read=last)
    assert (answer.status_code, answer.json()) == (200, {"delivered": last, "read": last, "unread_from": None})
    again = mark(chat, "bob", tea, read=first, delivered=first)
    assert again.json() == answer.json()
    [(event, own_only)] = markers(chat)
    assert (event.user, event.read, event.delivered, own_only) == ("bob", last, last, False)


def test_it_is_never_less_than_what_is_stored(chat: Chat, tea: str) -> None:
    first, last = positions(chat)
    _, partition, offset = map(int, last.split(":"))
    Marker.objects.filter(conversation_id=tea, user_id=chat.id_of("bob")).update(
        read_epoch=1,
        read_partition=partition,
        read_offset=offset,
        delivered_epoch=1,
        delivered_partition=partition,
        delivered_offset=offset,
    )
    assert mark(chat, "bob", tea, read=first).json()["read"] == last
    assert markers(chat) == []


def test_a_position_beyond_the_last_message_is_that_of_the_last_message(chat: Chat, tea: str) -> None:
    last = positions(chat)[-1]
    beyond = last.rpartition(":")[0] + ":999999"
    assert mark(chat, "bob", tea, read=beyond).json()["read"] == last


def test_while_the_archive_lacks_the_message_nothing_is_marked(chat: Chat, tea: str) -> None:
    chat.archiving = False
    chat.ask("ana", "POST", f"conversations/{tea}/messages", {"content": "three"})
    assert problem(mark(chat, "bob", tea, read=positions(chat)[-1])) == (503, "not_archived_yet")
    assert markers(chat) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"read": None},
        {"read": 7},
        {"read": ""},
        {"read": "1:0"},
        {"read": "2:0:0"},
        {"read": "1:99:0"},
        {"delivered": "x"},
    ],
)
def test_what_is_no_position_of_the_conversation_is_refused(chat: Chat, tea: str, body: Any) -> None:
    assert problem(chat.ask("bob", "PUT", f"conversations/{tea}/markers", body)) == (400, "bad_request")
    assert markers(chat) == []


def test_null_moves_nothing_and_is_no_mark_alone(chat: Chat, tea: str) -> None:
    _, last = positions(chat)
    answer = mark(chat, "bob", tea, delivered=last, read=None)
    assert answer.json() == {"delivered": last, "read": None, "unread_from": None}
    assert problem(mark(chat, "bob", tea, delivered=None, read=None)) == (400, "bad_request")


def test_another_conversations_partition_is_refused(chat: Chat, tea: str) -> None:
    other = (partition_of(tea.encode(), PARTITIONS) + 1) % PARTITIONS
    assert problem(mark(chat, "bob", tea, read=f"1:{other}:0")) == (400, "bad_request")


@pytest.mark.parametrize("path", ["markers", "unread-from"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_stranger_gets_what_everybody_gets_for_what_does_not_exist(
    chat: Chat, tea: str, path: str, method: str
) -> None:
    last = positions(chat)[-1]
    body = None if method != "PUT" else {"read": last} if path == "markers" else {"position": last}
    answers = [
        chat.ask("zoe", method, f"conversations/{group}/{path}", body)
        for group in (tea, "7ea00000-0000-4000-8000-00000000dead")
    ]
    assert answers[0].status_code in {404, 405}
    assert answers[0].status_code == answers[1].status_code
    if answers[0].status_code == 404:
        assert answers[0].json() == answers[1].json()
    assert markers(chat) == []


def test_a_blocked_persons_marker_is_hidden_from_the_commit_of_the_block_on(chat: Chat) -> None:
    sent = chat.ask("ana", "POST", "users/bob/messages", {"content": "hi"}).json()
    mark(chat, "bob", sent["conversation"], read=sent["position"])
    path = f"conversations/{sent['conversation']}/markers"
    assert [one["user"] for one in chat.ask("ana", "GET", path).json()["results"]] == ["bob"]
    chat.archiving = False
    assert chat.ask("ana", "PUT", "blocks/bob").status_code in {200, 204}
    assert chat.ask("ana", "GET", path).json()["results"] == []
    assert [one["user"] for one in chat.ask("bob", "GET", path).json()["results"]] == ["ana"]


def test_unread_from_here_is_ones_own_and_is_taken_back(chat: Chat, tea: str) -> None:
    first, last = positions(chat)
    mark(chat, "bob", tea, read=last)
    answer = chat.ask("bob", "PUT", f"conversations/{tea}/unread-from", {"position": first})
    assert (answer.status_code, answer.json()) == (200, {"delivered": last, "read": last, "unread_from": first})
    assert chat.ask("bob", "DELETE", f"conversations/{tea}/unread-from").status_code == 204
    flags = [(event.unread_from, own_only) for event, own_only in markers(chat)[1:]]
    assert flags == [(first, True), (None, True)]


def test_markers_of_the_others_are_listed_by_name_in_pages(chat: Chat, tea: str) -> None:
    last = positions(chat)[-1]
    _, partition, offset = map(int, last.split(":"))
    Marker.objects.filter(conversation_id=tea, user_id=chat.id_of("bob")).update(
        read_epoch=1, read_partition=partition, read_offset=offset
    )
    first, second = read_pages(lambda path: chat.ask("ana", "GET", path), f"conversations/{tea}/markers?limit=1")
    assert first == [{"user": "bob", "user_id": str(chat.id_of("bob")), "delivered": None, "read": last}]
    assert [(row["user"], row["read"]) for row in second] == [("cleo", None)]


def test_who_keeps_it_to_themselves_is_not_listed_and_told_to_nobody(chat: Chat, tea: str) -> None:
    answer = chat.ask("bob", "PATCH", "me", {"read_receipts": False})
    assert answer.json()["read_receipts"] is False
    mark(chat, "bob", tea, read=positions(chat)[-1])
    assert [own_only for _, own_only in markers(chat)] == [True]
    rows = chat.ask("ana", "GET", f"conversations/{tea}/markers").json()["results"]
    assert [row["user"] for row in rows] == ["cleo"]
    told = [KINDS.decode(record.value) for partition in chat.log.records for record in partition]
    assert [event.read_receipts for event in told if isinstance(event, UserChanged)] == [False]


def test_a_conversation_has_ones_own_markers(chat: Chat, tea: str) -> None:
    view = chat.ask("bob", "GET", f"conversations/{tea}").json()
    assert (view["unread"], view["mentions"], view["unread_from"]) == (2, 0, None)
    assert view["markers"] == {"delivered": None, "read": None}
    assert chat.ask("ana", "GET", f"conversations/{tea}").json()["unread"] == 0
    assert UUID(view["id"])
