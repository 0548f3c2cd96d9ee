"""Long work gives way: between two slices of it the loop turns to others (D12)."""

import gc
from uuid import UUID

import pytest

from klatsch.gateway.hub import ConnectedPerson
from klatsch.gateway.language.protocol import Close
from klatsch.gateway.turns import SLICE, in_turns, slices
from tests.support.gateway_parts import Parts, standing_of
from tests.support.records import ANA, BOB, Somebody, direct, in_group
from tests.support.waiting import until
from tests.unit.watched_turns import GROUPS, MANY, largest_step, outbox_of, watched


@pytest.mark.parametrize("count", [0, 1, SLICE, SLICE + 1, 5 * SLICE])
async def test_slices_are_all_of_it_in_order(count: int) -> None:
    parts = [list(part) async for part in slices(range(count))]
    acted: list[int] = []
    in_turns(range(count), acted.extend)
    await until(lambda: len(acted) == count)

    assert [item for part in parts for item in part] == acted == list(range(count))
    assert all(len(part) <= SLICE for part in parts)


class NotWalked(dict[str, ConnectedPerson]):
    """People of whom some may be looked up, and all never."""

    def values(self) -> object:  # type: ignore[override]  # it has no result
        raise AssertionError("all people of the gateway are walked")

    items = __iter__ = values  # type: ignore[assignment]  # nor have these


async def test_a_deactivation_walks_nobody_whom_it_does_not_concern() -> None:
    parts = Parts()
    person = parts.hub.join(ANA.user_id, ANA.name, outbox_of(parts)[0])
    parts.hub.admit(person, direct(ANA, BOB), 1)
    parts.hub.people = NotWalked(parts.hub.people)
    parts.hub.part("BOB")

    assert (person.direct, person.writable, parts.hub.writers) == ({}, {}, {})


async def test_a_deactivation_of_somebody_whom_many_write_to_goes_in_turns() -> None:
    parts = Parts()
    many = [Somebody(UUID(int=number), f"person-{number}") for number in range(5 * SLICE)]
    people = [parts.hub.join(one.user_id, one.name, outbox_of(parts)[0]) for one in many]
    for one, person in zip(many, people, strict=True):
        parts.hub.admit(person, direct(one, BOB), 1)
    async with watched(lambda: sum(len(person.writable) for person in people)) as turns:
        parts.hub.part(BOB.name)
        await until(lambda: not turns[-1])

    assert largest_step(turns) <= SLICE


async def test_a_mark_for_everybody_is_told_in_turns() -> None:
    parts = Parts()
    peers = [outbox_of(parts) for _ in range(5 * SLICE)]
    for number, (outbox, _) in enumerate(peers):
        parts.hub.join(str(UUID(int=number)), f"person-{number}", outbox)
    async with watched(lambda: sum(peer.writes for _, peer in peers)) as turns:
        parts.resume_marks.push_all()
        await until(lambda: turns[-1] == len(peers))

    assert largest_step(turns) <= SLICE


async def test_many_sockets_are_closed_in_turns() -> None:
    parts = Parts()
    peers = [outbox_of(parts) for _ in range(5 * SLICE)]
    for number, (outbox, _) in enumerate(peers):
        parts.hub.join(str(UUID(int=number)), f"person-{number}", outbox)
    async with watched(lambda: sum(len(peer.closed) for _, peer in peers)) as turns:
        parts.hub.close_all(Close.LOG_UNAVAILABLE, "log unavailable, resume")
        await until(lambda: turns[-1] == len(peers))

    assert largest_step(turns) <= SLICE


def test_the_garbage_collector_does_not_look_at_what_is_kept_for_each_conversation() -> None:
    """A collection that looked at 50,000 conversations held the loop for a quarter of a second at a time."""
    access = in_group(ANA)

    assert not gc.is_tracked(access)
    assert not gc.is_tracked(standing_of(access))


async def test_the_garbage_collector_has_no_more_to_look_at_for_those_who_are_alone_in_many_conversations() -> None:
    parts = Parts()
    standings = [standing_of(in_group(ANA, group)) for group in GROUPS]  # kept: they are looked at before and after
    parts.database.answers = [standings]
    gc.collect()
    before = len(gc.get_objects())
    await parts.join(ANA, outbox_of(parts)[0])

    assert len(gc.get_objects()) - before < MANY / 4
