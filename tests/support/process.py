"""One real process of Klatsch, its log in a file of its own for each start."""

import contextlib
import http.client
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from klatsch.embedded import child

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
_START_S = 90
_DEADLINE_S = 60
"""Long: what is slow on a busy machine is not broken, and waiting costs nothing where the condition holds."""
_POLL_S = 0.01


def wait_until(condition: Callable[[], object], what: str, deadline_s: float = _DEADLINE_S) -> None:
    """Returns when the condition holds; fails saying what did not come to be."""
    until_s = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < until_s, f"not within {deadline_s} s: {what}"
        time.sleep(_POLL_S)


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Stops a process (SIGSTOP) while the block runs, and then continues it (SIGCONT), unless it was killed."""
    process = psutil.Process(pid)
    process.suspend()
    try:
        wait_until(lambda: process.status() == psutil.STATUS_STOPPED, f"{process.name()} is stopped")
        yield
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.resume()


def unread_bytes(port: int, pid: int) -> int:
    """Returns how much a process has sent to a port of this machine that its owner has not read, by the kernel."""
    mine = {c.laddr.port for c in psutil.Process(pid).net_connections("tcp") if c.raddr and c.raddr.port == port}
    total = 0
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            _, local, remote, _, queues, *_ = line.split()
            if int(local.rpartition(":")[2], 16) == port and int(remote.rpartition(":")[2], 16) in mine:
                total += int(queues.rpartition(":")[2], 16)
    return total


class Process:
    """`manage.py ARGUMENTS`, started, killed and stopped for real; it ends with the test run, however that ends.

    `program` is what takes the arguments.
    """

    program: Sequence[str] = (sys.executable, str(ROOT / "manage.py"))

    def __init__(self, name: str, arguments: list[str], env: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self._arguments = arguments
        self._env = env
        self._folder = folder
        self._starts = 0
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """Returns what the present or last run has written."""
        return self._folder / f"{self.name}.{self._starts}.log"

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    @property
    def status(self) -> int | None:
        """Returns the exit status."""
        return None if self._child is None else self._child.poll()

    def start(self, **changed: str) -> None:
        """Starts it anew and waits until it is ready; `changed` are settings for this run."""
        process = self.launch(**changed)
        child.wait_until(self.is_ready, process, _START_S, self.name, self.log)

    def launch(self, **changed: str) -> "subprocess.Popen[bytes]":
        """Starts it anew, and waits for nothing."""
        assert not self.is_running()
        self._starts += 1
        argv = [*self.program, *self._arguments]
        with self.log.open("wb") as output:
            self._child = child.spawn(argv, env={**self._env, **changed}, output=output, cwd=ROOT)
        return self._child

    def start_again(self) -> None:
        """Starts it again if it has ended itself, as a supervisor does: a stalled client may leave no other way out."""
        if self._child is not None and not self.is_running() and self.events("process_ended"):
            self.start()

    def is_running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def is_ready(self) -> bool:
        """Returns whether the process does its work already."""
        raise NotImplementedError

    def kill(self) -> None:
        """Kills the process, as `kill -9` does."""
        child.end(self._child, signal.SIGKILL, 5)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Stops the process as an operator does; fails when it has to be killed."""
        child.end(self._child, number, 15)
        assert self._child is None or self._child.returncode == 0, f"{self.name} ended {self._child.returncode}"

    def wake(self) -> None:
        """Continues the process (SIGCONT), which a test may have left stopped."""
        psutil.Process(self.pid).resume()

    def end(self) -> None:
        """Ends the process, whatever state it is in."""
        if self.is_running():
            self.wake()
        child.end(self._child, signal.SIGKILL, 5)

    def events(self, name: str) -> list[dict[str, Any]]:
        """Returns the lines of that event in the log of the present run."""
        lines = (line for line in self.log.read_text(errors="replace").splitlines() if line.startswith("{"))
        found: list[dict[str, Any]] = []
        for line in lines:
            with contextlib.suppress(ValueError):  # the last line may be half written
                found.append(json.loads(line))
        return [event for event in found if event.get("event") == name]


class GatewayProcess(Process):
    """`manage.py gateway` on a port of its own, kept through restarts."""

    def __init__(self, name: str, env: Mapping[str, str], folder: Path) -> None:
        [self.port] = child.free_ports(1)
        super().__init__(name, ["gateway", "--host", HOST, "--port", str(self.port)], env, folder)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def is_ready(self) -> bool:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=2)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK
        return False


class QuickGateway(GatewayProcess):
    """A gateway whose presence ages in seconds (tests/support/quick_gateway.py)."""

    program = (sys.executable, "-m", "tests.support.quick_gateway")


class PersisterProcess(Process):
    """`manage.py persister`; ready when the group has given it something to do."""

    def __init__(self, name: str, env: Mapping[str, str], folder: Path) -> None:
        super().__init__(name, ["persister"], env, folder)

    def is_ready(self) -> bool:
        return bool(self.partitions())

    def partitions(self) -> set[int]:
        """Returns the partitions whose records it stores now, as its log says."""
        held: set[int] = set()
        for event in self._rebalances():
            changed = set(event["partitions"])
            held = held | changed if event["event"] == "assigned" else held - changed
        return held

    def _rebalances(self) -> list[dict[str, Any]]:
        both = [*self.events("assigned"), *self.events("revoked")]
        return sorted(both, key=lambda event: str(event["timestamp"]))
