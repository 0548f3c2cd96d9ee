"""Blocks between people who never wrote: their conversation is shown to nobody before somebody writes."""

import pytest
from django.conf import settings

from klatsch.conversations.models import Conversation, Member
from klatsch.conversations.queries import load_people
from klatsch.core.ids import direct_conversation_id
from tests.integration.blocking import block, told, unblock, write
from tests.integration.chat import Chat
from tests.integration.people import problem

pytestmark = pytest.mark.django_db


def test_unblocking_somebody_who_never_was_blocked_makes_no_conversation(chat: Chat) -> None:
    unblock(chat, "ana", "bob")
    assert not Conversation.objects.exists()
    assert told(chat) == []


def test_blocking_a_stranger_makes_a_conversation_that_neither_is_shown(chat: Chat) -> None:
    block(chat, "ana", "bob")
    direct = direct_conversation_id(chat.id_of("ana"), chat.id_of("bob"))
    assert Member.objects.filter(conversation=direct).count() == 2
    for who, other in (("ana", "bob"), ("bob", "ana")):
        assert chat.ask(who, "GET", "conversations").json()["results"] == []
        assert problem(chat.ask(who, "GET", f"conversations/{direct}")) == (404, "not_found")
        assert chat.ask(who, "GET", f"users/{other}/messages").json()["results"] == []


def test_after_a_stranger_is_unblocked_neither_is_shown_the_conversation_before_somebody_writes(chat: Chat) -> None:
    block(chat, "ana", "bob")
    unblock(chat, "ana", "bob")
    direct = direct_conversation_id(chat.id_of("ana"), chat.id_of("bob"))
    for who, other in (("ana", "bob"), ("bob", "ana")):
        assert chat.ask(who, "GET", "conversations").json()["results"] == []
        assert problem(chat.ask(who, "GET", f"conversations/{direct}")) == (404, "not_found")
        send = chat.ask(who, "POST", f"conversations/{direct}/messages", {"content": "hi"})
        assert problem(send) == (404, "not_found")
        assert chat.ask(who, "GET", f"users/{other}/messages").json()["results"] == []

    chat.archiving = False  # the archive is behind, and does not know the message
    assert write(chat, "bob", "ana").status_code == 202
    for who in ("ana", "bob"):
        assert [c["id"] for c in chat.ask(who, "GET", "conversations").json()["results"]] == [str(direct)]
    chat.archiving = True
    assert write(chat, "ana", "bob").status_code == 201


def test_gateways_are_told_that_nobody_may_write_after_a_stranger_is_unblocked_until_one_writes_by_name(
    chat: Chat,
) -> None:
    block(chat, "ana", "bob")
    unblock(chat, "ana", "bob")
    block(chat, "ana", "bob")
    unblock(chat, "ana", "bob")
    ana, bob = chat.id_of("ana"), chat.id_of("bob")
    assert not any(one.standings[0].active for one in load_people([ana, bob]).values())
    write(chat, "bob", "ana")
    assert all(one.standings[0].may_write for one in load_people([ana, bob]).values())
    block(chat, "ana", "bob")
    unblock(chat, "ana", "bob")
    of_bob = [(m.version, m.active, m.blocked) for members in told(chat) for m in members if m.user == "bob"]
    assert of_bob == [
        (2, True, True),
        (3, False, False),
        (4, True, True),
        (5, False, False),
        (6, True, False),
        (7, True, True),
        (8, True, False),
    ]


def test_a_person_at_the_cap_on_conversations_can_still_block_strangers(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(settings.ENV, "KLATSCH_CONVERSATIONS_PER_PERSON", 1)
    chat.make_group("ana")
    block(chat, "ana", "bob")
    assert problem(write(chat, "bob", "ana")) == (403, "blocked")
