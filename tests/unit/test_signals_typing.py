"""Typing: who hears of it, how often, and who never does (D20)."""

from uuid import UUID

import pytest

from klatsch.core.errors import NotFound, RateLimited
from klatsch.core.metrics import SIGNALS_DROPPED
from klatsch.eventlog.log import Entry
from klatsch.gateway.signals.typing import EVERY_S, MEMBERS_MOST
from klatsch.records.keys import GATEWAY
from tests.support.gateway_parts import standing_of
from tests.support.records import ANA, BOB, CLEO, COFFEE, TEA, direct, in_group, records_of, removed
from tests.support.signal_parts import Town

HERE = str(TEA)


def dropped(why: str) -> float:
    return SIGNALS_DROPPED.labels(why)._value.get()  # type: ignore[no-any-return]  # it has no types


async def test_who_has_opened_a_conversation_sees_who_types_in_it_at_any_gateway() -> None:
    town = Town()
    first, second = town.gateways
    ana, bob = first.connect(ANA, in_group(ANA)), second.connect(BOB, in_group(BOB))
    cleo = second.connect(CLEO, in_group(CLEO))
    await bob.open(HERE)
    bob.read()
    ana.type()
    ana.type(on=False)
    await town.settle(1)

    assert bob.read() == [
        {"conversation": HERE, "user": "ana", "on": True},
        {"conversation": HERE, "user": "ana", "on": False},
    ]
    assert cleo.read() == []  # has not opened it


async def test_a_typist_sees_nothing_of_it_on_any_of_their_connections() -> None:
    town = Town()
    first, second = town.gateways
    devices = [first.connect(ANA, in_group(ANA)), first.connect(ANA), second.connect(ANA, in_group(ANA))]
    for device in devices:
        await device.open(HERE)
        device.read()
    devices[0].type()
    await town.settle(1)

    assert [device.read() for device in devices] == [[], [], []]


async def test_typing_is_passed_on_once_in_three_seconds_and_its_end_at_once() -> None:
    town = Town(1)
    [gateway] = town.gateways
    ana, bob = gateway.connect(ANA, in_group(ANA)), gateway.connect(BOB, in_group(BOB))
    await bob.open(HERE)
    bob.read()
    for on in (True, True, False, False, True):
        ana.type(on=on)
    await town.settle(1)
    assert [said["on"] for said in bob.read()] == [True, False]

    town.clock.now_s += EVERY_S
    ana.type()
    await town.settle(1)
    assert [said["on"] for said in bob.read()] == [True]


async def test_an_end_without_a_beginning_is_not_passed_on() -> None:
    town = Town(1)
    ana = town.gateways[0].connect(ANA, in_group(ANA))
    ana.type(on=False)

    assert not any(town.topic.records)


async def test_a_person_who_types_everywhere_is_held_to_a_rate() -> None:
    town = Town(1)
    groups = [UUID(int=number) for number in range(50)]
    ana = town.gateways[0].connect(ANA, *(in_group(ANA, group) for group in groups))
    for group in groups:
        ana.type(group)

    assert sum(map(len, town.topic.records)) == 10


async def test_what_is_typed_where_one_is_no_member_is_void_at_the_senders_gateway() -> None:
    town = Town(1)
    [gateway] = town.gateways
    ana = gateway.connect(ANA)
    before = dropped("void")
    for place in (HERE, "nonsense", ""):
        ana.type(place)

    assert not any(town.topic.records)
    assert dropped("void") == before + 3


async def test_what_a_removed_person_types_is_void_at_the_receivers_gateway_too() -> None:
    """The removal has reached the receiver's gateway, and not yet the typist's."""
    town = Town()
    first, second = town.gateways
    ana, bob = first.connect(ANA, in_group(ANA)), second.connect(BOB, in_group(BOB))
    await bob.open(HERE)
    bob.read()
    second.parts.apply(records_of(removed(ANA)))
    ana.type()
    bob.read()
    await town.settle(1)

    assert any(town.topic.records)
    assert bob.read() == []


async def test_a_removed_person_hears_of_no_typing_though_they_have_opened_the_conversation() -> None:
    town = Town(1)
    [gateway] = town.gateways
    ana, bob = gateway.connect(ANA, in_group(ANA)), gateway.connect(BOB, in_group(BOB))
    await bob.open(HERE)
    gateway.parts.apply(records_of(removed(BOB)))
    bob.read()
    ana.type()
    await town.settle(1)

    assert bob.read() == []


async def test_in_a_large_conversation_nobody_hears_of_typing() -> None:
    town = Town(1)
    [gateway] = town.gateways
    ana = gateway.connect(ANA, in_group(ANA))
    gateway.parts.hub.resize(in_group(ANA).key, MEMBERS_MOST + 1)
    ana.type()
    assert not any(town.topic.records)

    gateway.parts.hub.resize(in_group(ANA).key, MEMBERS_MOST)
    ana.type()
    assert any(town.topic.records)


async def test_opening_others_closes_the_former_and_leaving_closes_all() -> None:
    town = Town(1)
    [gateway] = town.gateways
    ana = gateway.connect(ANA, in_group(ANA), in_group(ANA, COFFEE))
    bob = gateway.connect(BOB, in_group(BOB), in_group(BOB, COFFEE))
    await bob.open(HERE)
    await bob.open(str(COFFEE))
    bob.read()
    ana.type(TEA)
    ana.type(COFFEE)
    await town.settle(1)
    assert [said["conversation"] for said in bob.read()] == [str(COFFEE)]

    bob.close()
    assert gateway.signals.typing._opened == {}


async def test_a_conversation_that_memory_does_not_know_is_asked_of_postgresql() -> None:
    town = Town(1)
    [gateway] = town.gateways
    ana, bob = gateway.connect(ANA, in_group(ANA)), gateway.connect(BOB)
    gateway.parts.database.answers = [standing_of(in_group(BOB))]
    await bob.open(HERE)
    bob.read()
    ana.type()
    await town.settle(1)

    assert len(bob.read()) == 1


async def test_a_conversation_of_others_and_one_that_does_not_exist_are_refused_alike() -> None:
    town = Town(1)
    [gateway] = town.gateways
    bob = gateway.connect(BOB, in_group(BOB))
    gateway.parts.database.answers = [NotFound("There is no such conversation, or you are not a member of it.")]
    told = []
    for place in (str(COFFEE), "nonsense"):
        with pytest.raises(NotFound) as caught:
            await bob.open(HERE, place)
        told.append(caught.value.detail)

    assert told[0] == told[1]
    assert bob.listener.opened == frozenset()


async def test_who_opens_too_often_is_told_when_to_come_again() -> None:
    town = Town(1)
    bob = town.gateways[0].connect(BOB, in_group(BOB))
    for _ in range(10):
        await bob.open(HERE)
    with pytest.raises(RateLimited) as caught:
        await bob.open(HERE)

    assert caught.value.retry_after == 0.2


async def test_a_connection_with_something_waiting_or_in_a_replay_gets_no_signal() -> None:
    town = Town(1)
    [gateway] = town.gateways
    ana, bob = gateway.connect(ANA, in_group(ANA)), gateway.connect(BOB, in_group(BOB))
    await bob.open(HERE)
    bob.read()
    before = dropped("busy")
    for paused, deaf, waiting in ((True, False, b""), (False, True, b""), (False, False, b"\x81\x02{}")):
        bob.peer.paused, bob.outbox.deaf = paused, deaf
        if waiting:
            bob.outbox.push(waiting)
        ana.type()
        await town.settle(3)

    assert dropped("busy") == before + 3
    assert bob.peer.taken == b""


async def test_a_record_that_is_none_of_ours_harms_nobody() -> None:
    town = Town(1)
    [gateway] = town.gateways
    bob = gateway.connect(BOB, in_group(BOB))
    await bob.open(HERE)
    bob.read()
    before = dropped("unreadable")
    for value in (b"", b"{}", b'{"t":"typing","conversation":"x","user":"ana","user_id":"x","on":true}', b"[" * 60_000):
        town.topic.append(Entry(in_group(BOB).key, value))
    await town.settle(1)

    assert bob.read() == []
    assert dropped("unreadable") == before + 4


async def test_a_blocked_person_types_to_nobody() -> None:
    """Blocking revokes the cached right to write."""
    town = Town(1)
    [gateway] = town.gateways
    access = direct(ANA, BOB)
    ana = gateway.connect(ANA, access)
    gateway.parts.hub.ask_again(ana.person, access)
    ana.type(access.conversation)

    assert not any(town.topic.records)


@pytest.mark.parametrize("value", [b"", b"no JSON", b"\xff", b'{"t":"\xff"}', b'{"x":' + b"[" * 9_000])
async def test_a_record_of_the_topic_that_is_no_signal_is_dropped_and_the_next_is_told(value: bytes) -> None:
    town = Town()
    first, second = town.gateways
    ana, bob = first.connect(ANA, in_group(ANA)), second.connect(BOB, in_group(BOB))
    await bob.open(HERE)
    bob.read()
    before = dropped("unreadable")
    town.topic.append(Entry(HERE.encode(), value))
    town.topic.append(Entry(GATEWAY.of(HERE), value))
    ana.type()
    await town.settle(1)

    assert [said["user"] for said in bob.read() if "user" in said] == ["ana"]
    assert dropped("unreadable") - before == 3  # a presence comes to both gateways
