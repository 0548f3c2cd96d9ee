"""Ends of an invitation to a group: accepted, declined, withdrawn, overtaken by a change of the group, or too old."""

import pytest

from klatsch.accounts.suspension import lift_suspension, suspend_person
from klatsch.conversations.invitation_queries import list_states
from klatsch.conversations.invitations import sweep_invitations
from klatsch.conversations.models import Conversation, Invitation, Member
from klatsch.eventlog.outbox import relay_records
from klatsch.records.decoding import decode
from klatsch.records.members import MembersChanged
from tests.integration.chat import Chat
from tests.integration.inviting import chat as chat  # noqa: PLC0414 - the fixture
from tests.integration.inviting import grow_old, invite, is_member, received, respond, told
from tests.integration.inviting import strangers as strangers  # noqa: PLC0414 - the fixture
from tests.integration.inviting import tea as tea  # noqa: PLC0414 - the fixture
from tests.integration.people import problem

pytestmark = pytest.mark.django_db(transaction=True)


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


def test_an_invitation_that_has_ended_tells_nothing_of_the_group(chat: Chat, tea: str) -> None:
    invitation = invite(chat, tea)
    chat.ask("ana", "PATCH", f"conversations/{tea}", {"title": "Coffee"})
    assert received(chat)[0]["title"] == "Coffee"
    respond(chat, invitation, "decline")
    chat.ask("ana", "PATCH", f"conversations/{tea}", {"title": "Secret"})

    [state] = list_states(chat.id_of("zoe"))
    assert (state.state, state.title, state.description, state.member_count) == ("declined", "", "", 0)


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


def test_an_invitation_of_a_suspended_person_is_neither_shown_nor_accepted_until_the_suspension_is_lifted(
    chat: Chat, tea: str
) -> None:
    invitation = invite(chat, tea, by="bob")
    suspend_person(person_id=chat.id_of("bob"))
    assert received(chat) == []
    assert list_states(chat.id_of("zoe")) == []
    assert problem(respond(chat, invitation)) == (410, "gone")
    assert not is_member(chat, tea)

    lift_suspension(person_id=chat.id_of("bob"))
    assert [one["id"] for one in received(chat)] == [invitation["id"]]
    assert respond(chat, invitation).status_code == 200


@pytest.mark.parametrize("hidden_by", ["a suspension", "a block"])
def test_an_invitation_that_is_hidden_from_the_invited_person_is_replaced_by_another_managers(
    chat: Chat, tea: str, hidden_by: str
) -> None:
    invite(chat, tea, by="bob")
    if hidden_by == "a block":
        chat.ask("zoe", "PUT", "blocks/bob")
    else:
        suspend_person(person_id=chat.id_of("bob"))

    again = invite(chat, tea, by="ana")
    assert (again["invited_by"], again["version"]) == ("ana", 2)
    assert received(chat) == [again]
    assert respond(chat, again).status_code == 200
