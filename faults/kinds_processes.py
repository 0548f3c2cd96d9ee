"""Faults of Klatsch's processes: gateways and persisters that are killed, stopped, drained, added and removed."""

import asyncio
import time
from collections.abc import Callable

import psutil

from faults.injection import (
    Bite,
    FaultKind,
    Injection,
    at_gateway,
    closes_since,
    codes_text,
    everybody,
    until,
    until_in_thread,
)
from faults.world import PARTITIONS, start_again
from tests.support.system import System

_READS_ONLY = "SHARE"
_REBALANCED_S = 25.0
_BLOCKED_S = 5.0


async def _gateway_killed(injection: Injection) -> Bite:
    world, number = injection.world, injection.gateway
    gateway, pid = world.gateways[number], world.gateways[number].pid
    there = world.clients_at(number)
    await asyncio.to_thread(gateway.kill)
    injection.felt()
    await until(lambda: closes_since(there, injection.began, number), 3)
    await asyncio.sleep(injection.between(0.2, 2.0))
    gone = not psutil.pid_exists(pid)
    await asyncio.to_thread(start_again, gateway)
    closes = closes_since(there, injection.began, number)
    return Bite(gateway.name, gone and bool(closes), f"pid {pid} gone; closes: {codes_text(closes)}")


async def _gateway_drained(injection: Injection) -> Bite:
    world, number = injection.world, injection.gateway
    gateway, there = world.gateways[number], world.clients_at(number)
    injection.felt()
    await asyncio.to_thread(gateway.stop)
    await asyncio.to_thread(start_again, gateway)
    closes = closes_since(there, injection.began, number)
    return Bite(gateway.name, 4301 in closes, f"ended with 0; closes: {codes_text(closes)}")  # noqa: PLR2004 - draining


async def _gateway_stopped(injection: Injection) -> Bite:
    world, number = injection.world, injection.gateway
    gateway, there = world.gateways[number], world.clients_at(number)
    before = sum(client.counts["gave up a silent connection"] for client in there)
    process = psutil.Process(gateway.pid)
    process.suspend()
    stopped = await until(lambda: process.status() == psutil.STATUS_STOPPED, 2)
    injection.felt()
    await asyncio.sleep(injection.between(7, 14))
    process.resume()
    given_up = sum(client.counts["gave up a silent connection"] for client in there) - before
    evidence = f"SIGSTOP held; {given_up} connections were given up as silent"
    return Bite(gateway.name, stopped and given_up > 0, evidence)


async def _persister_killed(injection: Injection) -> Bite:
    world = injection.world
    persister = world.persisters[injection.planned.target % 2]
    pid = persister.pid
    held = len(persister.partitions())
    await asyncio.to_thread(persister.kill)
    injection.felt()
    await asyncio.sleep(injection.between(0.1, 3.0))
    gone = not psutil.pid_exists(pid)
    await asyncio.to_thread(start_again, persister)
    return Bite(persister.name, gone and held > 0, f"pid {pid} gone, which held {held} partitions")


async def _persister_killed_within(injection: Injection) -> Bite:
    """Kills a persister in the middle of a transaction: its work must be rolled back, and done again."""
    world = injection.world
    persister = world.persisters[injection.planned.target % 2]
    pid = persister.pid
    caught = await asyncio.to_thread(_hurt_with_a_batch, world.system, persister.kill)
    injection.felt()
    await asyncio.sleep(injection.between(0.1, 3.0))
    gone = not psutil.pid_exists(pid)
    await asyncio.to_thread(start_again, persister)
    within = "within its transaction" if caught else "and it was in no transaction"
    return Bite(persister.name, gone and caught, f"pid {pid} gone, {within}")


async def _persister_zombie(injection: Injection) -> Bite:
    """Stops a persister in a transaction until others have all its partitions, then continues it."""
    world = injection.world
    zombie, heir = world.persisters[:: 1 if injection.planned.target % 2 else -1]
    process = psutil.Process(zombie.pid)
    fenced = len(zombie.events("fenced"))
    caught = await asyncio.to_thread(_hurt_with_a_batch, world.system, process.suspend)
    injection.felt()
    heired = await until_in_thread(lambda: len(heir.partitions()) == PARTITIONS, _REBALANCED_S)
    ends = await asyncio.to_thread(world.ends)
    went_on = await until_in_thread(lambda: world.has_archived(ends), _REBALANCED_S)
    process.resume()
    seen = await until_in_thread(lambda: len(zombie.events("fenced")) > fenced, _REBALANCED_S)
    shared = await until_in_thread(lambda: zombie.partitions() and heir.partitions(), _REBALANCED_S)
    said = (
        "stopped in a transaction" if caught else "stopped, and in no transaction",
        f"{heir.name} had all partitions" if heired else f"{heir.name} never had all partitions",
        "archived on" if went_on else "archived nothing",
        f"{zombie.name} logged fenced" if seen else f"{zombie.name} never logged fenced",
        "rejoined" if shared else "never rejoined",
    )
    return Bite(zombie.name, caught and heired and went_on and seen and shared, ", ".join(said))


def _hurt_with_a_batch(system: System, hurt: Callable[[], None]) -> bool:
    """Makes all persisters wait for a lock, each in its transaction; hurts one, then releases the lock."""
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND application_name = 'klatsch-persister' AND wait_event_type = 'Lock'"
    )
    with system.locked("messaging_message", _READS_ONLY):
        until_s = time.monotonic() + _BLOCKED_S
        while (blocked := system.rows(query)[0][0]) < 2 and time.monotonic() < until_s:  # noqa: PLR2004 - both of them
            time.sleep(0.02)
        hurt()
    return bool(blocked == 2)  # noqa: PLR2004 - both of them


async def _persister_added(injection: Injection) -> Bite:
    """Adds a third persister, which gets its share, works for a while and leaves."""
    world = injection.world
    injection.felt()
    await asyncio.to_thread(start_again, world.spare)
    held = len(world.spare.partitions())
    await asyncio.sleep(injection.between(0.5, 4))
    await asyncio.to_thread(world.spare.stop)
    spread = await until_in_thread(
        lambda: sum(len(persister.partitions()) for persister in world.persisters) == PARTITIONS, _REBALANCED_S
    )
    evidence = f"it held {held} partitions, and then {'both others all' if spread else 'nobody some'} of them"
    return Bite(world.spare.name, held > 0 and spread, evidence)


_ALL_THAT_ARCHIVES = frozenset({"persister", "postgres", "kafka"})
KINDS = (
    FaultKind("gateway killed", _gateway_killed, at_gateway, frozenset({"gateway"}), 5, cuts=True),
    FaultKind("gateway drained", _gateway_drained, at_gateway, frozenset({"gateway"}), 5, cuts=True),
    FaultKind("gateway stopped", _gateway_stopped, at_gateway, frozenset({"gateway"}), 5),
    FaultKind("persister killed", _persister_killed, everybody, frozenset({"persister"}), 15, archive=True),
    FaultKind(
        "persister killed within",
        _persister_killed_within,
        everybody,
        _ALL_THAT_ARCHIVES,
        15,
        archive=True,
    ),
    FaultKind(
        "persister a zombie",
        _persister_zombie,
        everybody,
        _ALL_THAT_ARCHIVES,
        15,
        archive=True,
    ),
    FaultKind("persister added", _persister_added, everybody, frozenset({"persister"}), 15, archive=True),
)
