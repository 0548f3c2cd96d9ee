"""A connection of somebody with many conversations joins and leaves in slices; others have the loop in between."""

import asyncio

from klatsch.conversations.queries import StandingsPage
from klatsch.gateway.turns import SLICE
from tests.support.gateway_parts import Parts, standing_of
from tests.support.records import ANA, in_group, records_of, removed
from tests.support.waiting import until
from tests.unit.watched_turns import GROUPS, MANY, largest_step, outbox_of, watched


async def test_a_hello_of_somebody_with_many_conversations_gives_way() -> None:
    parts = Parts()
    outbox, _ = outbox_of(parts)
    parts.database.answers = [[standing_of(in_group(ANA, group)) for group in GROUPS]]
    async with watched(lambda: len(parts.hub.audiences)) as turns:
        person = await parts.join(ANA, outbox)

    assert (len(person.access), person.loaded) == (MANY, True)
    assert largest_step(turns) <= SLICE


async def test_what_is_told_between_two_slices_of_a_hello_stands() -> None:
    """The record of a removal is newer than what was read."""
    parts = Parts()
    outbox, _ = outbox_of(parts)
    parts.database.answers = [[standing_of(in_group(ANA, group)) for group in GROUPS]]
    hello = asyncio.ensure_future(parts.join(ANA, outbox))
    await until(lambda: SLICE <= len(parts.hub.audiences) < MANY)
    parts.apply(records_of(removed(ANA, conversation=GROUPS[0]), removed(ANA, conversation=GROUPS[-1])))
    person = await hello

    assert person.access.keys() == {in_group(ANA, group).key for group in GROUPS[1:-1]}


async def test_a_hello_reads_page_by_page_and_gives_way_within_each() -> None:
    parts = Parts()
    outbox, _ = outbox_of(parts)
    standings = [standing_of(in_group(ANA, group)) for group in GROUPS]
    parts.database.answers = [
        StandingsPage(standings[:100], GROUPS[99]),
        StandingsPage(standings[100:1100], GROUPS[1099]),
        StandingsPage(standings[1100:], None),
    ]
    async with watched(lambda: len(parts.hub.audiences)) as turns:
        person = await parts.join(ANA, outbox)

    assert (len(person.access), person.loaded, parts.database.answers) == (MANY, True, [])
    assert largest_step(turns) <= SLICE


async def test_a_connection_reads_no_further_page_once_another_of_its_person_is_loaded() -> None:
    parts = Parts()
    standings = [standing_of(in_group(ANA, group)) for group in GROUPS]

    async def meanwhile() -> StandingsPage:
        await parts.join(ANA, outbox_of(parts)[0])
        return StandingsPage(standings[:1], GROUPS[0])

    parts.database.answers = [meanwhile, standings, AssertionError("a page is read of somebody who is loaded")]
    person = await parts.join(ANA, outbox_of(parts)[0])

    assert (len(person.access), person.loaded, len(parts.database.answers)) == (MANY, True, 1)


async def test_two_connections_of_one_person_that_come_at_once_are_both_loaded() -> None:
    parts = Parts()
    standings = [standing_of(in_group(ANA, group)) for group in GROUPS]
    parts.database.answers = [standings, standings]
    first, second = await asyncio.gather(*(parts.join(ANA, outbox_of(parts)[0]) for _ in range(2)))

    assert first is second
    assert (len(first.access), len(first.outboxes), first.loaded) == (MANY, 2, True)


async def test_a_second_connection_and_the_end_of_the_first_touch_no_audience() -> None:
    parts = Parts()
    (first, _), (second, _) = outbox_of(parts), outbox_of(parts)
    parts.database.answers = [[standing_of(in_group(ANA, group)) for group in GROUPS]]
    person = await parts.join(ANA, first)
    async with watched(lambda: len(parts.hub.audiences)) as turns:
        await parts.join(ANA, second)
        parts.hub.leave(person, first)

    assert set(turns) == {MANY}
    assert parts.hub.audiences[in_group(ANA, GROUPS[0]).key] == {person}


async def test_the_last_connection_of_somebody_with_many_conversations_goes_in_turns() -> None:
    parts = Parts()
    outbox, _ = outbox_of(parts)
    parts.database.answers = [[standing_of(in_group(ANA, group)) for group in GROUPS], []]
    person = await parts.join(ANA, outbox)
    async with watched(lambda: len(parts.hub.audiences)) as turns:
        parts.hub.leave(person, outbox)
        again = await parts.join(ANA, outbox_of(parts)[0])
        parts.hub.admit(again, in_group(ANA, GROUPS[-1]), 1)
        await until(lambda: len(parts.hub.audiences) == 1)

    assert largest_step(turns) <= SLICE
    assert parts.hub.audiences == {in_group(ANA, GROUPS[-1]).key: {again}}
