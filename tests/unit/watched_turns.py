"""Measures what each turn of the event loop does and how long it takes, for work on many groups."""

import asyncio
import gc
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import UUID

from klatsch.gateway.outbox import Outbox
from tests.support.gateway_parts import Parts
from tests.support.peer import Peer

MANY = 2_000
GROUPS = [UUID(int=number) for number in range(MANY)]


@asynccontextmanager
async def watched(done: Callable[[], int]) -> AsyncIterator[list[int]]:
    """Yields how much was done by each turn of the loop, while the block runs."""
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
