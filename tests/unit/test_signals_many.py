"""Ten thousand people who come back at once: nobody is told more than once a second, and the loop serves others."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from uuid import UUID

from klatsch.conversations.acquaintances import Acquaintance
from klatsch.gateway.signals.watching import CHANGES_AT_ONCE, LOOKED_AT_MOST, PUSHES_AT_ONCE, Visible
from klatsch.gateway.turns import gently
from tests.support.records import TEA, Somebody, in_group
from tests.support.signal_parts import Device, SignalGateway, Town
from tests.unit.watched_turns import watched

MANY = 10_000
SHOWN = 10
WAVES = 8
CROWD = [Somebody(UUID(int=number), f"person-{number}") for number in range(MANY)]
KEY = str(TEA).encode()


def most(turns: Sequence[int]) -> int:
    """Returns the most that one turn of the loop has done."""
    return max(later - earlier for earlier, later in itertools.pairwise(turns))


def arrive(gateway: SignalGateway, crowd: Sequence[int] = range(MANY)) -> list[Device]:
    """Connects these to this gateway; each shows some neighbours."""
    devices = [gateway.connect(CROWD[number], in_group(CROWD[number])) for number in crowd]
    for number, device in zip(crowd, devices, strict=True):
        others = (CROWD[(number + step) % MANY] for step in range(1, SHOWN + 1))
        told = gateway.signals.show(device.listener, [Visible(one.user_id, one.name, KEY) for one in others])
        assert sum(map(len, told)) == SHOWN
    return devices


async def test_ten_thousand_who_come_back_to_a_new_gateway_are_each_told_at_most_once_a_second() -> None:
    """The gateway knows nobody: everybody sees all of their neighbours come."""
    town = Town(1)
    [gateway] = town.gateways
    devices: list[Device] = []
    told: list[list[float]] = []
    for turn in range(60):
        if turn < WAVES:
            devices += arrive(gateway, range(turn, MANY, WAVES))
            told += [[] for _ in range(MANY // WAVES)]
        before = [device.peer.writes for device in devices]
        await town.settle(0.25)
        writes = [device.peer.writes - earlier for device, earlier in zip(devices, before, strict=True)]
        assert sum(writes) <= LOOKED_AT_MOST
        for times, count in zip(told, writes, strict=True):
            times.extend([town.clock.now_s] * count)

    assert sum(map(len, told)) > MANY
    assert all(later - earlier >= 1 for times in told for earlier, later in itertools.pairwise(times))
    shown = [name for push in devices[0].read() for name in push["online"]]
    assert sorted(shown) == sorted(
        one.name for one in CROWD[1 : SHOWN + 1] if one is not CROWD[WAVES]
    )  # who came with it


async def test_ten_thousand_who_come_to_another_gateway_are_told_nothing() -> None:
    """The gateway of these people was killed: others remember its people until they are there again."""
    town = Town(3)
    killed, watching, other = town.gateways
    arrive(killed)
    watchers = arrive(watching, range(0, MANY, 100))
    await town.settle(4)
    before = [device.peer.writes for device in watchers]
    killed.alive = False
    await town.settle(5)
    for one in CROWD:
        other.connect(one, in_group(one))
    await town.settle(100)

    assert [device.peer.writes for device in watchers] == before


async def test_a_turn_of_the_loop_tells_few_of_thousands() -> None:
    """Work is counted, not timed: pushes, marks of who is to be told, and people whose presence is looked up."""
    town = Town(1)
    [gateway] = town.gateways
    devices = arrive(gateway, range(2_000))
    watching = gateway.signals.watching
    for device in devices:
        for person in device.listener.shown:
            person.online = False
    watching.note(one.user_id for one in CROWD)
    town.clock.now_s += 2
    async with (
        watched(lambda: sum(person.online for person in watching._people.values())) as looked_up,
        watched(lambda: sum(len(device.listener.pending) for device in devices[:LOOKED_AT_MOST])) as noted,
        watched(lambda: sum(device.peer.writes for device in devices)) as pushed,
    ):
        await gateway.signals.tick()

    assert most(looked_up) <= CHANGES_AT_ONCE
    assert 0 < most(noted) <= CHANGES_AT_ONCE
    assert most(pushed) <= PUSHES_AT_ONCE
    assert pushed[-1] == LOOKED_AT_MOST


async def test_connections_with_equal_changes_are_written_one_and_the_same_frame() -> None:
    town = Town(1)
    [gateway] = town.gateways
    devices = [gateway.connect(one, in_group(one)) for one in CROWD[:50]]
    for device in devices:
        gateway.signals.show(device.listener, [Visible(CROWD[99].user_id, CROWD[99].name, KEY)])
    gateway.connect(CROWD[99], in_group(CROWD[99]))
    town.clock.now_s += 2
    await gateway.signals.tick()

    assert [device.peer.writes for device in devices] == [1] * len(devices)
    assert len({id(device.peer.last) for device in devices}) == 1


async def test_a_busy_connection_costs_no_encoding_and_keeps_its_turn() -> None:
    town = Town(1)
    [gateway] = town.gateways
    ana, _ = arrive(gateway, range(2))
    ana.peer.paused = True
    for person in ana.listener.shown:
        person.online = False
    gateway.signals.watching.note(one.user_id for one in CROWD)
    town.clock.now_s += 2
    await gateway.signals.tick()

    assert len(ana.listener.pending) == 1  # its neighbour is here
    assert list(gateway.signals.watching._due) == [ana.listener]


async def test_only_the_first_of_a_group_is_looked_up_in_postgresql() -> None:
    """Nobody is here yet: the first asks for the others, who are then known to be in the group."""
    town = Town(1)
    [gateway] = town.gateways
    group = CROWD[:50]
    names = [one.name for one in group]
    gateway.parts.database.answers = [[Acquaintance(one.name, one.user_id, one.name, str(TEA)) for one in group[1:]]]
    for one in group:
        told = await gateway.connect(one, in_group(one)).show(*names)
        assert sorted(told["online"] + told["offline"]) == sorted(names)

    assert gateway.parts.database.asked == 1


async def test_others_get_most_of_the_loop_while_ten_thousand_are_told() -> None:
    """A task that only waits its turn gets on meanwhile, many thousands of times."""
    turns = 0
    is_over = False

    def look() -> None:
        nonlocal turns
        turns += 1
        if not is_over:
            asyncio.get_running_loop().call_soon(look)

    look()
    worked_s = 0.0
    began_s = time.perf_counter()
    async for part in gently(range(1_000), 10):
        before_s = time.perf_counter()
        while time.perf_counter() - before_s < 0.0005 * len(part) / 10:
            pass
        worked_s += time.perf_counter() - before_s
    took_s = time.perf_counter() - began_s
    is_over = True

    assert worked_s / took_s < 0.3
    assert turns > 100
