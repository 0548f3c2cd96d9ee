"""A process that holds many connections which only listen, or which come and go."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.client import Socket, connect, connect_all, fresh_name, request
from bench.crew import some_at_a_time
from bench.people import BenchPerson

_DELIVERED_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class ListeningPlan:
    """The people of one process, and the gateways that their connections are spread over. The `writer` may write."""

    people: Sequence[BenchPerson]
    addresses: Sequence[tuple[str, int]]
    writer: BenchPerson | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """The times of one message: its send, where this process has the writer, and its arrival at each listener."""

    sent_at: float | None
    times: Sequence[float]


class Listeners:
    """The commands that a scenario can call by name."""

    def __init__(self, plan: ListeningPlan) -> None:
        self._plan = plan
        self._sockets: list[Socket] = []
        self._writer: Socket | None = None
        self._times: list[float] = []
        self._heard_by_all = asyncio.Event()
        self._number = 0
        self._refusal = b""

    async def open(self) -> None:
        """Returns when every connection has its first mark."""
        self._sockets = await connect_all(self._plan.addresses, [person.token for person in self._plan.people])
        for socket in self._sockets:
            socket.on_text = self._take
        if self._plan.writer is not None:
            self._writer = await connect(*self._plan.addresses[0], self._plan.writer.token)
            self._writer.on_text = self._take_answer

    def _take(self, payload: bytes) -> None:
        if payload.startswith(b'{"t":"message",'):
            self._times.append(time.monotonic())
            if len(self._times) == len(self._sockets):
                self._heard_by_all.set()

    def _take_answer(self, payload: bytes) -> None:
        if payload.startswith(b'{"re":') and b',"ok":' not in payload[:40]:
            self._refusal = payload
            self._heard_by_all.set()

    async def hear(self, conversation: str) -> Heard:
        """Sends a message, where the writer is here, and returns when every listener has had one.

        The message of a writer in another process may come before this call. It counts as heard by this call, since
        the one after it is sent when all processes have returned.
        """
        sent_at = None
        if self._writer is not None:
            self._number += 1
            body = {"conversation": conversation, "client_id": fresh_name(self._number), "content": "x" * 100}
            sent_at = time.monotonic()
            self._writer.send(request(self._number, "send", body))
        async with asyncio.timeout(_DELIVERED_S):
            await self._heard_by_all.wait()
        if self._refusal:
            raise RuntimeError(f"the message was refused: {self._refusal.decode()}")
        times, self._times = self._times, []
        self._heard_by_all.clear()
        return Heard(sent_at, times)

    async def come_and_go(self, seconds: float, at_once: int) -> tuple[list[float], list[str]]:
        """Connects and leaves again and again; returns the seconds of each connect, to the mark, and the failures."""
        took: list[float] = []
        failed: list[str] = []
        until = time.monotonic() + seconds

        async def go_on(number: int) -> None:
            address = self._plan.addresses[number % len(self._plan.addresses)]
            while time.monotonic() < until:
                begun = time.monotonic()
                try:
                    socket = await connect(*address, self._plan.people[number].token)
                except (OSError, RuntimeError, TimeoutError) as error:
                    failed.append(str(error) or type(error).__name__)
                else:
                    took.append(time.monotonic() - begun)
                    socket.transport.close()

        numbers = range(min(at_once, len(self._plan.people)))
        await some_at_a_time([lambda number=number: go_on(number) for number in numbers], at_once)  # type: ignore[misc]  # mypy cannot infer the default's type
        return took, failed
