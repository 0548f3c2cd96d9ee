"""A process that holds many of the clients and runs the scenario's commands."""

import asyncio
import itertools
import multiprocessing
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import psutil
import uvloop

from bench.machine import allow_open_files
from bench.people import BenchPerson
from bench.storm.client import Client
from bench.storm.record import Record

_OPENING_AT_ONCE = 32
_SPARE_FILES = 100
_LOOK_S = 0.002
_BEAT_S = 0.02
_END_S = 10.0

Pair = tuple[BenchPerson, BenchPerson]


@dataclass(frozen=True, slots=True)
class Plan:
    """The pairs of one worker, idle ones first. `running` is the gateway at which they first meet."""

    pairs: Sequence[Pair]
    idle_pairs: int
    running: tuple[str, int]
    gateways: Sequence[tuple[str, int]]
    jitter_s: float


class Worker:
    """The commands that a scenario can call by name."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._clients = [
            Client(
                me,
                other,
                list(plan.gateways),
                idle=number < plan.idle_pairs,
                advances=number % 2 == 1,
                jitter_s=plan.jitter_s,
            )
            for number, (one, two) in enumerate(plan.pairs)
            for me, other in ((one, two), (two, one))
        ]
        self._talking = itertools.cycle([client for client in self._clients if not client.record.idle])

    async def meet(self) -> None:
        """Sends each pair's first message, which creates its conversation, before any gateway is measured."""

        async def greet(pair: Pair) -> None:
            client = Client(*pair, [self._plan.running], jitter_s=self._plan.jitter_s)
            await client.open()
            client.say()
            await until(lambda: not client.unanswered)
            client.leave()

        await _some_at_a_time([lambda pair=pair: greet(pair) for pair in self._plan.pairs])  # type: ignore[misc]  # mypy cannot infer the default's type

    async def open(self) -> None:
        """Returns when every client is connected and has a mark."""
        await _some_at_a_time([client.open for client in self._clients])

    async def talk(self, rate: float, seconds: float) -> int:
        """Sends messages at a rate, by the clients that are not idle in turn; returns their number."""
        began, said = time.monotonic(), 0
        while (passed := time.monotonic() - began) < seconds:
            while said < passed * rate:
                next(self._talking).say()
                said += 1
            await asyncio.sleep(_BEAT_S)
        return said

    async def burst(self) -> None:
        """Sends a message of each client that is not idle; returns when a tenth is answered: others are half-way."""
        speakers = [client for client in self._clients if not client.record.idle]
        for client in speakers:
            client.say()
        await until(lambda: sum(bool(client.unanswered) for client in speakers) <= 0.9 * len(speakers))

    async def come_back(self, deadline_s: float) -> float:
        """Returns, when all clients of the lost gateway are resumed, this process's CPU seconds meanwhile."""
        began = _cpu_s()
        await until(lambda: all(c.record.lost_at is not None and c.is_ready for c in self._clients), deadline_s)
        return _cpu_s() - began

    async def say_each(self) -> None:
        """Sends a message of every client, idle or not."""
        for client in self._clients:
            client.say()

    async def be_answered(self, deadline_s: float) -> None:
        """Returns when no send waits for its answer."""
        await until(lambda: not any(client.unanswered for client in self._clients), deadline_s)

    async def count_shown(self) -> int:
        """Returns the number of messages of others that clients were shown, each once."""
        return sum(
            len({shown.id for stream in client.record.streams for shown in stream.shown} - own)
            for client in self._clients
            for own in [set(client.record.acknowledged.values())]
        )

    async def report(self) -> list[Record]:
        return [client.record for client in self._clients]


async def _some_at_a_time(work: Sequence[Callable[[], Any]]) -> None:
    waiting = iter(work)

    async def go_on() -> None:
        for start in waiting:
            await start()

    await asyncio.gather(*(go_on() for _ in range(_OPENING_AT_ONCE)))


async def until(condition: Callable[[], bool], deadline_s: float = 30.0) -> bool:
    """Returns whether the condition has come to hold within the time."""
    deadline = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_LOOK_S)
    return True


def _cpu_s() -> float:
    used = psutil.Process().cpu_times()
    return float(used.user + used.system)


async def serve(pipe: Connection, make: Callable[[], object]) -> None:
    """Calls the methods that come over the pipe by name, until the word `end`."""
    worker = make()
    while True:
        name, arguments = await asyncio.to_thread(pipe.recv)
        if name == "end":
            return
        pipe.send(await getattr(worker, name)(*arguments))


def work(pipe: Connection, plan: Plan) -> None:
    """Runs the commands that come, until it is told to end."""
    allow_open_files(2 * len(plan.pairs) + _SPARE_FILES)
    uvloop.run(serve(pipe, lambda: Worker(plan)))


class Crew:
    """The workers of a run, seen from outside: all run each command at the same time."""

    def __init__(self, plans: Sequence[Any], target: Callable[[Connection, Any], None] = work) -> None:
        context = multiprocessing.get_context("spawn")
        self._workers = []
        for plan in plans:
            ours, theirs = context.Pipe()
            process = context.Process(target=target, args=(theirs, plan), daemon=True)
            process.start()
            theirs.close()
            self._workers.append((process, ours))

    def ask(self, name: str, *arguments: Any) -> list[Any]:
        """Returns the result of each worker; raises EOFError when one has ended."""
        for _, pipe in self._workers:
            pipe.send((name, arguments))
        return [pipe.recv() for _, pipe in self._workers]

    def end(self) -> None:
        for process, pipe in self._workers:
            if process.is_alive():
                pipe.send(("end", ()))
            process.join(_END_S)
            process.kill()
