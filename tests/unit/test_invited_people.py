"""Invitations on sockets: the invited person alone gets them, live and on resume; large groups cost a push a socket."""

from typing import Any

import msgspec
import pytest

from klatsch.archive.changes import Found
from klatsch.eventlog.log import Entry
from klatsch.persister.batch import sort_records
from klatsch.records.decoding import BadRecord, decode
from klatsch.records.invitations import Invitation, InvitationChanged
from klatsch.records.judge import Memberships
from klatsch.records.kind import Kinds
from klatsch.records.kinds import INVITATION_CHANGED, KINDS
from klatsch.records.values import encode
from tests.support.gateway_parts import FEW_RECORDS, Parts
from tests.support.records import (
    ANA,
    BOB,
    CLEO,
    TEA,
    Somebody,
    added,
    in_group,
    invited,
    members,
    message,
    records_of,
    removed,
    standing,
)
from tests.unit.feed_parts import Gateway
from tests.unit.replay_client import Client, kinds, say


def told(frames: list[dict[str, Any]]) -> list[tuple[str, str, int]]:
    return [
        (frame["t"], frame["d"]["state"], frame["d"]["version"])
        for frame in frames
        if frame.get("t") == "invitation" or frame.get("d", {}).get("kind") == "invitation"
    ]


def as_state(entry: Entry) -> Invitation:
    event = msgspec.json.decode(entry.value, type=InvitationChanged)
    return Invitation(**{name: getattr(event, name) for name in Invitation.__struct_fields__})


def test_an_invitation_reaches_every_connection_of_the_invited_person_and_nobody_else() -> None:
    gateway = Gateway()
    laptop, phone = (gateway.connect(CLEO, member=False) for _ in range(2))
    bob = gateway.connect(BOB)
    gateway.read(records_of(invited(CLEO), invited(CLEO, 2, state="withdrawn")))

    for connection in (laptop, phone):
        frames = connection.read()
        assert told(frames) == [("invitation", "open", 1), ("invitation", "withdrawn", 2)]
        assert frames[0]["pos"] == "1:0:0"
        assert (frames[0]["d"]["invited_by"], frames[0]["d"]["title"]) == ("bob", "Tea")
    assert bob.read() == []


def test_an_invited_person_hears_nothing_of_the_group() -> None:
    gateway = Gateway()
    cleo = gateway.connect(CLEO, member=False)
    gateway.read(records_of(invited(CLEO), message(in_group(BOB), "secret"), added(ANA)))

    assert [frame["t"] for frame in cleo.read()] == ["invitation"]


def test_a_persister_stores_nothing_of_an_invitation_and_it_is_no_dead_letter() -> None:
    batch = sort_records(records_of(invited(CLEO)), Memberships())

    assert (batch.messages, batch.intervals, batch.dead) == ([], [], [])
    assert batch.next_offsets == {0: 1}


def test_a_gateway_that_does_not_know_invitations_skips_them() -> None:
    gateway = Gateway(kinds=Kinds(*(kind for kind in KINDS if kind is not INVITATION_CHANGED)))
    cleo = gateway.connect(CLEO, member=False)
    gateway.read(records_of(invited(CLEO)))

    assert cleo.read() == []
    assert gateway.feed.offsets == [1]


def test_an_invitation_under_another_persons_key_is_refused() -> None:
    right, wrong = invited(CLEO), invited(BOB)
    [forged] = records_of(Entry(right.key, wrong.value, place=right.place))

    with pytest.raises(BadRecord):
        decode(forged)


async def test_an_invitation_of_the_time_away_is_replayed_from_memory_as_it_was() -> None:
    parts = Parts()
    client = Client(parts)
    await client.come()
    client.go()
    say(parts, invited(ANA), invited(BOB), invited(ANA, 2, state="declined"))

    frames = await client.come()
    assert kinds(frames) == ["ok", "invitation", "invitation", "mark"]
    assert told(frames) == [("invitation", "open", 1), ("invitation", "declined", 2)]


async def test_where_memory_has_no_more_of_them_invitations_are_told_as_they_are_now() -> None:
    parts = Parts(recent_bytes=FEW_RECORDS)
    client = Client(parts)
    await client.miss_much(invited(ANA))
    parts.database.answers += [
        Found({0: parts.feed.offsets[0]}, invitations=[as_state(invited(ANA, 2, state="expired"))])
    ]
    await client.catch_up()

    frames = client.read()
    assert kinds(frames) == ["ok", "state", "mark"]
    assert told(frames) == [("state", "expired", 2)]


async def test_invitations_are_read_again_where_the_archive_does_not_reach_memory() -> None:
    parts = Parts(recent_bytes=FEW_RECORDS)
    client = Client(parts)
    await client.miss_much(conversation=TEA)
    parts.database.answers += [Found({0: 3})] * 3 + [[as_state(invited(ANA))]]
    await client.catch_up()

    frames = client.read()
    assert kinds(frames) == ["ok", "state", "reset", "mark"]
    assert told(frames) == [("state", "open", 1)]


async def test_one_who_is_in_no_conversation_gets_their_invitations_too() -> None:
    parts = Parts(recent_bytes=FEW_RECORDS)
    client = Client(parts)
    client.standings = []
    await client.miss_much()
    parts.database.answers += [Found({0: parts.feed.offsets[0]}, invitations=[as_state(invited(ANA))])]
    await client.catch_up()

    assert told(client.read()) == [("state", "open", 1)]


def test_a_change_of_one_member_is_one_push_for_each_connected_member_and_names_one() -> None:
    gateway = Gateway()
    crowd = [Somebody(type(ANA.id)(int=number + 1), f"p{number}") for number in range(60)]
    connections = [gateway.connect(one) for one in crowd]
    gateway.read(records_of(members(*(standing(one, 1, active=True) for one in crowd))))
    for connection in connections:
        connection.read()
    gateway.read(records_of(members(standing(CLEO, 1, active=True)), removed(crowd[0], 2)))

    for connection in connections:
        assert [[m["user"] for m in frame["d"]["members"]] for frame in connection.read()] == [["cleo"], ["p0"]]
    assert gateway.feed.memberships.size == 1  # of the one who was removed


def test_the_example_of_an_invitation_is_a_record_of_its_own_kind() -> None:
    example = INVITATION_CHANGED.example
    assert isinstance(example, InvitationChanged)
    [record] = records_of(Entry(INVITATION_CHANGED.key.of(example.user_id), encode(example)))
    assert KINDS.find(record) is INVITATION_CHANGED
