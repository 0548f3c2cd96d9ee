"""Blocks at once with others and with first messages: one conversation, one row each, records in order."""

from itertools import pairwise

import pytest
from django.conf import settings

from klatsch.conversations.blocks import block_person, find_blockers, unblock_person
from klatsch.conversations.models import Conversation, Member
from klatsch.conversations.services import ensure_direct_conversation
from klatsch.core.errors import LimitReached
from klatsch.eventlog.memory import MemoryLog, MemoryWriter
from tests.integration.archive_rows import as_sender
from tests.integration.at_once import at_once
from tests.integration.people import make_person
from tests.support.records import members_event

pytestmark = pytest.mark.django_db(transaction=True)


class Race:
    def __init__(self, *names: str) -> None:
        self.memory = MemoryLog()
        self.log = MemoryWriter(self.memory)
        self.people = {name: make_person(name) for name in names}

    def block(self, who: str, other: str) -> None:
        block_person(blocker=as_sender(self.people[who]), username=other, log=self.log)

    def unblock(self, who: str, other: str) -> None:
        unblock_person(blocker_id=self.people[who].pk, username=other, log=self.log)

    def write(self, who: str, other: str) -> None:
        ensure_direct_conversation(sender=as_sender(self.people[who]), receiver_username=other, log=self.log)

    def told(self, name: str) -> list[tuple[int, bool]]:
        """Returns the versions of a person's membership as the log tells them, in its order."""
        records = [record for partition in self.memory.records for record in partition]
        return [(m.version, m.blocked) for record in records for m in members_event(record).members if m.user == name]


def test_two_who_block_each_other_and_write_first_at_once_end_up_with_one_conversation_and_both_blocks() -> None:
    race = Race("ana", "bob")
    at_once(
        [
            lambda: race.block("ana", "bob"),
            lambda: race.block("bob", "ana"),
            lambda: race.write("ana", "bob"),
            lambda: race.write("bob", "ana"),
        ]
        * 2
    )
    ana, bob = (race.people[name].pk for name in ("ana", "bob"))
    assert Conversation.objects.count() == 1
    assert find_blockers(person_id=ana, among=[bob]) == {bob}
    assert find_blockers(person_id=bob, among=[ana]) == {ana}
    for name in ("ana", "bob"):
        versions = race.told(name)
        assert [version for version, _ in versions] in ([1, 2, 3], [2, 3])  # a block that makes it tells of itself only
        assert versions[-1] == (3, True)


def test_blocks_and_unblocks_at_once_are_told_in_the_order_of_their_versions_and_the_last_counts() -> None:
    race = Race("ana", "bob")
    race.write("ana", "bob")
    at_once([lambda: race.block("ana", "bob"), lambda: race.unblock("ana", "bob")] * 4)
    versions = race.told("bob")
    assert [version for version, _ in versions] == list(range(1, len(versions) + 1))
    assert all(one != other for (_, one), (_, other) in pairwise(versions))
    row = Member.objects.get(user=race.people["bob"])
    assert versions[-1] == (row.version, row.blocked_by_id is not None)


def test_a_first_message_at_once_with_a_block_and_its_end_is_never_followed_by_a_lost_conversation() -> None:
    race = Race("ana", *(f"p{number}" for number in range(6)))
    for name in list(race.people)[1:]:

        def change(other: str = name) -> None:
            race.block("ana", other)
            race.unblock("ana", other)

        refused, *_ = at_once([lambda n=name: race.write(n, "ana"), change, change])  # type: ignore[misc]  # bound as a default
        conversation = Conversation.objects.get(members__user=race.people[name])
        rows = Member.objects.filter(conversation=conversation)
        assert {row.active for row in rows} == {conversation.begun} == {refused is None}
        versions = race.told(name)
        assert [version for version, _ in versions] == list(range(versions[0][0], versions[0][0] + len(versions)))
        assert versions[-1] == (rows.get(user=race.people[name]).version, False)


def test_blocks_at_once_do_not_exceed_the_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.ENV, "KLATSCH_BLOCKS_PER_PERSON", 3)
    race = Race("ana", *(f"p{number}" for number in range(8)))
    refusals = at_once([lambda n=number: race.block("ana", f"p{n}") for number in range(8)])  # type: ignore[misc]  # bound as a default
    assert Member.objects.filter(blocked_by=race.people["ana"]).count() == 3
    assert [type(error) for error in refusals if error] == [LimitReached] * 5
