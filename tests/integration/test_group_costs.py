"""A change of one member costs the same in a group of 5 and of 5,000: statements, and the rows that they read."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from klatsch.accounts.models import User
from klatsch.accounts.queries import Person
from klatsch.archive.overview import get_conversation
from klatsch.conversations import groups
from klatsch.conversations.group_rows import MEMBERS_MOST
from klatsch.conversations.invitations import accept_invitation, invite_person
from klatsch.conversations.models import Conversation
from klatsch.core.errors import Conflict
from klatsch.eventlog.memory import MemoryLog, MemoryWriter
from klatsch.records.decoding import decode
from klatsch.records.members import MembersChanged
from tests.integration.archive_rows import as_sender
from tests.integration.people import make_person

pytestmark = pytest.mark.django_db(transaction=True)

# Counts of this connection since its last report. The server's totals include late reports of other connections.
_READ = """
    SELECT coalesce(sum(pg_stat_get_xact_tuples_returned(relation.oid)), 0) FROM pg_class relation
    WHERE relation.oid = ANY(%(tables)s::regclass[])
        OR relation.oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = ANY(%(tables)s::regclass[]))"""
_TABLES = ["conversations_member", "conversations_conversation", "conversations_invitation", "accounts_user"]


class Large:
    """Ana's groups: one of 5 people, and one of all but two of those whom a group may have."""

    def __init__(self) -> None:
        self.memory = MemoryLog()
        self.log = MemoryWriter(self.memory)
        self.ana = make_person("ana")
        people = User.objects.bulk_create(
            [User(username=f"p{i}", email=f"p{i}@example.org") for i in range(MEMBERS_MOST + 2)]
        )
        self.names = [person.username for person in people]
        self.ids = {person.username: person.pk for person in people}
        self.groups = {
            count: groups.create_group(
                owner=as_sender(self.ana), title="Tea", usernames=self.names[: count - 1], log=self.log
            )
            for count in (5, MEMBERS_MOST - 2)
        }
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE conversations_member, accounts_user, conversations_conversation")

    def add(self, group: UUID, name: str) -> None:
        groups.add_member(actor_id=self.ana.pk, conversation_id=group, username=name, log=self.log)

    def accept(self, group: UUID, name: str) -> None:
        invitation = invite_person(actor_id=self.ana.pk, conversation_id=group, username=name)
        accept_invitation(person=Person(self.ids[name], name), invitation_id=UUID(invitation.id), log=self.log)

    def promote(self, group: UUID, name: str) -> None:
        groups.change_role(actor_id=self.ana.pk, conversation_id=group, username=name, role="admin", log=self.log)

    def remove(self, group: UUID, name: str) -> None:
        groups.remove_member(actor_id=self.ana.pk, conversation_id=group, username=name, log=self.log)

    def leave(self, group: UUID, name: str) -> None:
        groups.remove_member(actor_id=self.ids[name], conversation_id=group, username=name, log=self.log)

    def rename(self, group: UUID, name: str) -> None:
        groups.update_group(actor_id=self.ana.pk, conversation_id=group, title=name, log=self.log)

    def look(self, group: UUID, _: str) -> None:
        get_conversation(user_id=self.ana.pk, conversation_id=group)

    def steps(self) -> list[tuple[Callable[[UUID, str], None], str]]:
        first, second = self.names[-2:]
        return [
            (self.add, first), (self.accept, second), (self.promote, first), (self.rename, first), (self.look, first),
            (self.remove, first), (self.leave, second),
        ]  # fmt: skip


@contextmanager
def counting_rows(counts: list[int]) -> Iterator[None]:
    """Notes how many rows and index entries of the groups' tables the block's statements read."""

    def read() -> int:
        assert connection.connection
        with connection.connection.cursor() as cursor:
            cursor.execute(_READ, {"tables": _TABLES})
            return int(cursor.fetchone()[0])

    def count(execute: Callable[..., Any], *statement: Any) -> Any:
        before = read()
        result = execute(*statement)
        counts[-1] += max(0, read() - before)  # below 0 where the connection reported in between
        return result

    counts.append(0)
    with connection.execute_wrapper(count):
        yield


def test_a_change_of_one_costs_as_many_statements_and_rows_in_5_000_as_in_5() -> None:
    large = Large()
    statements: dict[int, list[int]] = {}
    rows: dict[int, list[int]] = {}
    for count, group in large.groups.items():
        rows[count], statements[count] = [], []
        for step, name in large.steps():
            with counting_rows(rows[count]), CaptureQueriesContext(connection) as queries:
                step(group, name)
            statements[count].append(len(queries))

    small, full = large.groups
    assert statements[full] == statements[small]
    assert max(statements[full]) <= 40
    for few, many in zip(rows[small], rows[full], strict=True):
        assert many <= few + 60  # such as the 20 members that are shown, where the small group has 5
    assert min(rows[small]) > 0
    assert max(rows[full]) < 300


def test_a_group_of_5_000_is_made_in_few_statements_and_takes_nobody_more() -> None:
    memory = MemoryLog()
    people = User.objects.bulk_create([User(username=f"p{i}", email=f"p{i}@example.org") for i in range(MEMBERS_MOST)])
    *others, last = [person.username for person in people]
    ana = make_person("ana")
    with CaptureQueriesContext(connection) as queries:
        group = groups.create_group(owner=as_sender(ana), title="All", usernames=others, log=MemoryWriter(memory))

    assert len(queries) < 60
    assert Conversation.objects.get(pk=group).member_count == MEMBERS_MOST
    records = [decode(record) for partition in memory.records for record in partition]
    assert sum(len(one.members) for one in records if isinstance(one, MembersChanged)) == MEMBERS_MOST
    with pytest.raises(Conflict):
        groups.add_member(actor_id=ana.pk, conversation_id=group, username=last, log=MemoryWriter(memory))
