"""Waiting for a condition, never for a time: what is slow today is not broken."""

import asyncio
import time
from collections.abc import Callable

DEADLINE_S = 60.0


async def until(condition: Callable[[], object]) -> None:
    """Returns when the condition holds, on the event loop."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - it may be any condition, and most have no event
            await asyncio.sleep(0.001)


def wait_until(condition: Callable[[], object], *, meanwhile: Callable[[], object] = lambda: time.sleep(0.005)) -> None:
    """Returns when the condition holds, on a thread; `meanwhile` is done between two looks."""
    deadline_s = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come to be"
        meanwhile()
