"""A history that begins at a place: what a client loads around a message that it was led to."""

import pytest

from tests.integration.chat import Chat
from tests.integration.people import problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def chat() -> Chat:
    chat = Chat()
    chat.join("ana", "bob")
    return chat


@pytest.fixture
def places(chat: Chat) -> list[str]:
    """Returns the positions of ten messages, the oldest first."""
    sent = [chat.ask("ana", "POST", "users/bob/messages", {"content": str(number)}) for number in range(10)]
    return [answer.json()["position"] for answer in sent]


def read(chat: Chat, path: str) -> tuple[str, str | None, str | None]:
    """Returns the texts of a page as one word, and the addresses of its neighbours."""
    page = chat.ask("ana", "GET", path)
    assert page.status_code == 200, page.content
    body = page.json()
    return "".join(message["content"] for message in body["results"]), body["next"], body["previous"]


def test_older_than_begins_before_that_message_and_goes_on_both_ways(chat: Chat, places: list[str]) -> None:
    texts, older, newer = read(chat, f"users/bob/messages?limit=3&older_than={places[5]}")
    assert texts == "432"
    assert older is not None
    assert newer is not None
    assert read(chat, older)[0] == "10"
    assert read(chat, newer)[0] == "765"


def test_newer_than_begins_behind_that_message_and_ends_at_the_newest(chat: Chat, places: list[str]) -> None:
    texts, older, newer = read(chat, f"users/bob/messages?limit=3&newer_than={places[5]}")
    assert texts == "876"
    assert older is not None
    assert newer is not None
    assert read(chat, older)[0] == "543"
    assert read(chat, newer) == ("9", read(chat, newer)[1], None)
    assert read(chat, f"users/bob/messages?newer_than={places[9]}") == ("", None, None)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("older_than=x", "older_than"),
        ("newer_than=1:2", "newer_than"),
        ("newer_than=99999:1:2", "newer_than"),
        ("older_than=1:1:1&newer_than=1:1:1", "newer_than"),
    ],
)
def test_what_is_no_place_is_refused_by_its_field(chat: Chat, places: list[str], query: str, field: str) -> None:
    answer = chat.ask("ana", "GET", f"users/bob/messages?{query}")
    assert problem(answer) == (400, "bad_request")
    assert [error["field"] for error in answer.json()["errors"]] == [field]
