"""Mentions of members, found in PostgreSQL: in messages and in edits alike."""

from typing import Any

import msgspec
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from klatsch.accounts.models import User
from klatsch.conversations.models import Conversation, Member
from klatsch.messaging.mentions import Mention, Naming, find_mentions, naming_of
from klatsch.records.messages import MessagePosted
from tests.integration.chat import Chat
from tests.integration.people import make_person
from tests.integration.plans import nodes
from tests.support.records import ANA, BOB, CLEO, COFFEE, TEA, Somebody

pytestmark = pytest.mark.django_db
DOT = Somebody(type(ANA.id)(int=13), "bob.")
ZOE = Somebody(type(ANA.id)(int=14), "Zoe")


@pytest.fixture
def groups() -> None:
    """Makes one group of Ana, Bob and Zoe, and another of Ana, Bob and "bob.". Cleo has left the first."""
    for somebody in (ANA, BOB, CLEO, DOT, ZOE):
        make_person(somebody.name, id=somebody.id, email=f"{somebody.id}@example.org")
    for group, members in ((TEA, (ANA, BOB, ZOE)), (COFFEE, (ANA, BOB, DOT))):
        Conversation.objects.create(id=group, kind="group", title="Tea")
        for somebody in members:
            Member.objects.create(conversation_id=group, user_id=somebody.id)
    Member.objects.create(conversation_id=TEA, user_id=CLEO.id, active=False)


def asked(content: str, group: Any = TEA) -> Naming:
    naming = naming_of(content, conversation=str(group), author_id=ANA.user_id)
    assert naming is not None
    return naming


def found(content: str, group: Any = TEA) -> list[str]:
    naming = asked(content, group)
    return [one.username for one in find_mentions([naming])[naming]]


def test_members_are_mentioned_in_the_order_of_the_text_as_they_spell_themselves(groups: None) -> None:
    assert found("@zoe, @BOB and again @bob") == ["Zoe", "bob"]
    naming = asked("@bob")
    assert find_mentions([naming]) == {naming: (Mention("bob", BOB.user_id),)}


def test_the_longest_name_of_a_member_wins(groups: None) -> None:
    assert found("Ask @bob.") == ["bob"]
    assert found("Ask @bob.", COFFEE) == ["bob."]
    assert found("Ask @bob...", COFFEE) == ["bob."]
    assert found("Ask @bob, then @bob.", COFFEE) == ["bob", "bob."]


def test_nobody_else_is_mentioned(groups: None) -> None:
    User.objects.filter(pk=ZOE.id).update(is_active=False)
    assert found("@ana @cleo @nobody @zoe") == []


def test_many_texts_take_one_statement(groups: None) -> None:
    namings = [asked("@bob."), asked("@bob.", COFFEE), asked("@nobody")]
    with CaptureQueriesContext(connection) as captured:
        mentions = find_mentions(namings)
    assert len(captured) == 1
    assert [[one.username for one in mentions[naming]] for naming in namings] == [["bob"], ["bob."], []]


_FILL = """
    INSERT INTO accounts_user (id, username, email, password, is_superuser, is_staff, is_active, date_joined,
        display_name, about, awaits_email)
    SELECT gen_random_uuid(), 'Person' || i, i || '@example.org', '', false, false, true, now(), '', '', false
    FROM generate_series(1, 5000) i;
    INSERT INTO conversations_member (conversation_id, user_id, role, active, version, joined_at)
    SELECT %(tea)s, id, 'member', true, 1, now() FROM accounts_user WHERE username LIKE 'Person%%';
    ANALYZE accounts_user, conversations_member
"""


def test_the_size_of_the_group_costs_nothing(groups: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_FILL, {"tea": TEA})
    with CaptureQueriesContext(connection) as captured:
        assert found(" ".join(f"@person{number}" for number in range(1, 51))) == [f"Person{n}" for n in range(1, 51)]
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + captured.captured_queries[0]["sql"])
        [[[explained]]] = cursor.fetchall()
    scans = [node for node in nodes(explained["Plan"]) if "Relation Name" in node]
    assert {node["Relation Name"] for node in scans} == {"accounts_user", "conversations_member"}
    assert all("Index" in node["Node Type"] for node in scans), scans
    assert all(node["Actual Rows"] * node["Actual Loops"] <= 50 for node in scans)


def said(chat: Chat) -> list[tuple[str, list[str], list[str]]]:
    events = [msgspec.json.decode(record.value, type=MessagePosted) for record in chat.messages()]
    return [(event.content, event.mentions, event.mention_ids) for event in events]


def test_a_message_by_rest_has_names_and_ids_of_the_members_whom_it_mentions() -> None:
    chat = Chat()
    chat.join("ana", "bob", "zoe")
    tea = chat.make_group("ana", "bob")
    for content in ("hi @BOB, @zoe and @ana", "hi"):
        assert chat.ask("ana", "POST", f"conversations/{tea}/messages", {"content": content}).status_code == 201
    sent = chat.ask("ana", "POST", "users/zoe/messages", {"content": "@zoe @bob"})
    assert sent.json()["conversation"] != tea
    assert sorted(said(chat)) == sorted(
        [
            ("hi @BOB, @zoe and @ana", ["bob"], [str(chat.id_of("bob"))]),
            ("hi", [], []),
            ("@zoe @bob", ["zoe"], [str(chat.id_of("zoe"))]),
        ]
    )
