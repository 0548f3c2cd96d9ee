"""A resume of somebody with many conversations happens in slices; others have the loop in between."""

import asyncio
import itertools
from uuid import UUID

import pytest

from klatsch.archive.changes import Found
from klatsch.eventlog.partitions import partition_of
from klatsch.gateway import replay
from klatsch.gateway.language.protocol import RESET_MOST
from klatsch.gateway.turns import SLICE
from tests.support.gateway_parts import Parts, standing_of
from tests.support.records import ANA, BOB, in_group, message
from tests.support.waiting import until
from tests.unit.watched_turns import GROUPS, MANY, holds, largest_step, outbox_of, watched


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
    """Returns a gateway whose memory has dropped the log's beginning."""
    parts = Parts(recent_bytes=16_000)
    for number in range(50):
        parts.log.append(message(in_group(BOB), f"{number}" * 500))
        parts.read_log()
    assert parts.feed.recent.missing([0])
    return parts
