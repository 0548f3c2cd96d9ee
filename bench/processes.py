"""Klatsch's processes of a run, beside those of `make up`, on its data or on data of their own."""

import contextlib
import functools
import http.client
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import psutil

from bench.cpu import process_cpu_s
from klatsch.embedded import child

HOST: Final = "127.0.0.1"
UNLIMITED: Final = {"KLATSCH_REQUESTS_PER_SECOND": "0", "KLATSCH_MESSAGES_PER_SECOND": "0"}
"""Settings of a process whose few people ask as much as it can take."""
_MANAGE: Final = Path(__file__).resolve().parent.parent / "manage.py"
_READY_S: Final = 180.0
_END_S: Final = 15.0
_KIB: Final = 1024


class OwnProcess:
    """A `manage.py gateway`, `persister` or `api`; it ends with this process at the latest."""

    def __init__(self, kind: str, env: Mapping[str, str] | None = None) -> None:
        self.port = child.free_ports(1)[0]
        self._kind = kind
        self._env = {**os.environ, **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @functools.cached_property
    def _log(self) -> Path:
        return Path(tempfile.mkdtemp(prefix="klatsch-bench-")) / f"{self._kind}.log"

    def start(self) -> None:
        """Returns when the process serves."""
        ports = ["--metrics-port", str(self.port)] if self._kind == "persister" else ["--port", str(self.port)]
        with self._log.open("wb") as output:
            process = child.spawn([sys.executable, str(_MANAGE), self._kind, *ports], env=self._env, output=output)
        self._process, self.pid = process, process.pid
        child.wait_until(self._is_ready, process, _READY_S, self._kind, self._log)
        self._seen = psutil.Process(self.pid)

    def kill(self) -> None:
        """Kills the process with SIGKILL; returns when it is gone."""
        child.end(self._process, signal.SIGKILL, _END_S)

    def end(self) -> None:
        child.end(self._process, signal.SIGTERM, _END_S)
        shutil.rmtree(self._log.parent, ignore_errors=True)

    def rss_kib(self) -> float:
        return float(self._seen.memory_info().rss) / _KIB

    def cpu_s(self) -> float:
        return process_cpu_s(self.pid)

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=5)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request(
                "GET", "/livez" if self._kind == "persister" else "/readyz", headers={"Host": "localhost"}
            )
            return connection.getresponse().status == http.HTTPStatus.OK
        return False


@contextlib.contextmanager
def running(processes: Sequence[OwnProcess]) -> Iterator[None]:
    """Starts processes, and ends them."""
    with contextlib.ExitStack() as started:
        for process in processes:
            started.callback(process.end)
            process.start()
        yield
