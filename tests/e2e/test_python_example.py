"""examples/python_chat.py works as it is printed there, and again after it has ended."""

import asyncio
import os
import sys
from pathlib import Path

from tests.e2e.client import Client
from tests.e2e.talk import Open
from tests.support.process import HOST, ROOT, GatewayProcess, PersisterProcess
from tests.support.system import Person

_EXAMPLE = ROOT / "examples" / "python_chat.py"
_LIBRARY = ROOT / "clients" / "python"
_DEADLINE_S = 30


class Chat:
    """The example, run by somebody in a folder."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.shown: list[str] = []

    @classmethod
    async def start(cls, gateway: GatewayProcess, person: Person, peer: Person, folder: Path) -> "Chat":
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(_EXAMPLE),
            f"ws://{HOST}:{gateway.port}/ws",
            peer.username,
            cwd=folder,
            env=os.environ | {"KLATSCH_TOKEN": person.token, "PYTHONPATH": str(_LIBRARY), "no_proxy": HOST},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        return cls(process)

    async def type(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        await self._process.stdin.drain()

    async def until(self, shown: str) -> None:
        """Waits for a line with that in it."""
        assert self._process.stdout is not None
        async with asyncio.timeout(_DEADLINE_S):
            while not self.shown or shown not in self.shown[-1]:
                line = await self._process.stdout.readline()
                assert line, f"ended before {shown!r}: {self.shown}"
                self.shown.append(line.decode().strip())

    async def end(self) -> None:
        """Ends it with an empty line."""
        await self.type("")
        async with asyncio.timeout(_DEADLINE_S):
            assert await self._process.wait() == 0


async def test_the_example_sends_shows_and_after_a_restart_shows_what_it_missed(
    gateway_a: GatewayProcess,
    gateway_b: GatewayProcess,
    persister: PersisterProcess,
    ana: Person,
    bob: Person,
    connect: Open,
    tmp_path: Path,
) -> None:
    peer: Client = await connect(gateway_b, bob)
    chat = await Chat.start(gateway_a, ana, bob, tmp_path)
    await chat.type("Hello, Bob")
    await chat.until("sent 1:")
    await peer.received("Hello, Bob")
    await peer.send("Hello, Ana", to=ana.username)
    await chat.until(f"{bob.username}: Hello, Ana")
    await chat.type("/edit Hello, Robert")
    await chat.until(f"{ana.username} has edited: Hello, Robert")
    await chat.type("/delete")
    await chat.until(f"{ana.username} has deleted a message")
    await chat.end()
    await peer.send("Are you there?", to=ana.username)
    again = await Chat.start(gateway_a, ana, bob, tmp_path)
    await again.until("Are you there?")
    assert again.shown == [f"{bob.username}: Are you there?"]
    await again.type("x" * 4_001)
    await again.until("too_long")
    await again.end()
