"""Faults of one or two of three brokers."""

import asyncio
import time

import psutil

from faults.cluster import suspended
from faults.injection import Bite, FaultKind, Injection, everybody, until
from klatsch.embedded.kafka import EmbeddedKafka

_BROKERS = 3
_UNDER_WAY_S = 5.0
_WATCHED_S = 4.0
_AHEAD_S = 0.7


async def _leader_killed(injection: Injection) -> Bite:
    """Kills the present leader up to three times."""
    killed: list[str] = []
    firsts: list[float] = []
    whole = True
    for number in range(1 + int(injection.between(0, 2.99))):
        leader = await asyncio.to_thread(_leader, injection)
        killed.append(await _kill(leader))
        if number == 0:
            injection.felt()
        firsts.append(await _first_answer_s(injection))
        await asyncio.sleep(injection.between(0, 3))
        whole = await _back(injection, [leader]) and whole
    evidence = f"{', then '.join(killed)}; first answers after {', '.join(f'{first:.1f}' for first in firsts)} s"
    return Bite(f"{len(killed)} leaders", whole and all(killed), evidence + ("" if whole else "; copies are missing"))


async def _leader_killed_again(injection: Injection) -> Bite:
    """Kills the present leader; half of the times twice, some seconds apart. The last kill counts."""
    killed: list[str] = []
    if (again_s := injection.again_s) is not None:
        leader = await asyncio.to_thread(_leader, injection)
        killed.append(await _kill(leader))
        await asyncio.to_thread(leader.start)
        await asyncio.sleep(again_s)
    leader = await asyncio.to_thread(_leader, injection)
    killed.append(await _kill(leader))
    injection.felt()
    whole = await _back(injection, [leader])
    evidence = ", then ".join(killed) + ("" if whole else "; copies are missing")
    return Bite(f"{len(killed)} leaders", whole and all(killed), evidence, len(killed))


async def _leader_killed_ahead(injection: Injection) -> Bite:
    """Kills a leader whose followers stand still: records that only it has are lost with it."""
    leader = await asyncio.to_thread(_leader, injection)
    with suspended(injection.cluster.followers(leader)):
        before = _unanswered(injection)
        await asyncio.sleep(_AHEAD_S)
        waiting = _unanswered(injection)
        killed = await _kill(leader)
    injection.felt()
    first = await _first_answer_s(injection)
    whole = await _back(injection, [leader])
    evidence = f"{killed} when {waiting} sends waited, {before} of them before; first answer after {first:.1f} s"
    return Bite("the leader", bool(killed) and whole and waiting > before, evidence)


async def _leader_paused(injection: Injection) -> Bite:
    leader = await asyncio.to_thread(_leader, injection)
    with suspended([leader]):
        injection.felt()
        first = await _first_answer_s(injection)
        await asyncio.sleep(injection.between(1, 6))
        moved = await asyncio.to_thread(_leader, injection) is not leader
    whole = await asyncio.to_thread(injection.cluster.wait_whole, injection.world.system.log.topic)
    evidence = f"{'another leads' if moved else 'nobody else leads'}; first answer after {first:.1f} s"
    return Bite("the leader", moved and whole, evidence)


async def _two_down(injection: Injection) -> Bite:
    """Kills two brokers: nothing is acknowledged any more, and histories stay readable."""
    leader = await asyncio.to_thread(_leader, injection)
    down = [leader, injection.cluster.followers(leader)[0]]
    killed = [await _kill(broker) for broker in down]
    injection.felt()
    await asyncio.sleep(_UNDER_WAY_S)
    world = injection.world
    before, refused = sum(client.acknowledged for client in world.clients), _refused(injection)
    began = time.monotonic()
    reader = world.speakers[injection.planned.target % len(world.speakers)].person
    history = await world.rest.ask("GET", f"conversations/{reader.conversations[0]}/messages", token=reader.token)
    await asyncio.sleep(_WATCHED_S - (time.monotonic() - began))
    acknowledged = sum(client.acknowledged for client in world.clients) - before
    refused = _refused(injection) - refused
    whole = await _back(injection, down)
    bit = all(killed) and whole and acknowledged == 0 and refused > 0 and bool(history["results"])
    said = f"{acknowledged} acknowledged, {refused} refused for now, a history of {len(history['results'])} read"
    return Bite("two brokers", bit, f"{', '.join(killed)}; within {_WATCHED_S:.0f} s {said}")


def _leader(injection: Injection) -> EmbeddedKafka:
    return injection.cluster.leader(injection.world.system.log.topic)


async def _kill(broker: EmbeddedKafka) -> str:
    """Returns the sign that the broker is gone; empty where it is not."""
    assert broker.process is not None
    pid = broker.process.pid
    await asyncio.to_thread(broker.kill)
    return "" if psutil.pid_exists(pid) else f"pid {pid} gone"


async def _back(injection: Injection, brokers: list[EmbeddedKafka]) -> bool:
    """Restarts the brokers; returns whether every record then has three copies again."""
    for broker in brokers:
        await asyncio.to_thread(broker.start)
    for broker in brokers:
        await asyncio.to_thread(broker.wait_ready)
    return await asyncio.to_thread(injection.cluster.wait_whole, injection.world.system.log.topic)


async def _first_answer_s(injection: Injection) -> float:
    """Returns the seconds until the first `ok` to a message that was sent from now on."""
    began = time.monotonic()
    await until(lambda: any(client.acknowledged_begun_at > began for client in injection.world.clients), 30)
    return time.monotonic() - began


def _unanswered(injection: Injection) -> int:
    return sum(len(client.sends.pending) for client in injection.world.clients)


def _refused(injection: Injection) -> int:
    """Returns how many sends the log left unknown or unavailable."""
    return sum(client.counts["unknown"] + client.counts["unavailable"] for client in injection.world.clients)


_USED = frozenset({"kafka"})
KINDS = (
    FaultKind("leader killed", _leader_killed, everybody, _USED, 12, archive=True, brokers=_BROKERS),
    FaultKind("leader killed again", _leader_killed_again, everybody, _USED, 15, archive=True, brokers=_BROKERS),
    FaultKind("leader killed ahead", _leader_killed_ahead, everybody, _USED, 12, archive=True, brokers=_BROKERS),
    FaultKind("leader paused", _leader_paused, everybody, _USED, 12, archive=True, brokers=_BROKERS),
    FaultKind("two brokers down", _two_down, everybody, _USED, 12, archive=True, brokers=_BROKERS),
)
