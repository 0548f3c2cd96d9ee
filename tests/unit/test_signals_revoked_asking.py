"""A block or a removal while PostgreSQL is asked who may be shown: it counts, although the answer comes later."""

import pytest

from klatsch.conversations.access import Access
from klatsch.conversations.acquaintances import Acquaintance
from klatsch.eventlog.log import Entry
from tests.support.records import ANA, BOB, COFFEE, TEA, Somebody, blocked, direct, in_group, records_of, removed
from tests.support.signal_parts import Device, Town

OFFLINE = [{"online": [], "offline": ["bob"]}]


async def test_a_block_while_postgresql_is_asked_is_not_overlooked() -> None:
    """PostgreSQL was asked before the block, and answers after its record was read."""
    town = Town()
    first, second = town.gateways
    ana = first.connect(ANA, in_group(ANA))
    second.connect(BOB, in_group(BOB))
    await town.settle(2)

    async def answered_late() -> list[Acquaintance]:
        first.parts.apply(records_of(blocked(ANA, 2)))
        ana.peer.read()
        return [Acquaintance("bob", BOB.user_id, "bob", str(TEA))]

    first.parts.database.answers = [answered_late]
    assert await ana.show("bob") == {"online": [], "offline": ["bob"]}


async def test_a_removal_while_postgresql_is_asked_is_not_overlooked() -> None:
    town = Town()
    first, second = town.gateways
    ana = first.connect(ANA, in_group(ANA))
    second.connect(BOB, in_group(BOB))
    await town.settle(2)

    async def answered_late() -> list[Acquaintance]:
        first.parts.apply(records_of(removed(BOB)))
        ana.peer.read()
        return [Acquaintance("bob", BOB.user_id, "bob", str(TEA))]

    first.parts.database.answers = [answered_late]
    assert await ana.show("bob") == {"online": [], "offline": ["bob"]}


async def shows_while_asking(ana: Device, record: Entry, *names: str) -> dict[str, list[str]]:
    """Returns the answer to ana, who shows these people and nobody. PostgreSQL answers after the record."""
    gateway = ana.gateway

    async def answered_late() -> list[Acquaintance]:
        gateway.parts.apply(records_of(record))
        ana.peer.read()
        return []

    gateway.parts.database.answers = [answered_late]
    return await ana.show(*names, "nobody")


@pytest.mark.parametrize(
    ("record", "accesses"),
    [
        (removed(ANA), (in_group(ANA), in_group(BOB))),
        (removed(BOB), (in_group(ANA), in_group(BOB))),
        (blocked(ANA, 2), (direct(ANA, BOB), direct(BOB, ANA))),
        (blocked(ANA, 2), (in_group(ANA), in_group(BOB))),
    ],
)
async def test_whoever_is_removed_or_blocked_while_postgresql_is_asked_about_somebody_else_is_not_shown(
    record: Entry, accesses: tuple[Access, Access]
) -> None:
    town = Town(1)
    [gateway] = town.gateways
    anas, bobs = accesses
    ana, bob = gateway.connect(ANA, anas), gateway.connect(BOB, bobs)
    await town.settle(3)
    assert await shows_while_asking(ana, record, "bob") == {"online": [], "offline": ["bob", "nobody"]}
    assert gateway.signals.watching.find("bob") is None

    bob.close()
    await town.settle(20)
    gateway.connect(BOB, bobs)
    await town.settle(3)
    assert ana.read_presence() == []


@pytest.mark.parametrize("gone", [ANA, BOB])
async def test_who_is_removed_while_postgresql_is_asked_is_still_shown_by_another_conversation(gone: Somebody) -> None:
    town = Town(1)
    [gateway] = town.gateways
    ana = gateway.connect(ANA, in_group(ANA), in_group(ANA, COFFEE))
    bob = gateway.connect(BOB, in_group(BOB), in_group(BOB, COFFEE))
    assert await shows_while_asking(ana, removed(gone), "bob") == {"online": ["bob"], "offline": ["nobody"]}
    assert list(ana.listener.shown.values()) == [str(COFFEE).encode()]

    bob.close()
    await town.settle(20)
    assert ana.read_presence() == OFFLINE


async def test_a_person_goes_on_seeing_themselves_and_whom_they_block_while_postgresql_is_asked() -> None:
    town = Town(1)
    [gateway] = town.gateways
    ana = gateway.connect(ANA, direct(ANA, BOB))
    gateway.connect(BOB, direct(BOB, ANA))
    await town.settle(2)
    assert (await shows_while_asking(ana, blocked(BOB, 2), "ana", "bob"))["online"] == ["ana", "bob"]
