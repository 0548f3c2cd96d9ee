"""Gateways of a run, beside the running Klatsch: one to kill, and one to come back to."""

import contextlib
import http.client
import os
import signal
import sys
import tempfile
from pathlib import Path

import psutil

from klatsch.embedded import child

HOST = "127.0.0.1"
_MANAGE = Path(__file__).resolve().parents[2] / "manage.py"
_READY_S = 60.0
_END_S = 15.0
_KIB = 1024


class OwnGateway:
    """A `manage.py gateway`; it ends with this process at the latest."""

    def __init__(self, name: str, settings: dict[str, str]) -> None:
        self.name = name
        self.port = child.free_ports(1)[0]
        self._log = Path(tempfile.mkdtemp(prefix="klatsch-bench-")) / f"{name}.log"
        self._env = {**os.environ, **settings}

    def start(self) -> None:
        """Returns when the gateway serves."""
        argv = [sys.executable, str(_MANAGE), "gateway", "--host", HOST, "--port", str(self.port)]
        with self._log.open("wb") as output:
            self._process = child.spawn(argv, env=self._env, output=output)
        child.wait_until(self._is_ready, self._process, _READY_S, f"gateway {self.name}", self._log)
        self._seen = psutil.Process(self._process.pid)

    def kill(self) -> None:
        """Kills the gateway with SIGKILL; returns when it is gone."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        child.end(self._process, signal.SIGTERM, _END_S)
        self._log.unlink()
        self._log.parent.rmdir()

    def rss_kib(self) -> float:
        return float(self._seen.memory_info().rss) / _KIB

    def cpu_s(self) -> float:
        used = self._seen.cpu_times()
        return float(used.user + used.system)

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=5)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/readyz", headers={"Host": "localhost"})
            return connection.getresponse().status == http.HTTPStatus.OK
        return False
