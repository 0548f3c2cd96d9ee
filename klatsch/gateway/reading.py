"""Limits how many replays read the archive at once, for a person and for the process (D12)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from klatsch.core.errors import Unavailable

READING_MOST: Final = 4
"""Half of the gateway's threads stay free for sign-ins."""
READING_EACH: Final = 2
_WAIT_S: Final = 20.0


@dataclass(slots=True)
class _Own:
    """The turns of one person; `users` counts replays that have a turn or wait for one."""

    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(READING_EACH))
    users: int = 0


class ReadingTurns:
    """Bounds the replays that read the archive at once, to `READING_MOST`, and to `READING_EACH` per person.

    A turn lasts for one page and ends before the peer is waited for: a slow reader blocks no other replay.
    """

    def __init__(self, wait_s: float = _WAIT_S) -> None:
        self._wait_s = wait_s
        self._all = asyncio.Semaphore(READING_MOST)
        self._own: dict[str, _Own] = {}

    def __len__(self) -> int:
        """Returns the number of people who read or wait."""
        return len(self._own)

    @asynccontextmanager
    async def turn(self, user_id: str) -> AsyncIterator[None]:
        """Waits up to `wait_s` until this person may read; raises Unavailable."""
        own = self._own.setdefault(user_id, _Own())
        own.users += 1
        try:
            await self._acquire(own.turns)
            try:
                yield
            finally:
                self._all.release()
                own.turns.release()
        finally:
            own.users -= 1
            if not own.users:
                del self._own[user_id]

    async def _acquire(self, own: asyncio.Semaphore) -> None:
        try:
            async with asyncio.timeout(self._wait_s):
                await own.acquire()
                try:
                    await self._all.acquire()
                except BaseException:
                    own.release()
                    raise
        except TimeoutError as error:
            raise Unavailable("Too many clients are catching up. Try again later.", retry_after=5) from error
