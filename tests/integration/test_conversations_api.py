"""Conversations and members over REST."""

from typing import Any

import pytest

from klatsch.conversations.group_rows import MEMBERS_MOST
from tests.integration.chat import Chat, read_pages
from tests.integration.people import problem

pytestmark = pytest.mark.django_db


def members_of(chat: Chat, group: str) -> dict[str, str]:
    members = chat.ask("ana", "GET", f"conversations/{group}/members").json()["results"]
    return {member["user"]: member["role"] for member in members}


def test_a_group_is_made_and_found_where_location_says(chat: Chat) -> None:
    made = chat.ask("ana", "POST", "conversations", {"title": "Tea ☕", "members": ["bob", "ana", "BOB"]})

    assert made.status_code == 201
    view = made.json()
    assert view.pop("invited") == []
    assert view.keys() == {
        "id", "kind", "title", "description", "version", "members", "member_count", "last_message", "muted_until",
        "pinned", "unread", "updated_at", "mentions", "markers", "unread_from",
    }  # fmt: skip
    assert (view["kind"], view["title"], view["unread"], view["last_message"]) == ("group", "Tea ☕", 0, None)
    assert [(member["user"], member["role"]) for member in view["members"]] == [("ana", "owner"), ("bob", "member")]
    for reader in ("ana", "bob"):
        assert chat.ask(reader, "GET", made["Location"].removeprefix("/api/v1/")).json() == view


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "title"),
        ({"title": ""}, "title"),
        ({"title": 7}, "title"),
        ({"title": "a\nb"}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"title": "Tea", "members": "bob"}, "members"),
        ({"title": "Tea", "members": [7]}, "members.0"),
        ({"title": "Tea", "members": [1] * MEMBERS_MOST}, "members"),
        ({"title": "Tea", "description": "x" * 501}, "description"),
        ({"title": "Tea", "description": " \n "}, "description"),
    ],
)
def test_what_is_wrong_with_a_group_is_said_by_field(chat: Chat, body: Any, field: str) -> None:
    answer = chat.ask("ana", "POST", "conversations", body)

    assert problem(answer) == (400, "bad_request")
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_of_very_many_wrong_members_20_are_named(chat: Chat) -> None:
    answer = chat.ask("ana", "POST", "conversations", {"title": "Tea", "members": [1] * (MEMBERS_MOST - 1)})
    assert problem(answer) == (400, "bad_request")
    assert [error["field"] for error in answer.json()["errors"]] == [f"members.{number}" for number in range(20)]


def test_a_group_with_somebody_unknown_is_404(chat: Chat) -> None:
    answer = chat.ask("ana", "POST", "conversations", {"title": "Tea", "members": ["nobody"]})

    assert problem(answer) == (404, "not_found")


def test_conversations_are_listed_newest_first_page_by_page(chat: Chat) -> None:
    made = [chat.make_group("ana") for _ in range(5)]
    direct = chat.ask("ana", "POST", "users/bob/messages", {"content": "hi"}).json()

    pages = read_pages(lambda address: chat.ask("ana", "GET", address), "conversations?limit=4")

    views = [view for page in pages for view in page]
    assert [len(page) for page in pages] == [4, 2]
    assert {view["id"] for view in views} == {*made, direct["conversation"]}
    assert [view["updated_at"] for view in views] == sorted((view["updated_at"] for view in views), reverse=True)
    [of_two] = [view for view in views if view["kind"] == "direct"]
    assert of_two["last_message"] == direct
    assert {member["user"] for member in of_two["members"]} == {"ana", "bob"}


def test_the_owner_renames_the_group_and_others_may_not(chat: Chat, tea: str) -> None:
    renamed = chat.ask("ana", "PATCH", f"conversations/{tea}", {"title": "Coffee"})

    assert (renamed.status_code, renamed.json()["title"]) == (200, "Coffee")
    assert problem(chat.ask("bob", "PATCH", f"conversations/{tea}", {"title": "Mine"})) == (403, "forbidden")
    assert problem(chat.ask("zoe", "PATCH", f"conversations/{tea}", {"title": "Mine"})) == (404, "not_found")


def test_owners_and_admins_describe_the_group_and_what_is_not_named_stays(chat: Chat, tea: str) -> None:
    path = f"conversations/{tea}"
    assert problem(chat.ask("bob", "PATCH", path, {"description": "Mine"})) == (403, "forbidden")
    chat.ask("ana", "PATCH", f"{path}/members/bob", {"role": "admin"})

    described = chat.ask("bob", "PATCH", path, {"description": "Every day\nat four"})
    assert (described.status_code, described.json()["description"]) == (200, "Every day\nat four")
    assert described.json()["title"] == "Tea"
    assert problem(chat.ask("bob", "PATCH", path, {"title": "Mine", "description": "Mine"})) == (403, "forbidden")
    both = chat.ask("ana", "PATCH", path, {"title": "Coffee", "description": ""}).json()
    assert (both["title"], both["description"]) == ("Coffee", "")
    assert both["version"] == described.json()["version"] + 1
    assert chat.ask("ana", "PATCH", path, {}).json() == both


@pytest.mark.parametrize("description", ["x" * 501, " \n ", "a\0b", "a\x07b", 7])
def test_a_description_is_empty_or_visible_text_of_at_most_500_characters(
    chat: Chat, tea: str, description: Any
) -> None:
    answer = chat.ask("ana", "PATCH", f"conversations/{tea}", {"description": description})

    assert problem(answer) == (400, "bad_request")
    assert [error["field"] for error in answer.json()["errors"]] == ["description"]


def test_a_group_is_transferred_by_its_owner_to_a_member(chat: Chat, tea: str) -> None:
    path = f"conversations/{tea}/transfer"
    assert problem(chat.ask("bob", "POST", path, {"username": "bob"})) == (403, "forbidden")
    assert problem(chat.ask("zoe", "POST", path, {"username": "zoe"})) == (404, "not_found")
    assert problem(chat.ask("ana", "POST", path, {"username": "zoe"})) == (404, "not_found")
    assert problem(chat.ask("ana", "POST", path, {"username": "ana"})) == (400, "bad_request")

    transferred = chat.ask("ana", "POST", path, {"username": "BOB"})
    assert transferred.status_code == 200
    assert members_of(chat, tea) == {"ana": "admin", "bob": "owner"}
    assert problem(chat.ask("ana", "POST", path, {"username": "bob"})) == (403, "forbidden")


def test_the_owner_dissolves_the_group_for_everybody(chat: Chat, tea: str) -> None:
    assert problem(chat.ask("bob", "DELETE", f"conversations/{tea}")) == (403, "forbidden")
    assert chat.ask("ana", "DELETE", f"conversations/{tea}").status_code == 204

    for person in ("ana", "bob"):
        assert problem(chat.ask(person, "GET", f"conversations/{tea}")) == (404, "not_found")
        assert chat.ask(person, "GET", "conversations").json()["results"] == []


def test_members_come_change_and_go(chat: Chat, tea: str) -> None:
    path = f"conversations/{tea}/members"

    added = chat.ask("ana", "POST", path, {"username": "ZOE"})
    assert added.status_code == 201
    assert (added.json()["user"], added.json()["role"]) == ("zoe", "member")
    assert chat.ask("ana", "PATCH", f"{path}/zoe", {"role": "admin"}).json()["role"] == "admin"
    assert members_of(chat, tea) == {"ana": "owner", "bob": "member", "zoe": "admin"}
    assert chat.ask("zoe", "DELETE", f"{path}/bob").status_code == 204
    assert chat.ask("zoe", "DELETE", f"{path}/zoe").status_code == 204
    assert members_of(chat, tea) == {"ana": "owner"}


def test_changes_of_members_are_refused_as_the_rights_say(chat: Chat, tea: str) -> None:
    path = f"conversations/{tea}/members"

    assert problem(chat.ask("bob", "POST", path, {"username": "zoe"})) == (403, "forbidden")
    assert problem(chat.ask("ana", "POST", path, {"username": "nobody"})) == (404, "not_found")
    assert problem(chat.ask("ana", "POST", path, {"username": "a\0b"})) == (400, "bad_request")
    assert problem(chat.ask("ana", "PATCH", f"{path}/bob", {"role": "king"})) == (400, "bad_request")
    assert problem(chat.ask("ana", "PATCH", f"{path}/zoe", {"role": "admin"})) == (404, "not_found")
    assert problem(chat.ask("ana", "DELETE", f"{path}/ana")) == (409, "conflict")
    assert problem(chat.ask("zoe", "DELETE", f"{path}/bob")) == (404, "not_found")


def test_members_are_listed_page_by_page(chat: Chat, tea: str) -> None:
    names = [f"p{i}" for i in range(5)]
    chat.join(*names)
    for name in names:
        chat.ask("ana", "POST", f"conversations/{tea}/members", {"username": name})

    pages = read_pages(lambda address: chat.ask("bob", "GET", address), f"conversations/{tea}/members?limit=3")

    assert [[member["user"] for member in page] for page in pages] == [["ana", "bob", "p0"], ["p1", "p2", "p3"], ["p4"]]


def test_a_conversation_of_two_is_neither_renamed_nor_dissolved_nor_left(chat: Chat) -> None:
    direct = chat.ask("ana", "POST", "users/bob/messages", {"content": "hi"}).json()["conversation"]

    for method, path, body in (
        ("PATCH", f"conversations/{direct}", {"title": "Us"}),
        ("DELETE", f"conversations/{direct}", None),
        ("DELETE", f"conversations/{direct}/members/ana", None),
        ("POST", f"conversations/{direct}/members", {"username": "zoe"}),
    ):
        assert problem(chat.ask("ana", method, path, body)) == (403, "forbidden")


def test_an_id_that_is_none_is_404(chat: Chat) -> None:
    for path in ("conversations/x", "conversations/x/messages", "conversations/x/members/bob"):
        assert problem(chat.ask("ana", "GET", path)) == (404, "not_found")
