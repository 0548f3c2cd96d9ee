"""Regularly asks PostgreSQL whether each connection's credential is still live (D13).

Records close sockets at once. The recheck finds endings without a record: an expired credential, a password that was
changed by hand. Only a definite "no" closes a connection. An archive that does not answer is no revocation, until it
has not for very long.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

from klatsch.accounts.credentials import HeldCredential, find_live
from klatsch.core.errors import Unavailable
from klatsch.gateway.database import DatabaseThreads
from klatsch.gateway.language.protocol import Close
from klatsch.gateway.outbox import Outbox
from klatsch.gateway.turns import slices
from klatsch.postgres.outages import DATABASE_ERRORS, note_failure

_log = structlog.get_logger(__name__)
BATCH_MOST: Final = 500
"""The connections in one statement."""
_TICK_S: Final = 1.0


@dataclass(slots=True, eq=False)
class _Watched:
    user_id: UUID
    outbox: Outbox
    due_s: int
    answered_s: float


class Recheck:
    """Rechecks each connection about every `every_s`, at most a second later.

    `give_up_s` bounds how long a connection stays without an answer; `find` returns the live credentials.
    """

    def __init__(
        self,
        database: DatabaseThreads,
        *,
        every_s: float,
        give_up_s: float,
        find: Callable[[Collection[HeldCredential]], set[str]] = find_live,
    ) -> None:
        self._database = database
        self._every_s = every_s
        self._give_up_s = give_up_s
        self._find = find
        self._watched: dict[Outbox, _Watched] = {}
        self._due: dict[int, dict[_Watched, None]] = {}  # by the second in which they are due

    def __len__(self) -> int:
        """Returns the number of watched connections."""
        return len(self._watched)

    def watch(self, user_id: UUID, outbox: Outbox, now_s: float) -> None:
        """Watches a connection whose credential was just found live."""
        watched = self._watched[outbox] = _Watched(user_id, outbox, 0, now_s)
        self._put(watched, now_s)

    def forget(self, outbox: Outbox) -> None:
        """Forgets a connection that has ended."""
        watched = self._watched.pop(outbox, None)
        if watched is not None and (due := self._due.get(watched.due_s)) is not None:
            due.pop(watched, None)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            await self.tick(time.monotonic())

    async def tick(self, now_s: float) -> None:
        """Rechecks all due connections in batches. After a batch without an answer, the rest is not asked about now."""
        answers = True
        while due := self._take_due(now_s):
            live = await self._ask(due) if answers else None
            answers = live is not None
            async for part in slices(due):
                for watched in part:
                    self._judge(watched, live, now_s)

    def _take_due(self, now_s: float) -> list[_Watched]:
        taken: list[_Watched] = []
        for second in sorted(second for second in self._due if second <= now_s):
            due = self._due[second]
            while due and len(taken) < BATCH_MOST:
                watched = next(iter(due))
                del due[watched]
                if not watched.outbox.closed:
                    taken.append(watched)
            if due:
                break
            del self._due[second]
        return taken

    async def _ask(self, due: list[_Watched]) -> set[str] | None:
        """Returns the digests of live credentials; None when PostgreSQL does not answer."""
        held = [HeldCredential(watched.user_id, watched.outbox.credential) for watched in due]
        try:
            return await self._database.run(lambda: self._find(held))
        except Unavailable:
            _log.warning("recheck_unanswered", connections=len(due))
        except DATABASE_ERRORS as error:  # a bug is no revocation either
            note_failure("recheck_unanswered", error, connections=len(due))
        return None

    def _judge(self, watched: _Watched, live: set[str] | None, now_s: float) -> None:
        if live is None:
            if now_s - watched.answered_s > self._give_up_s:
                watched.outbox.close(Close.NOT_AUTHENTICATED, "this credential could not be confirmed for too long")
        elif watched.outbox.credential in live:
            watched.answered_s = now_s
        else:
            watched.outbox.close(Close.NOT_AUTHENTICATED, "this credential has ended")
        if watched.outbox in self._watched and not watched.outbox.closed:
            self._put(watched, now_s)

    def _put(self, watched: _Watched, now_s: float) -> None:
        # Due between half the interval and all of it, by the digest, so that connections that came together spread
        # out.
        share = 0.5 + int(watched.outbox.credential[:8] or "0", 16) / 2**33
        watched.due_s = int(now_s + self._every_s * share)
        self._due.setdefault(watched.due_s, {})[watched] = None
