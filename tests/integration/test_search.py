"""Search of messages over REST: words of one's own conversations, and of nobody else's."""

import pytest

from klatsch.archive import search
from klatsch.archive.models import Message
from klatsch.conversations.models import Conversation, Member
from tests.integration.archive_rows import archive, open_epoch
from tests.integration.chat import Chat, read_pages
from tests.integration.people import bearer, make_person, problem
from tests.support.records import ANA, BOB, CLEO, COFFEE, TEA, Somebody, in_group

pytestmark = pytest.mark.django_db


@pytest.fixture
def chat() -> Chat:
    """Makes Ana and Bob members of two groups, and Cleo of none."""
    open_epoch()
    chat = Chat()
    for group in (TEA, COFFEE):
        Conversation.objects.create(id=group, kind="group", title="Tea")
    for somebody in (ANA, BOB, CLEO):
        person = make_person(somebody.name, id=somebody.id)
        chat.people[somebody.name] = (person, bearer(person))
        if somebody is not CLEO:
            Member.objects.bulk_create(Member(conversation_id=group, user_id=somebody.id) for group in (TEA, COFFEE))
    return chat


def found(chat: Chat, words: str, who: Somebody = ANA) -> list[str]:
    """Returns the texts of all pages."""
    pages = read_pages(lambda address: chat.ask(who.name, "GET", address), f"search?q={words}")
    return [one["content"] for page in pages for one in page]


def test_words_are_found_in_any_case_in_all_ones_conversations_the_newest_first(chat: Chat) -> None:
    archive(in_group(BOB), "Green tea?", offset=1)
    archive(in_group(ANA, COFFEE), "No TEA, coffee", offset=2)
    archive(in_group(BOB), "teapot", offset=3)
    archive(in_group(BOB), "Tea at four. Grün!", offset=4)
    assert found(chat, "tea") == ["Tea at four. Grün!", "No TEA, coffee", "Green tea?"]
    assert found(chat, "four tea") == ["Tea at four. Grün!"]
    assert found(chat, '"tea at"') == ["Tea at four. Grün!"]
    assert found(chat, "coffee or grün") == ["Tea at four. Grün!", "No TEA, coffee"]
    assert found(chat, "tea -coffee") == ["Tea at four. Grün!", "Green tea?"]
    assert found(chat, "cocoa") == []
    shown = chat.ask("ana", "GET", "messages").json()["results"]
    assert chat.ask("ana", "GET", "search?q=tea").json() == {
        "results": [one for one in shown if "tea" in one["content"].lower().replace("teapot", "")],
        "next": None,
        "previous": None,
    }


def test_nobody_finds_what_they_may_not_read(chat: Chat) -> None:
    archive(in_group(BOB), "tea", offset=1)
    assert found(chat, "tea", CLEO) == []
    Member.objects.filter(user_id=ANA.id).update(active=False)
    assert found(chat, "tea", ANA) == []
    assert found(chat, "tea", BOB) == ["tea"]


def test_only_the_present_text_is_found_and_none_of_a_deleted_message(chat: Chat) -> None:
    one, other = archive(in_group(BOB), "tea", offset=1), archive(in_group(BOB), "coffee", offset=2)
    Message.objects.filter(pk=one.pk).update(content="cocoa")
    Message.objects.filter(pk=other.pk).update(content="", deleted=True)
    assert (found(chat, "tea"), found(chat, "coffee"), found(chat, "cocoa")) == ([], [], ["cocoa"])
    assert found(chat, "-tea") == ["cocoa"]


def test_pages_have_each_message_once_and_none_is_skipped(chat: Chat) -> None:
    for offset in range(9):
        archive(in_group(BOB, TEA if offset % 2 else COFFEE), f"tea {offset}", offset=offset)
        archive(in_group(BOB), f"cocoa {offset}", offset=100 + offset)
    pages = read_pages(lambda address: chat.ask("ana", "GET", address), "search?q=tea&limit=4")
    assert [len(page) for page in pages] == [4, 4, 1]
    assert [one["content"] for page in pages for one in page] == [f"tea {offset}" for offset in reversed(range(9))]


def test_a_page_looks_at_so_many_messages_and_says_where_to_go_on(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_AT_ONCE", 2)
    monkeypatch.setattr(search, "LOOKED_AT_MOST", 6)
    monkeypatch.setattr(search, "_SECONDS_MOST", 60.0)
    archive(in_group(BOB), "tea", offset=0)
    for offset in range(1, 14):
        archive(in_group(BOB), "cocoa", offset=offset)
    pages = read_pages(lambda address: chat.ask("ana", "GET", address), "search?q=tea")
    assert [len(page) for page in pages] == [0, 0, 1]


@pytest.mark.parametrize("query", ["", "q=", "q=a&q=b", "q=a%00b", f"q={'x' * 201}", "q=a&cursor=x"])
def test_a_search_without_words_or_with_wrong_ones_is_refused(chat: Chat, query: str) -> None:
    assert problem(chat.ask("ana", "GET", f"search?{query}")) == (400, "bad_request")


@pytest.mark.parametrize("words", ["%20", "!!!", "''", "-", "%26|!():*", "\\", "%25_"])
def test_what_has_no_word_finds_nothing(chat: Chat, words: str) -> None:
    archive(in_group(BOB), "tea", offset=1)
    assert found(chat, words) == []


def test_a_cursor_of_another_list_is_refused(chat: Chat) -> None:
    for offset in range(2):
        archive(in_group(BOB), "tea", offset=offset)
    cursor = chat.ask("ana", "GET", "messages?limit=1").json()["next"].split("cursor=")[1]
    assert problem(chat.ask("ana", "GET", f"search?q=tea&cursor={cursor}")) == (400, "bad_request")


def test_a_page_ends_after_a_while_and_says_where_to_go_on(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_AT_ONCE", 2)
    monkeypatch.setattr(search, "LOOKED_AT_MOST", 6)
    monkeypatch.setattr(search, "_SECONDS_MOST", 0.0)
    for offset, content in enumerate(("tea", "cocoa", "cocoa", "cocoa")):
        archive(in_group(BOB), content, offset=offset)
    pages = read_pages(lambda address: chat.ask("ana", "GET", address), "search?q=tea")
    assert [len(page) for page in pages] == [0, 1, 0]
