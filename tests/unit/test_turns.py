"""What is long gives way: between two slices of it the loop turns to others (D12)."""

import asyncio
import gc
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from klatsch.archive.changes import Found
from klatsch.conversations.queries import StandingsPage
from klatsch.eventlog.partitions import partition_of
from klatsch.gateway import replay
from klatsch.gateway.hub import ConnectedPerson
from klatsch.gateway.language.protocol import RESET_MOST, Close
from klatsch.gateway.outbox import Outbox
from klatsch.gateway.turns import SLICE, in_turns, slices
from tests.support.gateway_parts import Parts, standing_of
from tests.support.peer import Peer
from tests.support.records import ANA, BOB, Somebody, direct, in_group, message, records_of, removed
from tests.support.waiting import until

MANY = 2_000
GROUPS = [UUID(int=number) for number in range(MANY)]


@asynccontextmanager
async def watched(done: Callable[[], int]) -> AsyncIterator[list[int]]:
    """How much was done by each turn of the loop, while the block runs."""
    turns: list[int] = [done()]
    is_over = False

    def look() -> None:
        turns.append(done())
        if not is_over:
            asyncio.get_running_loop().call_soon(look)

    look()
    yield turns
    await asyncio.sleep(0)  # what the last turn has done is seen, too
    is_over = True


@asynccontextmanager
async def holds() -> AsyncIterator[list[float]]:
    """Measures how long each turn holds the loop, in seconds of this thread's CPU: others' load adds none."""
    turns: list[float] = []
    is_over = False

    def look(before_s: float) -> None:
        turns.append(time.thread_time() - before_s)
        if not is_over:
            asyncio.get_running_loop().call_soon(look, time.thread_time())

    gc.disable()  # a collection of all that the tests have made is no hold of the gateway's
    try:
        look(time.thread_time())
        yield turns
        await asyncio.sleep(0)  # the last turn counts, too
    finally:
        is_over = True
        gc.enable()


def largest_step(turns: list[int]) -> int:
    return max(abs(after - before) for before, after in itertools.pairwise(turns))


def outbox_of(parts: Parts) -> tuple[Outbox, Peer]:
    peer = Peer()
    return Outbox(peer, parts.hub.dirty, 2**20), peer


@pytest.mark.parametrize("count", [0, 1, SLICE, SLICE + 1, 5 * SLICE])
async def test_slices_are_all_of_it_in_order(count: int) -> None:
    parts = [list(part) async for part in slices(range(count))]
    acted: list[int] = []
    in_turns(range(count), acted.extend)
    await until(lambda: len(acted) == count)

    assert [item for part in parts for item in part] == acted == list(range(count))
    assert all(len(part) <= SLICE for part in parts)


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


async def test_no_turn_of_a_hello_a_resume_or_an_end_takes_a_large_part_of_it() -> None:
    """A resume from the archive held the loop for nearly all that it took: 0.6 s with 50,000 conversations."""
    parts = await forgetful()
    outbox, _ = outbox_of(parts)
    parts.database.answers = [[], [standing_of(in_group(ANA, group)) for group in GROUPS]]
    await parts.join(BOB, outbox_of(parts)[0])  # what is done once is done by now
    async with holds() as hello:
        person = await parts.join(ANA, outbox)
    parts.database.answers = [Found(dict(enumerate(parts.feed.offsets)))]
    async with holds() as resume:
        await parts.replays.run(person, outbox, [0])
    async with holds() as end:
        parts.hub.leave(person, outbox)
        await until(lambda: not parts.hub.audiences)

    assert (person.access, person.writable, person.versions) == ({}, {}, {})
    for turns in (hello, resume, end):
        assert max(turns) < sum(turns) / 3


@pytest.mark.parametrize("archived", [True, False])
async def test_a_resume_beyond_memory_looks_for_partitions_in_slices(
    archived: bool,  # noqa: FBT001 - a case
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = await forgetful()
    outbox, peer = outbox_of(parts)
    parts.database.answers = [[standing_of(in_group(ANA, group)) for group in GROUPS]]
    person = await parts.join(ANA, outbox)
    parts.database.answers = [*[Found({0: parts.feed.offsets[0] if archived else 0})] * 3, []]
    looked = itertools.count()
    done = [0]

    def counted(key: bytes, partitions: int) -> int:
        done[0] = next(looked) + 1
        return partition_of(key, partitions)

    monkeypatch.setattr(replay, "partition_of", counted)
    async with watched(lambda: done[0]) as turns:
        await parts.replays.run(person, outbox, [0])

    assert sum(len(frame["d"]["conversations"]) for frame in peer.read() if frame["t"] == "reset") == (
        0 if archived else MANY
    )
    assert done[0] >= MANY
    assert largest_step(turns) <= SLICE + 1  # and the partition of the person's own affairs


async def test_resets_of_many_conversations_are_told_in_turns_and_no_mark_comes_before_the_last() -> None:
    """All resets of a useless token held the loop for 50 ms with 50,000 conversations."""
    parts = Parts()
    outbox, peer = outbox_of(parts)
    groups = [UUID(int=number) for number in range(3 * RESET_MOST)]
    parts.database.answers = [[standing_of(in_group(ANA, group)) for group in groups]]
    person = await parts.join(ANA, outbox)
    async with watched(lambda: peer.taken.count(b'{"t":"reset"')) as turns:
        telling = asyncio.ensure_future(parts.resuming.resume(person, outbox, "useless", lambda _: None))
        for _ in range(100):
            if peer.writes:
                break
            await asyncio.sleep(0)
        parts.log.append(message(in_group(ANA, groups[-1]), "between two resets"))
        parts.read_log()
        parts.resume_marks.push_all()
        parts.resume_marks.answer_last(person, outbox)
        await telling
    frames = peer.read()

    assert largest_step(turns) == 1
    assert [frame["t"] for frame in frames] == ["reset", "message", "reset", "reset", "mark"]
    assert [frame["d"]["at_least"].split(".")[-1] for frame in frames if frame["t"] == "reset"] == ["0:0", "0:1", "0:1"]
    assert [name for frame in frames if frame["t"] == "reset" for name in frame["d"]["conversations"]] == [
        str(group) for group in groups
    ]


async def test_resets_wait_for_a_peer_that_takes_nothing() -> None:
    """More than an outbox holds is told to a slow peer, which was closed as slow, for ever again."""
    parts = Parts()
    outbox, peer = outbox_of(parts)
    peer.stalls_after = 1
    groups = [UUID(int=number) for number in range(30 * RESET_MOST)]
    parts.database.answers = [[standing_of(in_group(ANA, group)) for group in groups]]
    person = await parts.join(ANA, outbox)
    telling = asyncio.ensure_future(parts.resuming.resume(person, outbox, "useless", lambda _: None))
    told = 0
    while not telling.done():
        await until(lambda: peer.paused or telling.done())
        told += sum(len(frame["d"]["conversations"]) for frame in peer.read() if frame["t"] == "reset")
        peer.paused = False
        outbox.flush()
    await telling

    assert peer.closed == []
    assert told == len(groups)


async def forgetful() -> Parts:
    """A gateway whose memory has dropped the log's beginning."""
    parts = Parts(recent_bytes=16_000)
    for number in range(50):
        parts.log.append(message(in_group(BOB), f"{number}" * 500))
        parts.read_log()
    assert parts.feed.recent.missing([0])
    return parts


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
    """With 50,000 of them it held the loop for a quarter of a second at a time."""
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
