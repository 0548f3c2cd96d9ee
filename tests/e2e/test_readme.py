"""README.md's blocks work as they are printed: they run against real processes, on their own port."""

import asyncio
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.conftest import OpenRest
from tests.support.process import GatewayProcess, PersisterProcess
from tests.support.system import Person, System

_README = (Path(__file__).resolve().parents[2] / "README.md").read_text()
_DEADLINE_S = 60


def _blocks(language: str) -> list[str]:
    """Returns the fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", _README, re.MULTILINE | re.DOTALL)


SESSION, RUN_CLIENT = _blocks("bash")
[CLIENT] = _blocks("python")


class Terminal:
    """A shell in an empty folder with a `.venv`, into which somebody has pasted text from README.md."""

    def __init__(self, shell: asyncio.subprocess.Process) -> None:
        self._shell = shell
        self.shown = ""

    @classmethod
    async def paste(cls, text: str, folder: Path, port: int) -> "Terminal":
        """Runs `text` in bash, which ends at the first command that fails; only the port is another."""
        (folder / ".venv").symlink_to(sys.prefix)
        (folder / "client.py").write_text(_on_port(CLIENT, port))
        shell = await asyncio.create_subprocess_exec(
            "bash",
            "-euo",
            "pipefail",
            "-c",
            _on_port(text, port),
            cwd=folder,
            env=os.environ | {"PYTHONUNBUFFERED": "1", "NO_PROXY": "localhost", "no_proxy": "localhost"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        return cls(shell)

    async def until(self, pattern: str) -> None:
        """Waits until the pattern is shown."""
        assert self._shell.stdout is not None
        try:
            async with asyncio.timeout(_DEADLINE_S):
                while not re.search(pattern, self.shown):
                    read = await self._shell.stdout.read(65_536)
                    assert read, f"ended before {pattern}:\n{self.shown}"
                    self.shown += read.decode()
        except TimeoutError:
            raise AssertionError(f"not shown: {pattern}; but:\n{self.shown}") from None

    async def close(self) -> None:
        """Ends the shell and what runs in it."""
        if self._shell.returncode is None:
            os.killpg(self._shell.pid, signal.SIGKILL)
        await self._shell.communicate()


def _on_port(text: str, port: int) -> str:
    return text.replace("localhost:8000", f"localhost:{port}")


@pytest.fixture
async def terminal(gateway_a: GatewayProcess, persister: PersisterProcess, tmp_path: Path) -> AsyncIterator[Terminal]:
    """Pastes the REST session and then the WebSocket client, one after the other."""
    if missing := [tool for tool in ("bash", "curl") if shutil.which(tool) is None]:
        pytest.skip(f"README.md's session needs {' and '.join(missing)}")
    opened = await Terminal.paste(SESSION + RUN_CLIENT, tmp_path, gateway_a.port)
    yield opened
    await opened.close()


async def test_the_session_and_the_client_of_the_readme_work_as_printed(
    terminal: Terminal, system: System, gateway_a: GatewayProcess, carol: Person, rest: OpenRest
) -> None:
    await terminal.until(r'"re":2,"ok":\{"id":"[0-9a-f-]{36}","position":"1:\d+:\d+","duplicate":false\}')
    await rest(gateway_a, carol).send("ana", "Hello, Ana")
    await terminal.until(r'"t":"message",.*"content":"Hello, Ana"')

    assert '"username":"ana"' in terminal.shown
    assert '"username":"bob"' in terminal.shown
    assert re.search(r'\{"results":\[\{[^{]*"content":"Hello, Bob"[^{]*"seq":1,.*\}\],"next":null', terminal.shown)
    system.wait_archived()
    assert system.rows(
        "SELECT content FROM messaging_message m JOIN accounts_user u ON u.id = m.receiver_id "
        "WHERE u.username = 'bob' ORDER BY seq"
    ) == [("Hello, Bob",), ("Hello over a WebSocket",)]
