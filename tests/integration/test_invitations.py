"""Invitations to groups over REST: who is invited instead of added, and who sees an invitation."""

import pytest
from django.conf import settings

from klatsch.conversations.models import Invitation
from klatsch.records.decoding import decode
from klatsch.records.invitations import InvitationChanged
from klatsch.records.kinds import INVITATION_CHANGED, KINDS
from tests.integration.chat import Chat, read_pages
from tests.integration.inviting import chat as chat  # noqa: PLC0414 - the fixture
from tests.integration.inviting import invite, is_member, received, respond, told
from tests.integration.inviting import strangers as strangers  # noqa: PLC0414 - the fixture
from tests.integration.inviting import tea as tea  # noqa: PLC0414 - the fixture
from tests.integration.people import problem

pytestmark = pytest.mark.django_db(transaction=True)


def test_somebody_who_has_never_written_to_the_adder_is_invited_and_not_added(chat: Chat, tea: str) -> None:
    chat.ask("ana", "POST", "users/zoe/messages", {"content": "hello?"})
    answer = chat.ask("ana", "POST", f"conversations/{tea}/members", {"username": "ZOE"})

    assert answer.status_code == 202
    invitation = answer.json()
    assert invitation.keys() == {
        "id", "conversation", "title", "description", "member_count", "user", "user_id", "invited_by", "state",
        "created_at", "expires_at", "version",
    }  # fmt: skip
    assert [invitation[name] for name in ("conversation", "title", "description", "member_count")] == [
        tea, "Tea", "At four", 3,
    ]  # fmt: skip
    assert (invitation["user"], invitation["invited_by"], invitation["state"]) == ("zoe", "ana", "open")
    assert not is_member(chat, tea)
    assert received(chat) == [invitation]
    assert told(chat) == [("open", 1)]


def test_somebody_who_has_written_to_the_adder_is_added_and_to_another_member_is_not_enough(
    chat: Chat, tea: str
) -> None:
    chat.ask("zoe", "POST", "users/ana/messages", {"content": "hi"})
    chat.ask("zoe", "POST", "users/cid/messages", {"content": "hi"})

    assert chat.ask("bob", "POST", f"conversations/{tea}/members", {"username": "zoe"}).status_code == 202
    assert chat.ask("ana", "POST", f"conversations/{tea}/members", {"username": "zoe"}).status_code == 201
    assert is_member(chat, tea)


def test_with_the_setting_off_everybody_is_added(chat: Chat, tea: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.ENV, "KLATSCH_INVITE_STRANGERS", False)

    assert chat.ask("ana", "POST", f"conversations/{tea}/members", {"username": "zoe"}).status_code == 201
    assert chat.ask("ana", "POST", "conversations", {"title": "T", "members": ["max"]}).json()["invited"] == []


def test_a_new_group_has_those_who_have_written_and_names_whom_it_invited(chat: Chat) -> None:
    chat.ask("bob", "POST", "users/ana/messages", {"content": "hi"})
    made = chat.ask("ana", "POST", "conversations", {"title": "Tea", "members": ["zoe", "bob", "max"]})

    assert made.status_code == 201
    assert made.json()["invited"] == ["max", "zoe"]
    assert [member["user"] for member in made.json()["members"]] == ["ana", "bob"]
    assert made.json()["member_count"] == 2
    [invitation] = received(chat)
    assert (invitation["conversation"], invitation["member_count"]) == (made.json()["id"], 2)


def test_an_open_invitation_is_not_sent_twice_and_one_who_is_a_member_is_not_invited(chat: Chat, tea: str) -> None:
    first = invite(chat, tea)

    assert invite(chat, tea, by="bob") == first
    assert chat.ask("bob", "POST", f"conversations/{tea}/members", {"username": "zoe"}).json() == first
    assert told(chat) == [("open", 1)]
    again = chat.ask("ana", "POST", "invitations", {"conversation": tea, "username": "cid"})
    assert problem(again) == (409, "conflict")


def test_invited_people_see_nothing_of_the_group_but_their_invitation(chat: Chat, tea: str) -> None:
    chat.ask("ana", "POST", f"conversations/{tea}/messages", {"content": "secret"})
    invite(chat, tea)
    for path in ("", "/messages", "/members", "/invitations"):
        assert problem(chat.ask("zoe", "GET", f"conversations/{tea}{path}")) == (404, "not_found")
    assert problem(chat.ask("zoe", "POST", f"conversations/{tea}/messages", {"content": "hi"})) == (404, "not_found")
    assert "secret" not in chat.ask("zoe", "GET", "invitations").content.decode()
    assert chat.ask("zoe", "GET", "conversations").json()["results"] == []


def test_owners_and_admins_see_the_open_invitations_of_their_group_and_others_do_not(chat: Chat, tea: str) -> None:
    made = [invite(chat, tea, name) for name in ("zoe", "max")]
    path = f"conversations/{tea}/invitations"
    for name in ("ana", "bob"):
        pages = read_pages(lambda address, name=name: chat.ask(name, "GET", address), f"{path}?limit=1")  # type: ignore[misc]  # a default
        assert pages == [[made[1]], [made[0]]]
    assert problem(chat.ask("cid", "GET", path)) == (403, "forbidden")
    assert problem(chat.ask("max", "GET", path)) == (404, "not_found")


def test_only_the_invited_person_answers_and_only_owners_and_admins_invite(chat: Chat, tea: str) -> None:
    invitation = invite(chat, tea)
    for by in ("ana", "max", "cid"):
        for how in ("accept", "decline"):
            assert problem(respond(chat, invitation, how, by)) == (404, "not_found")
    body = {"conversation": tea, "username": "max"}
    assert problem(chat.ask("cid", "POST", "invitations", body)) == (403, "forbidden")
    assert problem(chat.ask("zoe", "POST", "invitations", body)) == (404, "not_found")
    direct = chat.ask("ana", "POST", "users/bob/messages", {"content": "hi"}).json()["conversation"]
    assert problem(chat.ask("ana", "POST", "invitations", body | {"conversation": direct})) == (403, "forbidden")
    unknown = chat.ask("ana", "POST", "invitations", body | {"username": "nobody"})
    assert problem(unknown) == (404, "not_found")


def test_a_deactivated_person_is_not_invited(chat: Chat, tea: str) -> None:
    person, _ = chat.people["zoe"]
    person.is_active = False
    person.save(update_fields=["is_active"])
    refused = chat.ask("ana", "POST", "invitations", {"conversation": tea, "username": "zoe"})
    assert problem(refused) == (404, "not_found")


def test_people_who_have_blocked_somebody_are_neither_added_nor_invited_by_them(chat: Chat, tea: str) -> None:
    chat.ask("zoe", "PUT", "blocks/ana")
    for method, path, body in (
        ("POST", "invitations", {"conversation": tea, "username": "zoe"}),
        ("POST", f"conversations/{tea}/members", {"username": "zoe"}),
        ("POST", "conversations", {"title": "T", "members": ["zoe"]}),
    ):
        assert problem(chat.ask("ana", method, path, body)) == (403, "blocked")
    assert Invitation.objects.count() == 0


def test_a_record_of_an_invitation_lies_with_the_persons_own_affairs(chat: Chat, tea: str) -> None:
    invite(chat, tea)
    [record] = [r for partition in chat.log.records for r in partition if KINDS.find(r) is INVITATION_CHANGED]
    assert record.key == b"invitations:" + str(chat.id_of("zoe")).encode()
    assert isinstance(decode(record), InvitationChanged)
