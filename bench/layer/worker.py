"""One process of the bench: members of the group that receive, and in the first process one that sends."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, Final

import django
from django.conf import settings
from django.utils.module_loading import import_string

from bench.layer.backends import Backend

_GROUP: Final = "bench"
_IDLE_S: Final = 3.0
"""Members that get nothing for this long have all that there is."""
_WARM: Final = 20


@dataclass(frozen=True, slots=True)
class Task:
    """The work of a process. `stalled` of its members receive only at the end; `apart` names a group of its own."""

    backend: Backend
    members: int
    sends: bool
    seconds: float
    messages: int
    per_second: float | None = None
    stalled: int = 0
    apart: bool = False
    senders: int = 20


@dataclass(slots=True)
class Outcome:
    """The observations of a process. Latencies are of its members, from before the call to after the receive."""

    sent: int = 0
    sending_s: float = 0.0
    received: int = 0
    of_stalled: int = 0
    last_s: float = 0.0
    cpu_s: float = 0.0
    quiet_s: float = 0.0
    """The time in which that CPU was used."""
    latencies_s: list[float] = field(default_factory=list)


class _Process:
    def __init__(self, task: Task, pipe: Connection) -> None:
        self._task = task
        self._pipe = pipe
        self._outcome = Outcome(last_s=time.monotonic())
        self._layer: Any = import_string(task.backend.path)(**task.backend.config)
        self._group = "apart" if task.apart else _GROUP

    async def run(self) -> None:
        channels = [await self._layer.new_channel() for _ in range(self._task.members)]
        for channel in channels:
            await self._layer.group_add(self._group, channel)
        self._late = late = channels[: self._task.stalled]
        receiving = [asyncio.ensure_future(self._receive(channel)) for channel in channels[len(late) :]]
        await self._say("ready")
        await self._warm()
        await self._say("warm")
        begun_s, began_s = time.process_time(), time.monotonic()
        if self._task.sends:
            await self._send()
        await self._say(self._outcome.sent)
        await self._quiet()
        self._outcome.cpu_s, self._outcome.quiet_s = time.process_time() - begun_s, time.monotonic() - began_s
        self._outcome.of_stalled = sum([await self._drain(channel) for channel in late])
        for task in receiving:
            task.cancel()
        await asyncio.gather(*receiving, return_exceptions=True)
        self._pipe.send(self._outcome)

    async def _say(self, what: object) -> None:
        """Tells the bench how far this process is; returns when all are there."""
        self._pipe.send(what)
        await asyncio.to_thread(self._pipe.recv)

    async def _warm(self) -> None:
        """Makes the connections, of which the first messages would show the cost."""
        if self._task.sends:
            for _ in range(_WARM):
                await self._layer.group_send(self._group, {"type": "bench", "at": 0.0})
        await self._quiet()
        for channel in self._late:
            for _ in range(_WARM):
                await self._layer.receive(channel)

    async def _quiet(self) -> None:
        self._outcome.last_s = time.monotonic()
        while (left_s := self._outcome.last_s + _IDLE_S - time.monotonic()) > 0:  # noqa: ASYNC110 - it ends by nothing
            await asyncio.sleep(left_s)

    async def _receive(self, channel: str) -> None:
        outcome = self._outcome
        while True:
            message = await self._layer.receive(channel)
            now_s = time.monotonic()
            outcome.last_s = now_s
            if message["at"]:
                outcome.received += 1
                outcome.latencies_s.append(now_s - message["at"])

    async def _send(self) -> None:
        begun_s, numbers = time.monotonic(), iter(range(self._task.messages))
        await asyncio.gather(*[self._send_each(numbers, begun_s) for _ in range(self._task.senders)])
        self._outcome.sending_s = time.monotonic() - begun_s

    async def _send_each(self, numbers: Iterator[int], begun_s: float) -> None:
        pace = self._task.per_second
        for number in numbers:
            if pace:
                await asyncio.sleep(max(begun_s + number / pace - time.monotonic(), 0))
            now_s = time.monotonic()
            if now_s - begun_s > self._task.seconds:
                return
            await self._layer.group_send(self._group, {"type": "bench", "at": now_s, "text": "x" * 100})
            self._outcome.sent += 1

    async def _drain(self, channel: str) -> int:
        """Returns how many messages a member still gets that has received none until now."""
        count = 0
        while True:
            try:
                message = await asyncio.wait_for(self._layer.receive(channel), 0.5)
            except TimeoutError:
                return count
            count += bool(message["at"])


def serve(task: Task, pipe: Connection) -> None:
    """Runs one process of a scene."""
    settings.configure(CHANNEL_LAYERS={})
    django.setup()
    asyncio.run(_Process(task, pipe).run())
