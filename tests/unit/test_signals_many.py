"""Ten thousand people who come back at once: nobody is told more than once a second, and the loop serves others."""

import asyncio
import itertools
import time
from collections.abc import Sequence
from uuid import UUID

from klatsch.gateway.signals.watching import Visible
from klatsch.gateway.turns import gently
from tests.support.records import TEA, Somebody, in_group
from tests.support.signal_parts import Device, SignalGateway, Town
from tests.unit.test_turns import holds

MANY = 10_000
SHOWN = 10
WAVES = 8
CROWD = [Somebody(UUID(int=number), f"person-{number}") for number in range(MANY)]
KEY = str(TEA).encode()


def arrive(gateway: SignalGateway, crowd: Sequence[int] = range(MANY)) -> list[Device]:
    """These come to this gateway, and show some neighbours."""
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
    for turn in range(16):
        if turn < WAVES:
            devices += arrive(gateway, range(turn, MANY, WAVES))
            told += [[] for _ in range(MANY // WAVES)]
        before = [device.peer.writes for device in devices]
        await town.settle(0.25)
        for times, device, writes in zip(told, devices, before, strict=True):
            times.extend([town.clock.now_s] * (device.peer.writes - writes))

    assert sum(map(len, told)) > MANY
    assert all(later - earlier >= 1 for times in told for earlier, later in itertools.pairwise(times))
    shown = [name for push in devices[0].read() for name in push["online"]]
    assert sorted(shown) == sorted(
        one.name for one in CROWD[1 : SHOWN + 1] if one is not CROWD[WAVES]
    )  # who came with it


async def test_ten_thousand_who_come_to_another_gateway_are_told_nothing() -> None:
    """Their gateway was killed: others remember its people until they are there again."""
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


async def test_no_turn_of_telling_ten_thousand_takes_a_large_part_of_it() -> None:
    town = Town(1)
    [gateway] = town.gateways
    devices = arrive(gateway)
    for device in devices:
        device.listener.told_s = float("-inf")
        for person in device.listener.shown:
            person.online = False
    gateway.signals.watching.note(one.user_id for one in CROWD)
    async with holds() as turns:
        await gateway.signals.tick()

    assert sum(device.peer.writes for device in devices) == MANY
    assert max(turns) < sum(turns) / 50


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
