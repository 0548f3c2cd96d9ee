"""The first program of the Python client's README, run as it is printed there, from an empty folder."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from tests.unit.client_peer import Peer, serving

pytestmark = pytest.mark.usefixtures("no_proxy")

_CLIENT = Path(__file__).resolve().parents[2] / "clients" / "python"


async def test_the_readmes_program_sends_shows_what_comes_and_says_why_it_ends(tmp_path: Path) -> None:
    sent: list[tuple[str, str]] = []

    async def script(peer: Peer) -> None:
        await peer.welcome()
        body = await peer.accept(5)
        sent.append((body["to"], body["content"]))
        await peer.push(6, "Hello, Ana")
        await peer.socket.close(4401)

    [program] = re.findall(r"```python\n(import .*?)```", (_CLIENT / "README.md").read_text(), re.DOTALL)
    async with serving(script) as url:
        (tmp_path / "program.py").write_text(program.replace("ws://localhost:8000/ws", url))
        running = await asyncio.create_subprocess_exec(
            sys.executable, "program.py", cwd=tmp_path, env=os.environ | {"TOKEN": "t", "PYTHONPATH": str(_CLIENT)},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        shown, failed = await running.communicate()
    assert (sent, shown.decode()) == ([("bob", "Hello, Bob")], "bob: Hello, Ana\n")
    assert "NotAuthenticated: 4401" in failed.decode()
