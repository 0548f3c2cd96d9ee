"""Bugs of what gateways show: replays, marks, queues and memberships. Each has the name of `catalogue`."""

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

from faults.bugs.replacing import is_gateway, replace
from klatsch.eventlog.log import Record
from klatsch.eventlog.places import offsets_text
from klatsch.gateway import replay
from klatsch.gateway.feed.bridge import Feeding
from klatsch.gateway.feed.feed import Feed
from klatsch.gateway.feed.recent import Recent
from klatsch.gateway.hub import Hub
from klatsch.gateway.language.tokens import Tokens
from klatsch.gateway.outbox import Outbox
from klatsch.gateway.socket import ChatSocket

_ONE_IN = 40
_PAUSE_S = 0.05


def replay_begins_one_early() -> None:
    _shift_replays(-1)


def replay_begins_one_late() -> None:
    _shift_replays(+1)


def _shift_replays(by: int) -> None:
    since = Recent.since

    def shifted(self: Any, keys: Any, offsets: Sequence[int]) -> Any:
        return since(self, keys, [max(0, offset + by) for offset in offsets])

    replace(Recent, "since", shifted)


def replay_pauses_before_live() -> None:
    run = replay._Replay.run

    async def paused(self: Any) -> None:
        begin = self.parts.begin
        late: list[Any] = []
        self.parts = _Parts(self.parts, late)
        await run(self)
        await asyncio.sleep(_PAUSE_S)
        for arguments in late:
            begin(*arguments)

    replace(replay._Replay, "run", paused)


class _Parts:
    """A replay's parts, whose `begin` waits."""

    def __init__(self, parts: Any, late: list[Any]) -> None:
        self._parts = parts
        self.begin = lambda *arguments: late.append(arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parts, name)


def marks_one_ahead() -> None:
    of = Tokens.of

    def tail_ahead(self: Any) -> str:
        return offsets_text(offset + 1 for offset in self._reading.offsets)

    def ahead(self: Any, user_id: str, offsets: Sequence[int]) -> str:
        return of(self, user_id, [offset + 1 for offset in offsets])

    replace(Tokens, "tail", tail_ahead)
    replace(Tokens, "of", ahead)


def outbox_drops() -> None:
    def add(self: Any, frame: bytes) -> None:
        if not self.closed and self._size + len(frame) <= self._bytes_most:
            self._frames.append(frame)
            self._size += len(frame)

    replace(Outbox, "_add", add)
    pause = ChatSocket.pause_writing

    def pause_without_end(self: Any) -> None:
        pause(self)
        self._forget_stall()

    replace(ChatSocket, "pause_writing", pause_without_end)


def batches_are_dropped() -> None:
    apply, number = Feeding.apply, itertools.count(1)

    def dropping(self: Any, records: Sequence[Record]) -> None:
        apply(self, records if next(number) % _ONE_IN else [])

    replace(Feeding, "apply", dropping)


def removal_is_not_heard() -> None:
    replace(Hub, "expel", lambda *_: None)


def copies_are_shown() -> None:
    if is_gateway():
        replace(Feed, "_find_original", lambda *_: None)
