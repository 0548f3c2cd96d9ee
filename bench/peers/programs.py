"""Starts and ends a peer's server programs; they end with this process at the latest."""

import contextlib
import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.systems import NotInstalled
from klatsch.embedded import child

HOST: Final = "127.0.0.1"
_READY_S: Final = 240.0
_END_S: Final = 10.0


class Program:
    """A server that is ready when it accepts connections at its port. `folder` is removed with it."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.port = child.free_ports(1)[0]
        self.pid = 0
        self._process: subprocess.Popen[bytes] | None = None

    @functools.cached_property
    def folder(self) -> Path:
        """The program's own folder, made on first use."""
        return Path(tempfile.mkdtemp(prefix=f"klatsch-bench-{self.kind}-"))

    def start(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path | None = None) -> None:
        """Returns when the server accepts connections."""
        log = self.folder / "output.log"
        with log.open("wb") as output:
            self._process = child.spawn(list(argv), env=env, output=output, cwd=cwd or self.folder)
        self.pid = self._process.pid
        child.wait_until(self._accepts, self._process, _READY_S, self.kind, log)

    def end(self) -> None:
        child.end(self._process, signal.SIGTERM, _END_S)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _accepts(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), 1):
            return True
        return False


def find_program(name: str, how: str) -> str:
    """Returns a program's path, in this virtual environment first; raises NotInstalled, which says how to get it."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    found = shutil.which(name, path=programs)
    if found is None:
        raise NotInstalled(f"{name} is not installed: {how}")
    return found


def version_of(argv: Sequence[str]) -> str:
    """Returns the first line that a program prints."""
    said = subprocess.run(list(argv), capture_output=True, text=True, check=False)
    return (said.stdout or said.stderr).strip().splitlines()[0]
