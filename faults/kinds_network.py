"""Faults of the network between clients and a gateway, and of single clients: cut, silent, slow, not reading, dead."""

import asyncio
import time

from faults.client import Client
from faults.injection import Bite, FaultKind, Injection, at_gateway, closes_since, codes_text, until, until_in_thread
from faults.plan import Planned
from faults.sends import Send
from faults.world import World
from tests.support.process import GatewayProcess

_LARGE = "🎉" * 3_900  # 15.6 kB
_SLOW_CLOSED_S = 25.0
_TICK_S = 0.005
_ANSWERED_S = 15.0
_DEAD_CLOSED_S = 20.0


async def _cut(injection: Injection) -> Bite:
    world, number = injection.world, injection.gateway
    proxy, there = world.proxies[number], world.clients_at(number)
    proxy.refuses = True
    cut = proxy.cut()
    injection.felt()
    await asyncio.sleep(injection.between(1, 4))
    proxy.refuses = False
    closes = closes_since(there, injection.began, number)
    evidence = f"{cut} connections reset, {proxy.refused} more since; closes: {codes_text(closes)}"
    return Bite(world.gateways[number].name, cut > 0 and None in closes, evidence)


async def _silent(injection: Injection) -> Bite:
    world, number = injection.world, injection.gateway
    proxy, there = world.proxies[number], world.clients_at(number)
    held = proxy.held_bytes
    given_up = sum(client.counts["gave up a silent connection"] for client in there)
    proxy.flows.clear()
    injection.felt()
    await asyncio.sleep(injection.between(7, 11))
    given_up = sum(client.counts["gave up a silent connection"] for client in there) - given_up
    held = proxy.held_bytes - held
    proxy.flows.set()
    evidence = f"{held:,} bytes held back, {given_up} connections were given up as silent"
    return Bite(world.gateways[number].name, held > 0 and given_up > 0, evidence)


async def _slow(injection: Injection) -> Bite:
    world, number = injection.world, injection.gateway
    proxy, there = world.proxies[number], world.clients_at(number)
    held, delay = proxy.held_bytes, injection.between(0.15, 0.6)
    for client in there:
        client.slowest_s = 0.0
    proxy.delay_s = delay
    injection.felt()
    await asyncio.sleep(injection.between(4, 8))
    # Where the other fault of the pair holds up all answers, until the first one that this has made late.
    await until(lambda: max((client.slowest_s for client in there), default=0.0) > 2 * delay, _ANSWERED_S)
    proxy.delay_s = 0.0
    slowest = max((client.slowest_s for client in there), default=0.0)
    held = proxy.held_bytes - held
    evidence = f"{held:,} bytes delayed by {delay * 1000:.0f} ms each way; slowest answer {slowest:.1f} s"
    return Bite(world.gateways[number].name, held > 0 and slowest > 2 * delay, evidence)


def _reader(world: World, planned: Planned) -> Client:
    """Returns a connected client without a group, so that the flood is for it alone."""
    calm = [client for client in world.speakers if client.link is not None and len(client.person.conversations) == 1]
    return calm[planned.target % len(calm)]


def _peer_of(world: World, reader: Client) -> Client:
    [conversation] = reader.person.conversations
    return next(c for c in world.speakers if c is not reader and conversation in c.person.conversations)


async def _stops_reading(injection: Injection) -> Bite:
    """Makes the peer write more than the outbox and the kernel take."""
    world = injection.world
    reader = _reader(world, injection.planned)
    peer, link, connection = _peer_of(world, reader), reader.link, reader.connection
    assert link is not None
    gateway = world.gateways[reader.at]
    noted = len(_closed_as_slow(gateway))
    reader.is_patient = True
    link.stop_reading()
    injection.felt()
    flooding = asyncio.create_task(_flood(peer))
    closed = await until_in_thread(lambda: len(_closed_as_slow(gateway)) > noted or flooding.done(), _SLOW_CLOSED_S)
    closed = closed and not flooding.done()
    took = time.monotonic() - injection.began
    flooding.cancel()
    link.reads_on.set()
    reader.is_patient = False
    await until(lambda: reader.connection > connection, 10)
    codes = codes_text(closes_since([reader], injection.began))
    ended = "closed with 4302" if closed else "not closed"
    evidence = f"took nothing, and was {ended} after {took:.1f} s, as {gateway.name} says; it saw {codes}"
    return Bite(reader.name, closed, evidence)


async def _flood(peer: Client) -> None:
    [conversation, *_] = peer.person.conversations
    while True:
        while peer.is_ready and not peer.sends.is_full:
            await peer.say(Send(conversation, _LARGE))
        await asyncio.sleep(_TICK_S)


def _closed_as_slow(gateway: GatewayProcess) -> list[object]:
    return [event for event in gateway.events("closed") if event["code"] == 4302]  # noqa: PLR2004 - protocol.md


async def _dies(injection: Injection) -> Bite:
    """Makes a client vanish silently: it reconnects elsewhere, and the gateway must notice by itself."""
    world = injection.world
    client = _reader(world, injection.planned)
    link = client.link
    assert link is not None
    assert client.socket is not None
    link.die()
    injection.felt()
    client.socket.transport.abort()
    ended = await until(link.ended_by_gateway.is_set, _DEAD_CLOSED_S)
    took = time.monotonic() - injection.began
    evidence = f"{client.name} vanished; its gateway {'ended' if ended else 'kept'} the dead socket after {took:.1f} s"
    return Bite(client.name, ended, evidence)


def _one(world: World, planned: Planned) -> list[Client]:
    return [_reader(world, planned)]


KINDS = (
    FaultKind("network cut", _cut, at_gateway, frozenset({"gateway"}), 5, cuts=True),
    FaultKind("network silent", _silent, at_gateway, frozenset({"gateway"}), 5, cuts=True),
    FaultKind("network slow", _slow, at_gateway, frozenset({"gateway"}), 5),
    FaultKind("client stops reading", _stops_reading, _one, frozenset({"gateway", "kafka"}), 5, cuts=True),
    FaultKind("client vanishes", _dies, _one, frozenset({"gateway"}), 5, cuts=True),
)
