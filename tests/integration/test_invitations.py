"""Invitations to groups over REST: who is invited instead of added, what they see, and how an invitation ends."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from klatsch.conversations import caps, group_rows
from klatsch.conversations.invitation_queries import INVITATION_DAYS, list_states
from klatsch.conversations.invitations import sweep_invitations
from klatsch.conversations.models import Conversation, Invitation, Member
from klatsch.core.bucket import Buckets
from klatsch.eventlog.outbox import relay_records
from klatsch.records.decoding import decode
from klatsch.records.invitations import InvitationChanged
from klatsch.records.kinds import INVITATION_CHANGED, KINDS
from klatsch.records.members import MembersChanged
from tests.integration.chat import Chat, read_pages
from tests.integration.people import problem

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.ENV, "KLATSCH_INVITE_STRANGERS", True)


@pytest.fixture
def chat() -> Chat:
    """Ana owns a group, in which bob is an admin and cid a member; zoe has never written to anybody."""
    chat = Chat()
    chat.join("ana", "bob", "cid", "zoe", "max")
    return chat


@pytest.fixture
def tea(chat: Chat) -> str:
    for name in ("bob", "cid"):
        chat.ask(name, "POST", "users/ana/messages", {"content": "hi"})
    tea = chat.make_group("ana", "bob", "cid")
    assert chat.ask("ana", "PATCH", f"conversations/{tea}/members/bob", {"role": "admin"}).status_code == 200
    chat.ask("ana", "PATCH", f"conversations/{tea}", {"description": "At four"})
    return tea


def invite(chat: Chat, tea: str, name: str = "zoe", by: str = "ana") -> Any:
    answer = chat.ask(by, "POST", "invitations", {"conversation": tea, "username": name})
    assert answer.status_code == 201, answer.content
    return answer.json()


def respond(chat: Chat, invitation: Any, how: str = "accept", by: str = "zoe") -> Any:
    return chat.ask(by, "POST", f"invitations/{invitation['id']}/{how}")


def received(chat: Chat, name: str = "zoe") -> list[Any]:
    found: list[Any] = chat.ask(name, "GET", "invitations").json()["results"]
    return found


def told(chat: Chat, name: str = "zoe") -> list[tuple[str, int]]:
    """The states and versions that the records told this person, in their order."""
    records = [record for partition in chat.log.records for record in partition]
    events = [decode(record) for record in records if KINDS.find(record) is INVITATION_CHANGED]
    return [(event.state, event.version) for event in events if event.user == name]


def is_member(chat: Chat, tea: str, name: str = "zoe") -> bool:
    return Member.objects.filter(conversation_id=tea, user_id=chat.id_of(name), active=True).exists()


def grow_old(invitation: Any) -> None:
    row = Invitation.objects.get(pk=invitation["id"])
    past = row.created_at - timedelta(days=INVITATION_DAYS, seconds=1)
    Invitation.objects.filter(pk=row.pk).update(created_at=past, changed_at=past)


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


def test_who_accepts_is_a_member_from_then_on_and_repeating_it_is_harmless(chat: Chat, tea: str) -> None:
    invitation = invite(chat, tea)
    answers = [respond(chat, invitation) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200] * 3
    assert answers[0].json()["state"] == "accepted"
    assert is_member(chat, tea)
    assert received(chat) == []
    assert told(chat) == [("open", 1), ("accepted", 2)]
    assert Conversation.objects.get(pk=tea).member_count == 4
    members = [
        one
        for partition in chat.log.records
        for record in partition
        if isinstance(event := decode(record), MembersChanged)
        for one in event.members
        if one.user == "zoe"
    ]
    assert [(one.role, one.active, one.version) for one in members] == [("member", True, 1)]


def test_who_declines_is_no_member_and_is_not_invited_to_that_group_again(chat: Chat, tea: str) -> None:
    invitation = invite(chat, tea)
    assert [respond(chat, invitation, "decline").status_code for _ in range(2)] == [200] * 2

    assert not is_member(chat, tea)
    assert received(chat) == []
    assert told(chat) == [("open", 1), ("declined", 2)]
    assert problem(respond(chat, invitation)) == (409, "conflict")
    for by in ("ana", "bob"):
        again = chat.ask(by, "POST", "invitations", {"conversation": tea, "username": "zoe"})
        assert problem(again) == (409, "conflict")
        again = chat.ask(by, "POST", f"conversations/{tea}/members", {"username": "zoe"})
        assert problem(again) == (409, "conflict")
    assert chat.ask("ana", "POST", "conversations", {"title": "Other", "members": ["zoe"]}).status_code == 201

    grow_old(invitation)
    assert invite(chat, tea)["version"] == 3


def test_who_has_accepted_can_no_longer_decline(chat: Chat, tea: str) -> None:
    invitation = invite(chat, tea)
    respond(chat, invitation)

    assert problem(respond(chat, invitation, "decline")) == (409, "conflict")
    assert is_member(chat, tea)


def test_an_open_invitation_is_not_sent_twice_and_one_who_is_a_member_is_not_invited(chat: Chat, tea: str) -> None:
    first = invite(chat, tea)

    assert invite(chat, tea, by="bob") == first
    assert chat.ask("bob", "POST", f"conversations/{tea}/members", {"username": "zoe"}).json() == first
    assert told(chat) == [("open", 1)]
    again = chat.ask("ana", "POST", "invitations", {"conversation": tea, "username": "cid"})
    assert problem(again) == (409, "conflict")


@pytest.mark.parametrize("by", ["ana", "bob"])
def test_the_inviter_and_other_owners_and_admins_withdraw_an_invitation(chat: Chat, tea: str, by: str) -> None:
    invitation = invite(chat, tea)
    path = f"invitations/{invitation['id']}"
    for other in ("cid", "zoe", "max"):
        assert problem(chat.ask(other, "DELETE", path)) == (404, "not_found")

    assert [chat.ask(by, "DELETE", path).status_code for _ in range(2)] == [204, 204]
    assert received(chat) == []
    assert told(chat) == [("open", 1), ("withdrawn", 2)]
    assert problem(respond(chat, invitation)) == (410, "gone")
    assert problem(respond(chat, invitation, "decline")) == (410, "gone")
    assert invite(chat, tea)["version"] == 3
    assert respond(chat, invitation).status_code == 200
    assert problem(chat.ask(by, "DELETE", path)) == (409, "conflict")


def test_one_who_was_demoted_withdraws_their_own_invitations_only(chat: Chat, tea: str) -> None:
    own, other = invite(chat, tea, by="bob"), invite(chat, tea, "max")
    chat.ask("ana", "PATCH", f"conversations/{tea}/members/bob", {"role": "member"})

    assert problem(chat.ask("bob", "DELETE", f"invitations/{other['id']}")) == (404, "not_found")
    assert chat.ask("bob", "DELETE", f"invitations/{own['id']}").status_code == 204


def test_invited_people_see_nothing_of_the_group_but_their_invitation(chat: Chat, tea: str) -> None:
    chat.ask("ana", "POST", f"conversations/{tea}/messages", {"content": "secret"})
    invite(chat, tea)
    for path in ("", "/messages", "/members", "/invitations"):
        assert problem(chat.ask("zoe", "GET", f"conversations/{tea}{path}")) == (404, "not_found")
    assert problem(chat.ask("zoe", "POST", f"conversations/{tea}/messages", {"content": "hi"})) == (404, "not_found")
    assert "secret" not in chat.ask("zoe", "GET", "invitations").content.decode()
    assert chat.ask("zoe", "GET", "conversations").json()["results"] == []


def test_an_invitation_that_has_ended_tells_nothing_of_the_group(chat: Chat, tea: str) -> None:
    invitation = invite(chat, tea)
    chat.ask("ana", "PATCH", f"conversations/{tea}", {"title": "Coffee"})
    assert received(chat)[0]["title"] == "Coffee"
    respond(chat, invitation, "decline")
    chat.ask("ana", "PATCH", f"conversations/{tea}", {"title": "Secret"})

    [state] = list_states(chat.id_of("zoe"))
    assert (state.state, state.title, state.description, state.member_count) == ("declined", "", "", 0)


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


def test_who_was_removed_does_not_come_back_by_the_old_invitation(chat: Chat, tea: str) -> None:
    invitation = invite(chat, tea)
    respond(chat, invitation)
    chat.ask("ana", "DELETE", f"conversations/{tea}/members/zoe")

    assert problem(respond(chat, invitation)) == (410, "gone")
    assert invite(chat, tea)["version"] == 3
    assert respond(chat, invitation).status_code == 200
    assert Member.objects.get(conversation_id=tea, user_id=chat.id_of("zoe")).version == 3


def test_one_who_is_added_otherwise_has_no_open_invitation_and_may_still_accept(chat: Chat, tea: str) -> None:
    invitation = invite(chat, tea)
    chat.ask("zoe", "POST", "users/ana/messages", {"content": "hi"})
    chat.ask("ana", "POST", f"conversations/{tea}/members", {"username": "zoe"})

    assert received(chat) == []
    assert told(chat) == [("open", 1), ("accepted", 2)]
    assert respond(chat, invitation).status_code == 200
    assert Conversation.objects.get(pk=tea).member_count == 4


@pytest.mark.parametrize("dissolved", [True, False])
def test_a_group_that_nobody_is_in_any_more_invites_nobody(*, chat: Chat, tea: str, dissolved: bool) -> None:
    invitations = {name: invite(chat, tea, name) for name in ("zoe", "max")}
    if dissolved:
        chat.ask("ana", "DELETE", f"conversations/{tea}")
    else:
        for name in ("bob", "cid", "ana"):
            assert chat.ask(name, "DELETE", f"conversations/{tea}/members/{name}").status_code == 204

    for name, invitation in invitations.items():
        assert problem(respond(chat, invitation, by=name)) == (410, "gone")
        assert told(chat, name) == [("open", 1), ("withdrawn", 2)]
        assert received(chat, name) == []


def test_a_full_group_takes_nobody_in_and_the_invitation_stays_open(
    chat: Chat, tea: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    invitation = invite(chat, tea)
    monkeypatch.setattr(group_rows, "MEMBERS_MOST", 3)
    assert problem(respond(chat, invitation)) == (409, "conflict")
    chat.ask("cid", "DELETE", f"conversations/{tea}/members/cid")
    assert respond(chat, invitation).status_code == 200


def test_who_is_in_too_many_conversations_accepts_after_they_have_left_one(
    chat: Chat, tea: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    invitation = invite(chat, tea)
    own = chat.make_group("zoe")
    monkeypatch.setitem(settings.ENV, "KLATSCH_CONVERSATIONS_PER_PERSON", 1)
    assert problem(respond(chat, invitation)) == (409, "limit_reached")
    chat.ask("zoe", "DELETE", f"conversations/{own}/members/zoe")
    assert respond(chat, invitation).status_code == 200


def test_an_invitation_ends_after_30_days_and_is_forgotten_30_days_later(chat: Chat, tea: str) -> None:
    invitation = invite(chat, tea)
    assert sweep_invitations() == 0
    grow_old(invitation)

    assert received(chat) == []
    assert problem(respond(chat, invitation)) == (410, "gone")
    assert sweep_invitations() == 1
    relay_records(chat.writer)
    assert told(chat) == [("open", 1), ("expired", 2)]
    grow_old(invitation)
    assert sweep_invitations() == 0
    assert Invitation.objects.count() == 0
    assert problem(respond(chat, invitation)) == (404, "not_found")


def test_an_invitation_that_ran_out_but_was_not_swept_yet_can_be_sent_anew(chat: Chat, tea: str) -> None:
    grow_old(invite(chat, tea))

    assert invite(chat, tea, by="bob")["invited_by"] == "bob"
    assert told(chat) == [("open", 1), ("open", 2)]


@pytest.mark.parametrize("cap", ["INVITED_BY_MOST", "INVITED_MOST", "INVITED_PAIR_MOST"])
def test_open_invitations_are_capped_by_inviter_by_person_and_by_both(
    chat: Chat, tea: str, cap: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caps, cap, 1)
    invitation = invite(chat, tea)
    other = chat.ask("ana", "POST", "conversations", {"title": "T", "members": ["zoe"]})
    assert problem(other) == (409, "limit_reached")
    assert Conversation.objects.filter(title="T").count() == 0
    respond(chat, invitation, "decline")
    assert chat.ask("ana", "POST", "conversations", {"title": "T", "members": ["zoe"]}).status_code == 201


def test_who_invites_or_answers_too_fast_is_told_when_to_come_again(chat: Chat, tea: str) -> None:
    invitation = invite(chat, tea)
    chat.changes = Buckets(0.001)
    assert problem(respond(chat, {"id": tea})) == (404, "not_found")
    invite(chat, tea, "max")
    path = f"invitations/{invitation['id']}"
    for by, method, where, body in (
        ("ana", "POST", "invitations", {"conversation": tea, "username": "zoe"}),
        ("ana", "DELETE", path, None),
        ("zoe", "POST", f"{path}/accept", None),
        ("zoe", "POST", f"{path}/decline", None),
        ("ana", "POST", f"conversations/{tea}/transfer", {"username": "bob"}),
    ):
        refused = chat.ask(by, method, where, body)
        assert problem(refused) == (429, "rate_limited")
        assert int(refused["Retry-After"]) > 0


def test_listing_invitations_costs_one_statement_for_one_and_for_many(chat: Chat, tea: str) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert chat.ask("zoe", "GET", "invitations").status_code == 200
        return len(queries)

    invite(chat, tea)
    one = statements()
    for _ in range(5):
        chat.ask("ana", "POST", "conversations", {"title": "T", "members": ["zoe"]})
    assert len(received(chat)) == 6
    assert statements() == one


def test_a_record_of_an_invitation_lies_with_the_persons_own_affairs(chat: Chat, tea: str) -> None:
    invite(chat, tea)
    [record] = [r for partition in chat.log.records for r in partition if KINDS.find(r) is INVITATION_CHANGED]
    assert record.key == b"invitations:" + str(chat.id_of("zoe")).encode()
    assert isinstance(decode(record), InvitationChanged)
