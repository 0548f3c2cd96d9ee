"""A program that Node runs beside the system, spoken to in lines."""

import asyncio
import contextlib
import json
import os
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from tests.support.node import NODE

_DEADLINE_S = 60.0


class NodeProgram:
    """Keeps what the program prints; `said` holds those lines that are JSON objects."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.printed = ""
        self.said: list[dict[str, Any]] = []

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Reads on until the condition is true; fails when the program ends before, with what it printed."""
        try:
            async with asyncio.timeout(_DEADLINE_S):
                while not condition():
                    assert await self._read(), f"ended before {what}:\n{self.printed[-4_000:]}"
        except TimeoutError:
            raise AssertionError(f"not in {_DEADLINE_S} s: {what}; printed:\n{self.printed[-4_000:]}") from None

    async def _read(self) -> bool:
        assert self._process.stdout is not None
        line = (await self._process.stdout.readline()).decode()
        self.printed += line
        with contextlib.suppress(ValueError):
            self.said.append(json.loads(line))
        return bool(line)

    async def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        await self._process.stdin.drain()

    async def end_of_input(self) -> int:
        """Tells the program nothing more; returns its exit code when it has ended."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        async with asyncio.timeout(_DEADLINE_S):
            while await self._read():
                continue
            return await self._process.wait()


@contextlib.asynccontextmanager
async def node_program(
    script: Path, *arguments: str, cwd: Path | None = None, **env: str
) -> AsyncIterator[NodeProgram]:
    """Runs it, and ends it with the block, whatever state it is in."""
    process = await asyncio.create_subprocess_exec(
        NODE, script, *arguments, env=os.environ | env, cwd=cwd, stdin=PIPE, stdout=PIPE, stderr=STDOUT, limit=2**24
    )
    try:
        yield NodeProgram(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
