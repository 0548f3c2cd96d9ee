"""A process that holds many clients, each of whom shows the others of its circle."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from bench.client import Socket, open_socket
from bench.crew import some_at_a_time, until
from bench.people import BenchPerson

_OPEN_S = 60.0
_AGAIN_S = 0.5


@dataclass(frozen=True, slots=True)
class CrowdPlan:
    """The circles of one process, and the gateways to which they go one after the other."""

    circles: Sequence[Sequence[BenchPerson]]
    gateways: Sequence[tuple[str, int]]
    jitter_s: float


@dataclass(slots=True)
class Shown:
    """The presence that one client was told since its gateway was lost: times, and the number of names.

    A client that is busy reads late, and then several pushes at once. So only pushes for the time since it asked count
    as too often, not the time between two.
    """

    times: list[float] = field(default_factory=list)
    names: int = 0
    answered_s: float = 0.0
    asked_s: float = 0.0
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def is_told_too_often(self) -> bool:
        return bool(self.times) and len(self.times) > self.times[-1] - self.asked_s


class Watcher:
    """A client that shows some names. It connects again where its gateway is lost."""

    def __init__(self, person: BenchPerson, names: Sequence[str], plan: CrowdPlan) -> None:
        self._person = person
        self._plan = plan
        self._gateways = list(plan.gateways)
        self._asking = msgspec.json.encode({"id": 1, "op": "presence", "d": {"users": names}})
        self._tasks: set[asyncio.Task[None]] = set()
        self.shown = Shown()
        self.is_ready = self.is_lost = False

    async def open(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_OPEN_S):
                    await self._open_once()
            except (OSError, RuntimeError, TimeoutError) as error:
                self.shown.refused[type(error).__name__] += 1
                await asyncio.sleep(_AGAIN_S * (1 + random.random()))
            else:
                return

    async def _open_once(self) -> None:
        socket = await open_socket(*self._gateways[0], self._person.token)
        marked: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def lose(reason: str) -> None:
            if not marked.done():
                marked.set_exception(RuntimeError(reason))
            else:
                self._lose()

        socket.on_text = lambda payload: self._take(socket, payload, marked)
        socket.on_lost = lose
        socket.send(b'{"id":0,"op":"hello","d":{"resume":null}}')
        await marked
        self._ask(socket)

    def _ask(self, socket: Socket) -> None:
        self.shown.asked_s = time.monotonic()
        socket.send(self._asking)

    def _take(self, socket: Socket, payload: bytes, marked: "asyncio.Future[None]") -> None:
        if payload.startswith(b'{"t":"presence"'):
            body = msgspec.json.decode(payload)["d"]
            self.shown.times.append(time.monotonic())
            self.shown.names += len(body["online"]) + len(body["offline"])
        elif payload.startswith(b'{"t":"mark"'):
            if not marked.done():
                marked.set_result(None)
        elif payload.startswith(b'{"re":1,"ok"') or b'"forbidden"' in payload:
            self.is_ready, self.shown.answered_s = True, time.monotonic()
        elif payload.startswith(b'{"re":1'):
            error = msgspec.json.decode(payload)["err"]
            self.shown.refused[error["code"]] += 1
            wait_s = (error.get("retry_after") or 1) * (1 + random.random())
            asyncio.get_running_loop().call_later(wait_s, self._ask, socket)

    def _lose(self) -> None:
        self._gateways = self._gateways[1:] or self._gateways
        self.is_ready, self.is_lost, self.shown = False, True, Shown()
        returning = asyncio.get_running_loop().create_task(self._return())
        self._tasks.add(returning)
        returning.add_done_callback(self._tasks.discard)

    async def _return(self) -> None:
        await asyncio.sleep(self._plan.jitter_s * random.random())
        await self.open()


class Crowd:
    """The commands that the scenario can call by name."""

    def __init__(self, plan: CrowdPlan) -> None:
        self._watchers = [
            Watcher(person, [other.username for other in circle if other is not person], plan)
            for circle in plan.circles
            for person in circle
        ]

    async def open(self) -> None:
        """Returns when every client is connected and its question is answered."""
        await some_at_a_time([watcher.open for watcher in self._watchers])
        await until(lambda: all(watcher.is_ready for watcher in self._watchers), _OPEN_S)

    async def come_back(self, deadline_s: float) -> int:
        """Returns how many clients have not come back, and been answered, within the time; 0 at best."""
        await until(lambda: all(watcher.is_lost and watcher.is_ready for watcher in self._watchers), deadline_s)
        return sum(not (watcher.is_lost and watcher.is_ready) for watcher in self._watchers)

    async def report(self) -> list[Shown]:
        return [watcher.shown for watcher in self._watchers]
