"""Presence that is being shown ends when it may not be seen any more: at a block, at a removal, and at nothing else."""

import asyncio
import itertools
from uuid import UUID

import pytest

from klatsch.conversations.acquaintances import Acquaintance
from klatsch.gateway.signals import watching
from klatsch.gateway.signals.watching import REMOVALS_AT_ONCE, Visible
from tests.support.records import (
    ANA,
    BOB,
    CLEO,
    COFFEE,
    TEA,
    Somebody,
    added,
    blocked,
    direct,
    in_group,
    records_of,
    removed,
)
from tests.support.signal_parts import Device, SignalGateway, Town
from tests.unit.watched_turns import watched

GROUP = [Somebody(UUID(int=number), f"person-{number}") for number in range(1, 300)]
OFFLINE = [{"online": [], "offline": ["bob"]}]


async def shows_bob(gateway: SignalGateway, *, group: bool) -> tuple[Device, Device]:
    """Connects Ana, who shows bob by way of a group or of their direct conversation; and bob, who is online."""
    shared = (in_group(ANA), in_group(BOB)) if group else ()
    ana = gateway.connect(ANA, direct(ANA, BOB), *shared[:1])
    bob = gateway.connect(BOB, direct(BOB, ANA), *shared[1:])
    if group:  # that it is shown by way of the group is as PostgreSQL may have answered
        gateway.signals.show(ana.listener, [Visible(BOB.user_id, BOB.name, str(TEA).encode())])
    else:
        assert await ana.show("bob") == {"online": ["bob"], "offline": []}
    return ana, bob


@pytest.mark.parametrize("group", [False, True])
async def test_who_is_blocked_is_told_at_once_that_the_blocker_is_offline_and_nothing_afterwards(
    *, group: bool
) -> None:
    town = Town(1)
    [gateway] = town.gateways
    ana, bob = await shows_bob(gateway, group=group)
    gateway.parts.apply(records_of(blocked(ANA, 2)))
    await town.settle(1.5)
    assert ana.read_presence() == OFFLINE

    bob.close()
    await town.settle(20)
    gateway.connect(BOB, direct(BOB, ANA))
    await town.settle(3)
    assert ana.read_presence() == []
    assert gateway.signals.watching.shown == 0


@pytest.mark.parametrize("group", [False, True])
async def test_who_blocks_goes_on_seeing_the_blocked_person(*, group: bool) -> None:
    town = Town(1)
    [gateway] = town.gateways
    ana, bob = await shows_bob(gateway, group=group)
    gateway.parts.apply(records_of(blocked(BOB, 2)))
    await town.settle(3)
    assert ana.read_presence() == []

    bob.close()
    await town.settle(20)
    assert ana.read_presence() == OFFLINE
    gateway.connect(BOB, direct(BOB, ANA))
    await town.settle(3)
    assert ana.read_presence() == [{"online": ["bob"], "offline": []}]


async def test_every_device_of_who_is_blocked_is_told_also_where_the_blocker_is_elsewhere() -> None:
    town = Town()
    first, second = town.gateways
    devices = [first.connect(ANA, direct(ANA, BOB)) for _ in range(2)]
    second.connect(BOB, direct(BOB, ANA))
    await town.settle(3)
    for device in devices:
        assert await device.show("bob") == {"online": ["bob"], "offline": []}
    first.parts.apply(records_of(blocked(ANA, 2)))
    await town.settle(1.5)

    assert [device.read_presence() for device in devices] == [OFFLINE, OFFLINE]


@pytest.mark.parametrize("gone", [ANA, BOB])
async def test_a_removal_from_the_last_shared_conversation_tells_offline_once_and_nothing_afterwards(
    gone: Somebody,
) -> None:
    town = Town(1)
    [gateway] = town.gateways
    ana, bob = gateway.connect(ANA, in_group(ANA)), gateway.connect(BOB, in_group(BOB))
    assert (await ana.show("bob"))["online"] == ["bob"]
    gateway.parts.apply(records_of(removed(gone)))
    await town.settle(1.5)
    assert ana.read_presence() == OFFLINE

    bob.close()
    await town.settle(20)
    gateway.connect(BOB)
    await town.settle(3)
    assert ana.read_presence() == []


async def test_a_removal_of_somebody_who_is_offline_tells_nothing() -> None:
    town = Town(1)
    [gateway] = town.gateways
    ana = gateway.connect(ANA, in_group(ANA))
    gateway.parts.database.answers = [[Acquaintance("bob", BOB.user_id, "bob", str(TEA))]]
    assert (await ana.show("bob"))["offline"] == ["bob"]
    gateway.parts.apply(records_of(removed(BOB)))
    await town.settle(3)

    assert ana.read_presence() == []


@pytest.mark.parametrize("gone", [ANA, BOB])
async def test_a_removal_changes_nothing_where_another_conversation_is_shared(gone: Somebody) -> None:
    town = Town(1)
    [gateway] = town.gateways
    ana = gateway.connect(ANA, in_group(ANA), in_group(ANA, COFFEE))
    bob = gateway.connect(BOB, in_group(BOB), in_group(BOB, COFFEE))
    assert (await ana.show("bob"))["online"] == ["bob"]
    gateway.parts.apply(records_of(removed(gone)))
    await town.settle(3)
    assert ana.read_presence() == []

    bob.close()
    await town.settle(20)
    assert ana.read_presence() == OFFLINE


async def test_a_removal_from_a_group_changes_nothing_between_people_who_write_to_each_other() -> None:
    town = Town()
    first, second = town.gateways
    ana = first.connect(ANA, in_group(ANA), direct(ANA, BOB))
    second.connect(BOB)
    await town.settle(2)
    first.signals.show(ana.listener, [Visible(BOB.user_id, BOB.name, str(TEA).encode())])
    first.parts.apply(records_of(removed(BOB)))
    await town.settle(3)

    assert ana.read_presence() == []


async def test_who_is_a_member_again_before_the_gateway_tells_it_is_still_seen() -> None:
    town = Town(1)
    [gateway] = town.gateways
    ana, _bob = gateway.connect(ANA, in_group(ANA)), gateway.connect(BOB, in_group(BOB))
    await ana.show("bob")
    gateway.parts.apply(records_of(removed(BOB, 2), added(BOB, 3)))
    await town.settle(3)

    assert ana.read_presence() == []


async def test_memberships_of_people_whom_nobody_shows_leave_nothing_behind() -> None:
    town = Town(1)
    [gateway] = town.gateways
    gateway.connect(ANA, in_group(ANA), direct(ANA, BOB))
    gateway.parts.apply(records_of(removed(CLEO), blocked(ANA, 2)))

    assert (gateway.signals.watching._removed, gateway.signals.watching._viewers) == ({}, {})


async def test_a_removal_that_hundreds_show_is_worked_off_in_slices() -> None:
    town = Town(1)
    [gateway] = town.gateways
    gateway.connect(BOB, in_group(BOB))
    devices = [gateway.connect(one, in_group(one)) for one in GROUP]
    for device in devices:
        gateway.signals.show(device.listener, [Visible(BOB.user_id, BOB.name, str(TEA).encode())])
    gateway.parts.apply(records_of(removed(BOB)))
    town.clock.now_s += 2
    async with watched(lambda: len(GROUP) - gateway.signals.watching.shown) as turns:
        await gateway.signals.tick()

    assert turns[-1] == len(GROUP)
    assert max(later - earlier for earlier, later in itertools.pairwise(turns)) == REMOVALS_AT_ONCE
    await town.settle(1)
    assert all(device.read_presence() == OFFLINE for device in devices)


async def test_a_change_that_is_undone_before_it_is_told_needs_no_push() -> None:
    town = Town(1)
    [gateway] = town.gateways
    ana = gateway.connect(ANA, direct(ANA, BOB))
    await ana.show("bob")
    ana.peer.paused = True
    bob = gateway.connect(BOB)
    await town.settle(2)
    bob.close()
    await town.settle(20)
    ana.peer.paused = False
    await town.settle(3)

    assert ana.read_presence() == []


async def test_who_is_blocked_between_two_slices_of_changes_is_told_that_the_blocker_is_offline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "CHANGES_AT_ONCE", 1)
    town = Town(1)
    [gateway] = town.gateways
    ana, bob = await shows_bob(gateway, group=False)
    bob.close()
    await town.settle(2)
    town.clock.now_s += 20
    ticking = asyncio.ensure_future(gateway.signals.tick())
    [shown] = ana.listener.shown
    async with asyncio.timeout(10):
        while shown.online:  # noqa: ASYNC110 - in the very turn after the slice
            await asyncio.sleep(0)
    assert not ana.listener.pending
    gateway.parts.apply(records_of(blocked(ANA, 2)))
    await ticking
    await town.settle(3)

    assert ana.read_presence() == OFFLINE
