"""Faults of PostgreSQL and of Kafka: restarted, killed, connections ended, partitions added."""

import asyncio
from collections.abc import Callable

import psutil

from faults.injection import Bite, FaultKind, Injection, everybody, until_in_thread
from faults.world import PARTITIONS, patiently
from klatsch.embedded.kafka import EmbeddedKafka
from klatsch.embedded.postgres import EmbeddedPostgres

_WARNED_S = 20
_TERMINATE = (
    "SELECT application_name, pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


async def _down(injection: Injection, server: EmbeddedPostgres | EmbeddedKafka, end: Callable[[], None]) -> str:
    """Stops a server for a while and starts it again; returns the sign that it was gone."""
    assert server.process is not None
    pid = server.process.pid
    await asyncio.to_thread(end)
    gone, refused = not psutil.pid_exists(pid), not await asyncio.to_thread(server.ready)
    injection.felt()
    await asyncio.sleep(injection.between(0.2, 4))
    await asyncio.to_thread(server.start)
    await asyncio.to_thread(server.wait_ready)
    assert server.process is not None
    return f"pid {pid} gone, {server.process.pid} came" if gone and refused else ""


async def _postgres(injection: Injection, end: Callable[[], None]) -> Bite:
    world = injection.world
    logged = sum(_complaints(injection).values())
    there = await _down(injection, world.postgres, end)
    complaints = max(0, sum((await asyncio.to_thread(_complaints, injection)).values()) - logged)
    return Bite("postgres", bool(there), f"{there}; {complaints} lines of our processes say so")


def _complaints(injection: Injection) -> dict[str, int]:
    """Returns how often each process has logged that the archive did not answer."""
    world = injection.world
    names = ("archive_unavailable", "archive_progress_lost", "relay_waits", "recheck_unanswered")
    return {
        process.name: sum(len(process.events(name)) for name in names)
        for process in (*world.gateways, *world.persisters)
    }


async def _postgres_restarted(injection: Injection) -> Bite:
    return await _postgres(injection, injection.world.postgres.stop)


async def _postgres_killed(injection: Injection) -> Bite:
    return await _postgres(injection, injection.world.postgres.kill)


async def _connections_ended(injection: Injection) -> Bite:
    """Ends every connection to the database, three times within some seconds."""
    ended = 0
    for number in range(3):
        ended += len(await asyncio.to_thread(injection.world.rows, _TERMINATE))
        if number == 0:
            injection.felt()
        await asyncio.sleep(injection.between(0.2, 1.5))
    return Bite("postgres", ended > 0, f"{ended} backends terminated")


async def _kafka(injection: Injection, end: Callable[[], None]) -> Bite:
    world = injection.world
    unknown = sum(client.counts["unknown"] + client.counts["unavailable"] for client in world.clients)
    there = await _down(injection, _broker(injection), end)
    unknown = sum(client.counts["unknown"] + client.counts["unavailable"] for client in world.clients) - unknown
    held = sum(len(client.sends.pending) + len(client.sends.waiting) for client in world.clients)
    return Bite("kafka", bool(there), f"{there}; {held} sends waiting, {unknown} times unknown or unavailable")


async def _kafka_restarted(injection: Injection) -> Bite:
    return await _kafka(injection, _broker(injection).stop)


async def _kafka_killed(injection: Injection) -> Bite:
    return await _kafka(injection, _broker(injection).kill)


async def _kafka_killed_again(injection: Injection) -> Bite:
    """Restarts the broker; half of the times twice, before, while or after readers come back. The last counts."""
    broker, before = _broker(injection), ""
    if (again_s := injection.again_s) is not None:
        await asyncio.to_thread(broker.kill)
        await asyncio.to_thread(broker.start)
        await asyncio.sleep(again_s)
        before = f"; killed {again_s:.1f} s before, too"
    there = await _down(injection, broker, broker.kill)
    return Bite("kafka", bool(there), there + before, 2 if before else 1)


async def _partitions_added(injection: Injection) -> Bite:
    """Adds one or two partitions while everything runs, like an operator or an autoscaler; none may use them."""
    log = injection.world.system.log
    count = 1 + injection.planned.target % 2
    injection.felt()
    found = await asyncio.to_thread(log.add_partitions, count)
    warned = await until_in_thread(lambda: _warned(injection), _WARNED_S)
    ends = await asyncio.to_thread(patiently, log.ends)
    used = sum(ends[partition] for partition in range(PARTITIONS, found))
    evidence = (
        f"{found} partitions, {'everybody warns' if warned else 'not everybody warns'}, {used} records in the new"
    )
    return Bite("kafka", warned and not used, evidence)


def _warned(injection: Injection) -> bool:
    """Returns whether each running process has logged that it leaves partitions alone."""
    world = injection.world
    running = [process for process in (*world.gateways, *world.persisters) if process.is_running()]
    return all(process.events("partitions_added") for process in running)


def _broker(injection: Injection) -> EmbeddedKafka:
    assert isinstance(injection.world.kafka, EmbeddedKafka)
    return injection.world.kafka


KINDS = (
    FaultKind("postgres restarted", _postgres_restarted, everybody, frozenset({"postgres"}), 15, archive=True),
    FaultKind("postgres killed", _postgres_killed, everybody, frozenset({"postgres"}), 15, archive=True),
    FaultKind("postgres connections ended", _connections_ended, everybody, frozenset({"postgres"}), 15, archive=True),
    FaultKind("kafka restarted", _kafka_restarted, everybody, frozenset({"kafka"}), 12, archive=True, brokers=1),
    FaultKind("kafka killed", _kafka_killed, everybody, frozenset({"kafka"}), 12, archive=True, brokers=1),
    FaultKind("kafka killed again", _kafka_killed_again, everybody, frozenset({"kafka"}), 15, archive=True, brokers=1),
    FaultKind("partitions added", _partitions_added, everybody, frozenset({"kafka"}), 12, archive=True),
)
