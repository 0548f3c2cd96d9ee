"""Membership records in the feed: they say from which record on a person is pushed what is said (D9)."""

from uuid import UUID

from klatsch.gateway.feed.people_records import access_from_record
from klatsch.gateway.hub import ConnectedPerson
from klatsch.records.kinds import KINDS
from klatsch.records.members import MembersChanged
from tests.support.records import (
    ANA,
    BOB,
    TEA,
    added,
    direct,
    in_group,
    members,
    message,
    records_of,
    removed,
    standing,
)
from tests.unit.feed_parts import Gateway


def test_from_the_record_of_a_removal_on_that_person_is_shown_nothing() -> None:
    gateway = Gateway()
    ana, bob = gateway.connect(ANA), gateway.connect(BOB)
    gateway.read(records_of(removed(BOB), message(in_group(ANA), "without bob")))

    assert [frame["t"] for frame in bob.read()] == ["members"]  # that they are out is the last that they see
    assert [frame["t"] for frame in ana.read()] == ["members", "message"]
    assert bob.person.access == {}


def test_who_connects_between_a_removals_commit_and_its_record_is_pushed_the_record_when_it_comes() -> None:
    """The client showed the group for ever: PostgreSQL had taken the person out of the audience already."""
    gateway = Gateway()
    ana, bob = gateway.connect(ANA), gateway.connect(BOB, member=False)
    gateway.hub.expel(bob.person, str(TEA).encode(), 2)
    gateway.read(records_of(removed(BOB, 2), message(in_group(ANA), "without bob")))

    assert [frame["t"] for frame in bob.read()] == ["members"]
    assert [frame["t"] for frame in ana.read()] == ["members", "message"]


def test_from_the_record_of_an_addition_on_that_person_is_shown_everything() -> None:
    gateway = Gateway()
    bob = gateway.connect(BOB, member=False)
    gateway.read(records_of(message(in_group(ANA), "before"), added(BOB), message(in_group(ANA), "after")))

    frames = bob.read()
    assert [frame["t"] for frame in frames] == ["members", "message"]
    assert frames[1]["d"]["content"] == "after"
    assert bob.person.access[str(TEA).encode()] == in_group(BOB)


def test_a_lower_version_neither_subscribes_nor_unsubscribes() -> None:
    gateway = Gateway()
    bob = gateway.connect(BOB)
    gateway.read(records_of(removed(BOB, 4), added(BOB, 3), message(in_group(ANA), "without bob")))
    assert [frame["t"] for frame in bob.read()] == ["members"]

    gateway.read(records_of(added(BOB, 5), removed(BOB, 4), message(in_group(ANA), "with bob")))
    assert [frame["t"] for frame in bob.read()] == ["members", "members", "message"]


def test_a_membership_record_of_a_direct_conversation_says_whom_one_writes_to() -> None:
    gateway = Gateway()
    ana, bob = (gateway.connect(p, member=False) for p in (ANA, BOB))
    both = members(
        *(standing(p, 1, active=True) for p in (ANA, BOB)),
        conversation=UUID(bytes=direct(ANA, BOB).conversation_bytes),
        kind="direct",
    )
    gateway.read(records_of(both))

    assert ana.person.direct == {"bob": direct(ANA, BOB)}
    assert bob.person.direct == {"ana": direct(BOB, ANA)}


def test_access_from_a_group_has_no_receiver() -> None:
    event = KINDS.decode(added(ANA).value)
    assert isinstance(event, MembersChanged)
    assert access_from_record(ConnectedPerson(ANA.user_id, ANA.name), event) == in_group(ANA)
