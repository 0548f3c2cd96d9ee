"""Acquaintances, whose presence a person may see, as PostgreSQL knows them: people of shared conversations."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from klatsch.accounts.models import User
from klatsch.conversations import blocks, groups
from klatsch.conversations.acquaintances import NamesAsked, find_acquaintances
from klatsch.conversations.models import Member
from klatsch.conversations.services import ensure_direct_conversation
from klatsch.eventlog.memory import MemoryLog, MemoryWriter
from tests.integration.archive_rows import as_sender
from tests.integration.people import make_person
from tests.integration.plans import nodes

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def log() -> MemoryWriter:
    return MemoryWriter(MemoryLog())


@pytest.fixture
def ana() -> User:
    return make_person("ana")


@pytest.fixture
def others() -> list[User]:
    return [make_person(name) for name in ("bob", "Cleo", "dora")]


def names(viewer: User, *asked: str) -> list[str]:
    """Returns whom of these the viewer is acquainted with."""
    one = NamesAsked(viewer.pk, asked)
    return sorted(found.username for found in find_acquaintances([one])[one])


def test_people_of_a_direct_conversation_and_of_a_group_are_acquainted_and_strangers_are_not(
    ana: User, others: list[User], log: MemoryWriter
) -> None:
    ensure_direct_conversation(sender=as_sender(ana), receiver_username="bob", log=log)
    groups.create_group(owner=as_sender(ana), title="Tea", usernames=["Cleo"], log=log)

    assert names(ana, "bob", "cleo", "dora", "nobody", "\x00", "") == ["Cleo", "bob"]
    assert names(others[0], "ana", "cleo") == ["ana"]
    assert names(others[2], "ana", "bob", "cleo") == []


def test_who_has_left_the_last_shared_conversation_is_not_acquainted_any_more(
    ana: User, others: list[User], log: MemoryWriter
) -> None:
    tea = groups.create_group(owner=as_sender(ana), title="Tea", usernames=["Cleo"], log=log)
    assert names(others[1], "ana") == ["ana"]
    Member.objects.filter(conversation_id=tea, user=others[1]).update(active=False)

    assert names(ana, "cleo") == names(others[1], "ana") == []


def test_a_blocked_person_does_not_see_who_has_blocked_them(ana: User, others: list[User], log: MemoryWriter) -> None:
    groups.create_group(owner=as_sender(ana), title="Tea", usernames=["bob"], log=log)
    blocks.block_person(blocker=as_sender(ana), username="bob", log=log)

    assert names(others[0], "ana") == []
    assert names(ana, "bob") == ["bob"]


def test_many_viewers_are_answered_by_one_statement(
    ana: User, others: list[User], log: MemoryWriter, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ensure_direct_conversation(sender=as_sender(ana), receiver_username="bob", log=log)
    asked = [
        NamesAsked(ana.pk, ("bob", "dora")),
        NamesAsked(others[0].pk, ("ana",)),
        NamesAsked(others[2].pk, ("ana",)),
    ]
    with django_assert_num_queries(1):
        found = find_acquaintances(asked)

    assert [[one.username for one in found[key]] for key in asked] == [["bob"], ["ana"], []]


def test_nothing_is_asked_for_what_cannot_be_a_name(
    ana: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        assert names(ana, "", "\x00", "." * 3, "x" * 65) == []


_FILL = """
    WITH group_of AS (
        INSERT INTO conversations_conversation (id, kind, title, created_at, member_count, version)
        SELECT gen_random_uuid(), 'group', '', now(), 1, 1 FROM generate_series(1, %(groups)s) RETURNING id)
    INSERT INTO conversations_member (conversation_id, user_id, role, active, version, joined_at)
    SELECT id, %(person)s, 'owner', true, 1, now() - interval '1 hour' FROM group_of;
    ANALYZE conversations_member"""


def rows_read(viewer: User, *asked: str) -> int:
    """Returns the rows of memberships that the question takes, with those that its filters remove."""
    with CaptureQueriesContext(connection) as captured:
        names(viewer, *asked)
    [statement] = captured.captured_queries
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + statement["sql"])
        [[[explained]]] = cursor.fetchall()
    return sum(
        round((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
        for node in nodes(explained["Plan"])
        if node.get("Relation Name") == "conversations_member"
    )


def test_the_question_costs_little_however_many_conversations_the_viewer_or_the_other_person_has(
    ana: User, others: list[User], log: MemoryWriter
) -> None:
    """A person with 50,000 conversations who showed 200 strangers kept PostgreSQL busy for ten seconds."""
    with connection.cursor() as cursor:
        for person in (ana, others[2]):
            cursor.execute(_FILL, {"groups": 5_000, "person": person.pk})
    groups.create_group(owner=as_sender(ana), title="Tea", usernames=["Cleo", "dora"], log=log)

    assert names(ana, "bob", "cleo", "dora") == ["Cleo", "dora"]
    assert names(others[1], "ana", "bob", "dora") == ["ana", "dora"]
    assert rows_read(ana, "bob", "cleo") < 50
    assert rows_read(ana, "bob", "cleo", "dora") < 1_500
