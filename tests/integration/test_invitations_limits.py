"""Limits of invitations to groups: full groups, caps, rates, and how many statements a list costs."""

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from klatsch.accounts.suspension import suspend_person
from klatsch.conversations import caps, group_rows, invitations
from klatsch.conversations.models import Conversation, Invitation
from klatsch.core.bucket import Buckets
from tests.integration.chat import Chat
from tests.integration.inviting import chat as chat  # noqa: PLC0414 - the fixture
from tests.integration.inviting import grow_old, invite, received, respond
from tests.integration.inviting import strangers as strangers  # noqa: PLC0414 - the fixture
from tests.integration.inviting import tea as tea  # noqa: PLC0414 - the fixture
from tests.integration.people import problem

pytestmark = pytest.mark.django_db(transaction=True)


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


@pytest.mark.parametrize("cap", ["INVITED_BY_MOST", "INVITED_MOST", "INVITED_PAIR_MOST"])
def test_expired_invitations_never_fill_a_cap(chat: Chat, tea: str, cap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caps, cap, 1)
    grow_old(invite(chat, tea))
    assert chat.ask("ana", "POST", "conversations", {"title": "T", "members": ["zoe"]}).status_code == 201
    other = chat.ask("ana", "POST", "conversations", {"title": "T", "members": ["zoe"]})
    assert problem(other) == (409, "limit_reached")


def test_invitations_of_a_suspended_person_do_not_fill_the_cap_of_the_invited_person(
    chat: Chat, tea: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caps, "INVITED_MOST", 1)
    invite(chat, tea, by="bob")
    other = chat.make_group("ana")
    refused = chat.ask("ana", "POST", "invitations", {"conversation": other, "username": "zoe"})
    assert problem(refused) == (409, "limit_reached")
    suspend_person(person_id=chat.id_of("bob"))
    assert invite(chat, other)["invited_by"] == "ana"


def test_a_sweep_takes_several_times_as_many_expired_invitations_as_fit_into_a_transaction(
    chat: Chat, tea: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invitations, "SWEPT_AT_ONCE", 2)
    names = [f"p{number}" for number in range(5)]
    chat.join(*names)
    sent = [invite(chat, tea, name) for name in names]
    for invitation in sent:
        grow_old(invitation)
    assert invitations.sweep_invitations() == len(names)
    assert set(Invitation.objects.values_list("state", flat=True)) == {"expired"}

    for invitation in sent:
        grow_old(invitation)
    assert invitations.sweep_invitations() == 0
    assert not Invitation.objects.exists()


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
