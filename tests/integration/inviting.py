"""A group of a chat that invites strangers, and what people do with its invitations over REST."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings

from klatsch.conversations.invitation_queries import INVITATION_DAYS
from klatsch.conversations.models import Invitation, Member
from klatsch.records.decoding import decode
from klatsch.records.kinds import INVITATION_CHANGED, KINDS
from tests.integration.chat import Chat


@pytest.fixture(autouse=True)
def strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.ENV, "KLATSCH_INVITE_STRANGERS", True)


@pytest.fixture
def chat() -> Chat:
    """Makes a group that Ana owns, with bob as an admin and cid as a member; zoe has never written to anybody."""
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
    """Returns the states and versions that the records told this person, in their order."""
    records = [record for partition in chat.log.records for record in partition]
    events = [decode(record) for record in records if KINDS.find(record) is INVITATION_CHANGED]
    return [(event.state, event.version) for event in events if event.user == name]


def is_member(chat: Chat, tea: str, name: str = "zoe") -> bool:
    return Member.objects.filter(conversation_id=tea, user_id=chat.id_of(name), active=True).exists()


def grow_old(invitation: Any) -> None:
    row = Invitation.objects.get(pk=invitation["id"])
    past = row.created_at - timedelta(days=INVITATION_DAYS, seconds=1)
    Invitation.objects.filter(pk=row.pk).update(created_at=past, changed_at=past)
