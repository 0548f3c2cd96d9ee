"""One message, its versions and reactions, pins and mentions over REST, from what a persister has stored."""

from typing import Any

import msgspec
import pytest
from django.db import connection as django_connection
from django.test.utils import CaptureQueriesContext

from klatsch.accounts.models import User
from klatsch.archive.models import Message
from klatsch.conversations.models import Member
from klatsch.records.messages import MessagePosted
from tests.integration.chat import Chat, read_pages
from tests.integration.people import bearer, problem
from tests.integration.shelf import OTHER, SAID, Shelf, put_two_messages
from tests.support.changes import deleted, edited, pinned, reacted
from tests.support.records import ANA, BOB, CLEO, COFFEE, PEOPLE, TEA, Somebody, entry_of, in_group, posted

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("world")]

NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def shelf(shelf: Shelf) -> Shelf:
    """Stores a message of Ana's and one of Bob's. Cleo has left the group."""
    for somebody in PEOPLE:
        Member.objects.create(conversation_id=TEA, user_id=somebody.id, active=somebody is not CLEO)
    return put_two_messages(shelf)


@pytest.fixture
def chat(world: None) -> Chat:
    chat = Chat()
    for somebody in PEOPLE:
        person = User.objects.get(pk=somebody.id)
        chat.people[somebody.name] = (person, bearer(person))
    return chat


def ask(chat: Chat, path: str, who: Somebody = ANA) -> Any:
    return chat.ask(who.name, "GET", path)


def results(chat: Chat, path: str, who: Somebody = ANA) -> list[dict[str, Any]]:
    answer = ask(chat, path, who)
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


def statements(chat: Chat, path: str) -> int:
    with CaptureQueriesContext(django_connection) as captured:
        assert ask(chat, path).status_code == 200
    return len(captured)


def mentioning(content: str, client_id: str, *people: Somebody, group: Any = TEA) -> MessagePosted:
    names, ids = [one.name for one in people], [one.user_id for one in people]
    return msgspec.structs.replace(
        posted(in_group(BOB, group), content, client_id=client_id), mentions=names, mention_ids=ids
    )


def test_a_member_gets_a_message_as_histories_show_it(shelf: Shelf, chat: Chat) -> None:
    shelf.put(edited(SAID, "hi!"), reacted(SAID, "👍", BOB))
    [shown] = [one for one in results(chat, f"conversations/{TEA}/messages") if one["id"] == SAID.id]
    assert ask(chat, f"messages/{SAID.id}").json() == shown
    assert (shown["content"], shown["reactions"]) == ("hi!", {"👍": ["bob"]})
    assert statements(chat, f"messages/{SAID.id}") == 2, "the credential, and the message"


@pytest.mark.parametrize("rest", ["", "/versions", "/reactions"])
def test_a_message_of_others_answers_like_none(shelf: Shelf, chat: Chat, rest: str) -> None:
    answers = [
        ask(chat, f"messages/{SAID.id}{rest}", CLEO), ask(chat, f"messages/{NOWHERE}{rest}", CLEO),
        ask(chat, f"messages/{NOWHERE}{rest}"),
    ]  # fmt: skip
    assert {problem(answer) for answer in answers} == {(404, "not_found")}
    assert len({answer.content for answer in answers}) == 1


def test_versions_are_listed_from_the_first_and_paged(shelf: Shelf, chat: Chat) -> None:
    path = f"messages/{SAID.id}/versions"
    [only] = results(chat, path)
    assert only == {"content": "hi", "written_at": SAID.sent_at, "position": "1:0:0"}
    shelf.put(*(edited(SAID, f"edit {number}") for number in range(4)))
    everything = results(chat, path)
    assert [(one["content"], one["position"]) for one in everything] == [
        ("hi", "1:0:0"), ("edit 0", "1:0:2"), ("edit 1", "1:0:3"), ("edit 2", "1:0:4"), ("edit 3", "1:0:5")
    ]  # fmt: skip
    assert everything[0] == only
    pages = read_pages(lambda address: ask(chat, address), f"{path}?limit=2")
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [one for page in pages for one in page] == everything
    assert statements(chat, path) == 3, "the credential, the right to read, and the versions"


def test_the_versions_and_reactions_of_a_deleted_message_are_gone(shelf: Shelf, chat: Chat) -> None:
    shelf.put(edited(SAID, "hi!"), reacted(SAID, "👍", BOB), deleted(SAID))
    for rest in ("versions", "reactions"):
        assert problem(ask(chat, f"messages/{SAID.id}/{rest}")) == (410, "gone")
    message = ask(chat, f"messages/{SAID.id}").json()
    assert (message["content"], message["deleted"]) == ("", True)


def test_reactions_are_listed_in_the_order_of_time_and_paged(shelf: Shelf, chat: Chat) -> None:
    path = f"messages/{SAID.id}/reactions"
    assert results(chat, path) == []
    shelf.put(reacted(SAID, "👍", BOB), reacted(SAID, "🎉", ANA), reacted(SAID, "👍", ANA), reacted(OTHER, "👍", ANA))
    shelf.put(reacted(SAID, "🎉", ANA, on=False), reacted(SAID, "🎉", BOB))
    everything = results(chat, path)
    assert [(one["emoji"], one["user"]) for one in everything] == [("👍", "bob"), ("👍", "ana"), ("🎉", "bob")]
    assert everything[0] == {"emoji": "👍", "user": "bob", "user_id": BOB.user_id, "position": "1:0:2"}
    pages = read_pages(lambda address: ask(chat, address), f"{path}?limit=2")
    assert [one for page in pages for one in page] == everything
    assert statements(chat, path) == 3


def test_pins_are_listed_the_newest_first_until_they_are_taken_off(shelf: Shelf, chat: Chat) -> None:
    path = f"conversations/{TEA}/pins"
    shelf.put(pinned(OTHER, ANA))
    Message.objects.filter(pk=OTHER.id).update(pinned_at="2026-01-01T00:00:00Z")
    shelf.put(pinned(SAID, ANA))
    pins = results(chat, path, BOB)
    assert [one["id"] for one in pins] == [SAID.id, OTHER.id]
    assert all(one["pinned_at"] for one in pins)
    assert ask(chat, f"conversations/{TEA}").json()["pinned"] == [SAID.id, OTHER.id]
    assert statements(chat, path) == 3
    assert problem(ask(chat, path, CLEO)) == (404, "not_found")
    shelf.put(deleted(SAID), pinned(OTHER, ANA, on=False))
    assert results(chat, path) == []
    assert ask(chat, f"conversations/{TEA}").json()["pinned"] == []


def test_mentions_are_those_of_present_texts_in_present_conversations(shelf: Shelf, chat: Chat) -> None:
    Member.objects.create(conversation_id=COFFEE, user_id=ANA.id)
    first, second = mentioning("@ana", "m1", ANA), mentioning("@ana @cleo", "m2", ANA, CLEO)
    elsewhere = mentioning("@ana", "m3", ANA, group=COFFEE)
    shelf.put(entry_of(first), entry_of(second), entry_of(elsewhere), entry_of(mentioning("@cleo", "m4", CLEO)))
    everything = results(chat, "mentions")
    assert {one["id"] for one in everything} == {first.id, second.id, elsewhere.id}
    shown = {one["id"]: one for one in results(chat, "messages")}
    assert everything == [shown[one["id"]] for one in everything]
    pages = read_pages(lambda address: ask(chat, address), "mentions?limit=2")
    assert [one for page in pages for one in page] == everything
    assert statements(chat, "mentions") == 2
    assert results(chat, "mentions", CLEO) == [], "Cleo has left"
    Member.objects.filter(conversation_id=COFFEE, user_id=ANA.id).update(active=False)
    shelf.put(deleted(first), edited(second, "nobody", BOB), edited(SAID, "@bob", mentions=(BOB,)))
    assert results(chat, "mentions") == []
    assert [one["content"] for one in results(chat, "mentions", BOB)] == ["@bob"]


def test_a_cursor_of_another_list_is_refused(shelf: Shelf, chat: Chat) -> None:
    shelf.put(entry_of(mentioning("@ana", "m1", ANA)), entry_of(mentioning("@ana", "m2", ANA)))
    cursor = ask(chat, "messages?limit=1").json()["next"].split("cursor=")[1]
    assert problem(ask(chat, f"mentions?cursor={cursor}")) == (400, "bad_request")
