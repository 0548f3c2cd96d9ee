"""Turns at the archive: few replays read at once, for a person and for the process, and nobody waits for ever (D12)."""

import asyncio

import pytest

from klatsch.core.errors import Unavailable
from klatsch.gateway.reading import READING_EACH, READING_MOST, ReadingTurns
from tests.support.waiting import until


class Readers:
    """Runs people who read until they are told to stop."""

    def __init__(self, turns: ReadingTurns) -> None:
        self.turns = turns
        self.reading: list[str] = []
        self.enough = asyncio.Event()

    async def read(self, user_id: str) -> None:
        async with self.turns.turn(user_id):
            self.reading.append(user_id)
            await self.enough.wait()


async def test_few_read_at_once_and_few_of_one_person() -> None:
    turns = ReadingTurns()
    readers = Readers(turns)
    reading = [asyncio.create_task(readers.read(who)) for who in ["ana"] * 5 + ["bob", "cleo", "dora", "emil"]]
    await until(lambda: len(readers.reading) == READING_MOST)
    assert readers.reading.count("ana") == READING_EACH
    assert sorted(readers.reading) == ["ana", "ana", "bob", "cleo"]
    readers.enough.set()
    await asyncio.gather(*reading)

    assert len(readers.reading) == 9
    assert len(turns) == 0


async def test_who_waits_too_long_is_told_to_try_again() -> None:
    turns = ReadingTurns(wait_s=0.01)
    readers = Readers(turns)
    reading = [asyncio.create_task(readers.read("ana")) for _ in range(READING_EACH)]
    await until(lambda: len(readers.reading) == READING_EACH)
    with pytest.raises(Unavailable) as refused:
        await readers.read("ana")
    readers.enough.set()
    await asyncio.gather(*reading)

    assert refused.value.retry_after == 5
    await readers.read("ana")
    assert len(turns) == 0


async def test_who_gives_up_waiting_leaves_no_turn_taken() -> None:
    turns = ReadingTurns()
    readers = Readers(turns)
    reading = [asyncio.create_task(readers.read(str(number))) for number in range(READING_MOST)]
    waiting = asyncio.create_task(readers.read("ana"))
    await until(lambda: len(turns) == READING_MOST + 1)
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    readers.enough.set()
    await asyncio.gather(*reading)

    assert len(turns) == 0
    await asyncio.wait_for(asyncio.gather(*(readers.read("ana") for _ in range(READING_MOST))), 5)
