"""Changes of one group at once: each sees what the one before it did, and the records come in that order."""

from uuid import UUID

import pytest

from klatsch.conversations import groups
from klatsch.conversations.models import Member
from klatsch.core.errors import Conflict
from klatsch.eventlog.memory import MemoryLog, MemoryWriter
from tests.integration.archive_rows import as_sender
from tests.integration.at_once import at_once
from tests.integration.people import make_person
from tests.support.records import members_event

pytestmark = pytest.mark.django_db(transaction=True)


class Race:
    """A group of ana and bob, both owners; zoe is not in it."""

    def __init__(self) -> None:
        self.memory = MemoryLog()
        self.log = MemoryWriter(self.memory)
        self.people = {name: make_person(name) for name in ("ana", "bob", "zoe")}
        self.group = groups.create_group(
            owner=as_sender(self.people["ana"]), title="Tea", usernames=["bob"], log=self.log
        )
        groups.change_role(
            actor_id=self.id_of("ana"), conversation_id=self.group, username="bob", role="owner", log=self.log
        )

    def id_of(self, name: str) -> UUID:
        user_id: UUID = self.people[name].pk
        return user_id

    def add(self, actor: str, name: str) -> None:
        groups.add_member(actor_id=self.id_of(actor), conversation_id=self.group, username=name, log=self.log)

    def remove(self, actor: str, name: str) -> None:
        groups.remove_member(actor_id=self.id_of(actor), conversation_id=self.group, username=name, log=self.log)

    def versions_told(self, name: str) -> list[int]:
        records = [record for partition in self.memory.records for record in partition]
        return [one.version for record in records for one in members_event(record).members if one.user == name]


@pytest.fixture
def race() -> Race:
    return Race()


def test_the_last_two_owners_cannot_leave_others_behind_by_leaving_at_once(race: Race) -> None:
    race.add("ana", "zoe")

    refusals = at_once([lambda: race.remove("ana", "ana"), lambda: race.remove("bob", "bob")])

    assert [type(refusal) for refusal in refusals if refusal] == [Conflict]
    assert Member.objects.filter(conversation=race.group, active=True, role="owner").count() == 1


def test_one_who_is_added_by_many_at_once_is_added_once(race: Race) -> None:
    refusals = at_once([lambda: race.add("ana", "zoe"), lambda: race.add("bob", "zoe")] * 3)

    assert refusals == [None] * 6
    assert race.versions_told("zoe") == [1]


def test_additions_and_removals_at_once_are_told_in_the_order_of_their_versions(race: Race) -> None:
    race.add("ana", "zoe")

    at_once([lambda: race.add("ana", "zoe"), lambda: race.remove("bob", "zoe")] * 4)

    told = race.versions_told("zoe")
    assert told == sorted(told)
    assert Member.objects.get(conversation=race.group, user=race.people["zoe"]).version == told[-1]
