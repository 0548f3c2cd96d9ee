"""Conversations of two: made once, whoever writes first, and in the log before anybody may write into them."""

import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from klatsch.conversations import services
from klatsch.conversations.access import Access
from klatsch.conversations.models import Conversation, Member
from klatsch.conversations.queries import no_such_person
from klatsch.conversations.services import ensure_direct_conversation
from klatsch.core.errors import BadRequest, NotFound, Unavailable
from klatsch.core.ids import direct_conversation_id
from klatsch.eventlog.memory import MemoryLog, MemoryWriter
from klatsch.eventlog.models import OutboxEntry
from klatsch.records.members import MembersChanged
from tests.integration.archive_rows import as_sender
from tests.integration.people import make_person
from tests.support.records import members_event


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


def records_of(log: MemoryLog) -> list[MembersChanged]:
    return [members_event(record) for partition in log.records for record in partition]


@pytest.mark.django_db
def test_the_first_word_to_somebody_makes_the_conversation_and_its_record(log: MemoryLog) -> None:
    ana, bob = make_person("ana"), make_person("Bob")

    access = ensure_direct_conversation(sender=as_sender(ana), receiver_username="bob", log=MemoryWriter(log))

    assert access.conversation == str(direct_conversation_id(ana.pk, bob.pk))
    assert (access.sender, access.receiver) == ("ana", "Bob")
    [record] = records_of(log)
    assert (record.conversation, record.kind) == (access.conversation, "direct")
    assert {(one.user, one.active, one.version) for one in record.members} == {("ana", True, 1), ("Bob", True, 1)}


@pytest.mark.django_db(transaction=True)
def test_two_people_who_write_first_at_once_get_one_conversation_and_one_record(log: MemoryLog) -> None:
    people = [make_person("ana"), make_person("bob")]
    writer = MemoryWriter(log)
    at_once = threading.Barrier(8)

    def write_first(i: int) -> Access:
        at_once.wait()
        try:
            return ensure_direct_conversation(
                sender=as_sender(people[i % 2]), receiver_username=people[1 - i % 2].username, log=writer
            )
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        accesses = list(threads.map(write_first, range(8)))

    assert len({access.conversation for access in accesses}) == 1
    assert Conversation.objects.count() == 1
    assert Member.objects.count() == 2
    assert len(records_of(log)) == 1


@pytest.mark.django_db
def test_a_conversation_that_exists_costs_one_statement(
    log: MemoryLog, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ana = make_person("ana")
    make_person("bob")
    writer = MemoryWriter(log)
    ensure_direct_conversation(sender=as_sender(ana), receiver_username="bob", log=writer)

    with django_assert_num_queries(1):
        ensure_direct_conversation(sender=as_sender(ana), receiver_username="BOB", log=writer)


@pytest.mark.django_db
def test_a_remembered_id_that_is_another_persons_now_is_never_trusted(log: MemoryLog) -> None:
    ana, bob = make_person("ana"), make_person("bob")
    services._known_ids["bob"] = uuid4()

    access = ensure_direct_conversation(sender=as_sender(ana), receiver_username="bob", log=MemoryWriter(log))

    assert access.receiver_id == str(bob.pk)


@pytest.mark.django_db
def test_nobody_can_write_to_themselves(log: MemoryLog) -> None:
    ana = make_person("ana")

    with pytest.raises(BadRequest):
        ensure_direct_conversation(sender=as_sender(ana), receiver_username="ANA", log=MemoryWriter(log))

    assert not Conversation.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("username", ["nobody", "gone", "", "a\0b", "\ud800", "x" * 65, "a b", "élan"])
def test_people_who_do_not_exist_and_people_who_are_not_active_get_the_same_answer(
    log: MemoryLog, username: str
) -> None:
    ana = make_person("ana")
    make_person("gone", is_active=False)

    with pytest.raises(NotFound) as refusal:
        ensure_direct_conversation(sender=as_sender(ana), receiver_username=username, log=MemoryWriter(log))

    assert refusal.value.detail == no_such_person(username).detail
    assert not Conversation.objects.exists()


@pytest.mark.django_db
def test_nobody_may_write_while_the_record_is_not_in_the_log(log: MemoryLog) -> None:
    ana = make_person("ana")
    make_person("bob")
    writer = MemoryWriter(log)
    writer.broken = True
    for _ in range(2):
        with pytest.raises(Unavailable):
            ensure_direct_conversation(sender=as_sender(ana), receiver_username="bob", log=writer)
    assert not records_of(log)

    writer.broken = False
    ensure_direct_conversation(sender=as_sender(ana), receiver_username="bob", log=writer)

    assert len(records_of(log)) == 1
    assert not OutboxEntry.objects.filter(relayed_at=None).exists()
