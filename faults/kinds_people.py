"""Intended faults: a credential ends, a member is removed, demoted or blocked, while they write."""

import asyncio
import time
from collections.abc import Callable

from faults.client import Client
from faults.heard_again import BACK_S
from faults.injection import Bite, FaultKind, Injection, closes_since, codes_text, until
from faults.person import Group, Talk
from faults.plan import Planned
from faults.sends import Send
from faults.wishes import pin_in
from faults.world import World

_REVOKED_S = 15.0
_TRIES = 40
_EACH_S = 0.25
_HEARD_S = 90.0
"""The time after which a person who is let in again counts as never heard."""


def _victim(world: World, planned: Planned) -> Client:
    with_password = [client for client in world.speakers if client.person.password]
    return with_password[planned.target % len(with_password)]


async def _signed_out(injection: Injection) -> Bite:
    """Ends a credential by its person, elsewhere; the client then signs in again and resumes."""
    world = injection.world
    client = _victim(world, injection.planned)
    again = client.counts["signed in again"]
    injection.felt()
    await world.rest.ask("POST", "auth/logout", token=client.person.token)
    closed = await until(lambda: 4401 in closes_since([client], injection.began), _REVOKED_S)  # noqa: PLR2004 - protocol.md
    back = await until(lambda: client.counts["signed in again"] > again and client.is_ready, _REVOKED_S)
    codes = codes_text(closes_since([client], injection.began))
    evidence = f"closes: {codes}; {'signed in anew and resumed' if back else 'never back'}"
    return Bite(client.name, closed and back, evidence)


def _leaver(world: World, planned: Planned) -> Client:
    return world.client_of(world.groups[planned.target % len(world.groups)].leaver)


async def _removed(injection: Injection) -> Bite:
    """Removes a member from a group in which they write, and adds them again some seconds later."""
    world = injection.world
    group, leaver = world.groups[injection.planned.target % len(world.groups)], _leaver(world, injection.planned)
    before = leaver.counts["not_a_member"] + leaver.counts["not_found"]
    await world.change_member(group, active=False)
    injection.answered()
    await until(lambda: leaver.counts["not_a_member"] + leaver.counts["not_found"] > before, 10)
    await asyncio.sleep(injection.between(0.5, 3))
    refused = leaver.counts["not_a_member"] + leaver.counts["not_found"] - before
    await world.change_member(group, active=True)
    return Bite(leaver.name, refused > 0, f"{refused} sends were refused while they were out")


async def _demoted(injection: Injection) -> Bite:
    """Makes an admin a plain member while they delete and pin, and an admin again some seconds later."""
    world = injection.world
    group, admin = _led(world, injection.planned)
    before = admin.counts["forbidden"]
    await world.change_role(group, "member")
    injection.answered()
    for _ in range(_TRIES):
        pin = pin_in(admin, group.conversation)
        if admin.is_ready and pin is not None and not admin.sends.has_change:
            await admin.say(pin)
        if await until(lambda: admin.counts["forbidden"] > before, _EACH_S):
            break
    refused = admin.counts["forbidden"] - before
    await world.change_role(group, "admin")
    return Bite(admin.name, refused > 0, f"{refused} changes were refused while they were a plain member")


def _led(world: World, planned: Planned) -> tuple[Group, Client]:
    group = world.groups[planned.target % len(world.groups)]
    return group, world.client_of(group.admin)


async def _blocked(injection: Injection) -> Bite:
    """Blocks a person who writes on in that conversation, and unblocks them some seconds later."""
    world = injection.world
    talk, blocked = _talk(world, injection.planned)
    before = blocked.counts["blocked"]
    await world.change_block(talk, on=True)
    injection.answered()
    end = time.monotonic() + injection.between(1, 4)
    tries = 0
    while time.monotonic() < end or (blocked.counts["blocked"] == before and tries < _TRIES):
        if blocked.is_ready and not blocked.sends.is_full:
            tries += 1
            await blocked.say(Send(talk.conversation, f"blocked {tries}"))
        await asyncio.sleep(_EACH_S)
    refused = blocked.counts["blocked"] - before
    await world.change_block(talk, on=False)
    return Bite(blocked.name, refused > 0, f"{refused} sends were answered `blocked`")


def _talk(world: World, planned: Planned) -> tuple[Talk, Client]:
    talk = world.company.talks[planned.target % len(world.company.talks)]
    return talk, world.client_of(talk.blocked)


async def _heard(client: Client, make: Callable[[], Send | None]) -> bool:
    """Sends until one of the sends is accepted, one at a time; returns whether that came to pass."""
    said: list[Send] = []
    end = time.monotonic() + _HEARD_S
    while time.monotonic() < end:
        if client.is_ready and not client.sends.is_full and not (said and client.sends.has(said[-1])):
            send = make()
            if send is not None:
                said.append(send)
                await client.say(send)
        if await until(lambda: any(send.is_accepted for send in said), _EACH_S):
            return True
    return False


async def _heard_in_group(world: World, planned: Planned) -> bool:
    group, leaver = world.groups[planned.target % len(world.groups)], _leaver(world, planned)
    return await _heard(leaver, lambda: Send(group.conversation, "added again"))


async def _heard_as_admin(world: World, planned: Planned) -> bool:
    group, admin = _led(world, planned)
    return await _heard(admin, lambda: None if admin.sends.has_change else pin_in(admin, group.conversation))


async def _heard_in_talk(world: World, planned: Planned) -> bool:
    talk, blocked = _talk(world, planned)
    return await _heard(blocked, lambda: Send(talk.conversation, "unblocked"))


KINDS = (
    FaultKind(
        "admin demoted", _demoted, lambda w, p: [_led(w, p)[1]], frozenset({"member"}), BACK_S, heard=_heard_as_admin
    ),
    FaultKind("credential ended", _signed_out, lambda w, p: [_victim(w, p)], frozenset({"credential"}), 5, cuts=True),
    FaultKind(
        "person blocked", _blocked, lambda w, p: [_talk(w, p)[1]], frozenset({"block"}), BACK_S, heard=_heard_in_talk
    ),
    FaultKind(
        "member removed", _removed, lambda w, p: [_leaver(w, p)], frozenset({"member"}), BACK_S, heard=_heard_in_group
    ),
)
