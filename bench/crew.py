"""Processes that hold many clients, as one core would bound the load; a scenario calls their methods by name."""

import asyncio
import multiprocessing
import time
from collections.abc import Awaitable, Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any, Final

import uvloop

from bench.machine import allow_open_files
from bench.meter import Generator, LoopWatch

_OPENING_AT_ONCE: Final = 32
_SPARE_FILES: Final = 100
_LOOK_S: Final = 0.002
_END_S: Final = 10.0


class Crew:
    """The workers of a run, seen from outside: all run each command at the same time.

    `make` builds a worker of its plan inside a new process; it must be a module's own function.
    """

    def __init__(self, plans: Sequence[Any], make: Callable[[Any], object], connections: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._workers = []
        for plan in plans:
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, make, plan, connections), daemon=True)
            process.start()
            theirs.close()
            self._workers.append((process, ours))

    def ask(self, name: str, *arguments: Any) -> list[Any]:
        """Returns the result of each worker; raises EOFError when one has ended."""
        for _, pipe in self._workers:
            pipe.send((name, arguments))
        return [pipe.recv() for _, pipe in self._workers]

    def begin_watch(self) -> None:
        """Begins to measure the workers' own CPU and how late their loops are."""
        self.ask("begin_watch")

    def end_watch(self) -> list[Generator]:
        return self.ask("end_watch")

    def end(self) -> None:
        for process, pipe in self._workers:
            if process.is_alive():
                pipe.send(("end", ()))
            process.join(_END_S)
            process.kill()


def _work(pipe: Connection, make: Callable[[Any], object], plan: Any, connections: int) -> None:
    allow_open_files(connections + _SPARE_FILES)
    uvloop.run(_serve(pipe, make, plan))


async def _serve(pipe: Connection, make: Callable[[Any], object], plan: Any) -> None:
    """Calls the methods that come over the pipe by name, until the word `end`."""
    worker, watch = make(plan), LoopWatch()
    while True:
        name, arguments = await asyncio.to_thread(pipe.recv)
        if name == "end":
            return
        if name == "begin_watch":
            watch.begin()
            pipe.send(None)
        elif name == "end_watch":
            pipe.send(await watch.end())
        else:
            pipe.send(await getattr(worker, name)(*arguments))


async def some_at_a_time(work: Sequence[Callable[[], Awaitable[Any]]], most: int = _OPENING_AT_ONCE) -> None:
    """Runs all, at most so many at once."""
    waiting = iter(work)

    async def go_on() -> None:
        for start in waiting:
            await start()

    await asyncio.gather(*(go_on() for _ in range(most)))


async def until(condition: Callable[[], bool], deadline_s: float = 30.0) -> bool:
    """Returns whether the condition has come to hold within the time."""
    deadline = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_LOOK_S)
    return True
