"""Presence that a connection watches: whom it may see, and how seldom it is told (D20)."""

import itertools
from uuid import UUID

import pytest

from klatsch.conversations.acquaintances import Acquaintance
from klatsch.core.errors import RateLimited, Unavailable
from tests.support.records import ANA, BOB, CLEO, COFFEE, TEA, Somebody, direct, in_group, records_of, removed
from tests.support.signal_parts import Town, watcher


def acquainted(somebody: Somebody, conversation: UUID = TEA) -> Acquaintance:
    """Returns what PostgreSQL says of somebody with whom one is in a group."""
    return Acquaintance(somebody.name, somebody.user_id, somebody.name, str(conversation))


async def test_strangers_and_names_of_nobody_are_answered_offline_and_never_pushed() -> None:
    town = Town(1)
    [gateway] = town.gateways
    ana = watcher(gateway)
    gateway.connect(BOB)
    gateway.parts.database.answers = [[]]
    assert await ana.show("bob", "Nobody", "\u0000") == {"online": [], "offline": ["bob", "Nobody", "\u0000"]}

    gateway.connect(CLEO)
    await town.settle(3)
    assert ana.read() == []


async def test_people_of_a_shared_group_are_seen_and_memory_answers_for_those_who_are_here() -> None:
    town = Town()
    first, second = town.gateways
    ana = first.connect(ANA, in_group(ANA))
    first.connect(BOB, in_group(BOB))
    second.connect(CLEO, in_group(CLEO))
    await town.settle(2)
    first.parts.database.answers = [[acquainted(CLEO)]]

    assert await ana.show("BOB", "cleo") == {"online": ["bob", "cleo"], "offline": []}
    assert first.parts.database.asked == 1


async def test_one_may_show_oneself() -> None:
    ana = Town(1).gateways[0].connect(ANA)

    assert await ana.show("Ana") == {"online": ["ana"], "offline": []}


async def test_who_was_removed_from_the_last_shared_conversation_sees_no_more() -> None:
    town = Town(1)
    [gateway] = town.gateways
    ana, bob = gateway.connect(ANA, in_group(ANA)), gateway.connect(BOB, in_group(BOB))
    assert (await ana.show("bob"))["online"] == ["bob"]
    gateway.parts.apply(records_of(removed(ANA)))
    ana.read()
    bob.close()
    await town.settle(20)
    gateway.connect(BOB, in_group(BOB))
    await town.settle(3)

    assert all(push == {"online": [], "offline": ["bob"]} for push in ana.read())


async def test_nobody_is_told_that_a_removed_person_comes_online() -> None:
    town = Town()
    first, second = town.gateways
    ana = first.connect(ANA, in_group(ANA))
    first.parts.database.answers = [[acquainted(CLEO)]]
    await ana.show("cleo")
    first.parts.apply(records_of(removed(CLEO)))
    ana.read()
    second.connect(CLEO, in_group(CLEO, COFFEE))
    await town.settle(3)

    assert ana.read() == []  # she was offline for ana before


async def test_who_cannot_write_to_somebody_directly_is_not_told_by_memory_alone() -> None:
    """One of the two may have blocked the other: PostgreSQL knows."""
    town = Town(1)
    [gateway] = town.gateways
    ana = gateway.connect(ANA, in_group(ANA), direct(ANA, BOB))
    gateway.connect(BOB, in_group(BOB))
    gateway.parts.hub.ask_again(ana.person, direct(ANA, BOB))
    gateway.parts.database.answers = [[]]

    assert await ana.show("bob") == {"online": [], "offline": ["bob"]}


async def test_a_connection_is_told_at_most_once_a_second_and_only_the_newest() -> None:
    town = Town(1)
    [gateway] = town.gateways
    many = [Somebody(UUID(int=number), f"person-{number}") for number in range(40)]
    ana = watcher(gateway, *many)
    await ana.show(*(one.name for one in many))
    pushed: list[float] = []
    for one in many:  # four come in each second
        gateway.connect(one)
        await town.settle(0.25)
        pushed += [town.clock.now_s for _ in ana.read()]
    await town.settle(2)

    assert len(pushed) >= 9
    assert all(later - earlier >= 1.0 for earlier, later in itertools.pairwise(pushed))


async def test_a_connection_that_is_not_free_is_told_the_state_once_it_is() -> None:
    town = Town(1)
    [gateway] = town.gateways
    ana = watcher(gateway, BOB)
    await ana.show("bob")
    ana.peer.paused = True
    bob = gateway.connect(BOB)
    await town.settle(5)
    ana.peer.paused = False
    await town.settle(2)
    assert ana.read() == [{"online": ["bob"], "offline": []}]

    bob.close()


async def test_naming_others_replaces_the_former_and_leaving_forgets_them() -> None:
    town = Town(1)
    [gateway] = town.gateways
    ana = watcher(gateway, BOB, CLEO)
    await ana.show("bob")
    await ana.show("cleo")
    gateway.connect(BOB)
    gateway.connect(CLEO)
    await town.settle(3)
    assert ana.read() == [{"online": ["cleo"], "offline": []}]

    ana.close()
    assert (gateway.signals.watching.shown, gateway.signals.watching._people) == (0, {})


async def test_naming_people_too_often_and_too_many_in_one_process_is_refused() -> None:
    town = Town(1)
    [gateway] = town.gateways
    ana = watcher(gateway, BOB, CLEO)
    gateway.signals.watching._shown_most = 1
    with pytest.raises(Unavailable):
        await ana.show("bob", "cleo")
    for _ in range(9):
        await ana.show("bob")
    with pytest.raises(RateLimited):
        await ana.show("bob")


async def test_a_connection_over_plain_http_has_no_part_in_it() -> None:
    """GET /sync joins the hub, and no signals."""
    town = Town(1)
    [gateway] = town.gateways
    ana = watcher(gateway, BOB)
    gateway.parts.database.answers = [[]]
    polled = gateway.connect(CLEO).outbox  # any outbox does
    await gateway.parts.join(BOB, polled)

    assert await ana.show("bob") == {"online": [], "offline": ["bob"]}
