"""Starts child processes that never outlive this one, and stops them."""

import contextlib
import functools
import os
import queue
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import IO

import psutil

from klatsch.core.parent import die_with

POLL_S = 0.02
# Below the range from which Linux takes ports for outgoing connections (32768 up). A client that retries a port of
# that range while its server is down may connect to itself, and the server could not bind the port again.
_PORTS = range(20_000, 32_000)


class EmbeddedError(Exception):
    """Raised for a problem that the user can fix; the text says how."""


def spawn(
    argv: list[str],
    *,
    env: Mapping[str, str] | None = None,
    text: int = subprocess.DEVNULL,
    output: IO[bytes] | int | None = None,
    user: int | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Starts a child that gets `death_signal` when this process ends in any way, `kill -9` included (Linux).

    The child has its own session: Ctrl-C reaches only this process, which decides the order of stopping.
    """

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            argv,
            env=env,
            stdin=text,
            stdout=output,
            stderr=None if output is None else subprocess.STDOUT,
            user=user,
            group=user if user is None else _group_of(user),
            extra_groups=user if user is None else [],
            start_new_session=True,
            cwd=cwd,
            # Runs after the change of user, which would clear it. Names the parent, which may die before the child
            # asks.
            preexec_fn=functools.partial(die_with, os.getpid(), int(death_signal)),  # noqa: PLW1509 - one C call
        )

    future: Future[subprocess.Popen[bytes]] = Future()
    _forking_thread().put((start, future))
    return future.result()


def run(
    argv: list[str],
    *,
    text: bytes = b"",
    env: Mapping[str, str] | None = None,
    user: int | None = None,
    cwd: Path | None = None,
) -> tuple[int, str]:
    """Runs a child to its end; returns its status and output. It is killed if this process ends first."""
    pipe = subprocess.PIPE
    process = spawn(argv, env=env, text=pipe, output=pipe, user=user, death_signal=signal.SIGKILL, cwd=cwd)
    said, _ = process.communicate(text)
    return process.returncode, said.decode(errors="replace")


_Job = tuple[Callable[[], subprocess.Popen[bytes]], Future[subprocess.Popen[bytes]]]


@functools.lru_cache(maxsize=1)
def _start_forking_thread(_pid: int) -> queue.SimpleQueue[_Job]:
    jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()

    def fork_for_others() -> None:
        while True:
            start, future = jobs.get()
            try:
                future.set_result(start())
            except (OSError, subprocess.SubprocessError) as error:
                future.set_exception(error)
            del start, future

    threading.Thread(target=fork_for_others, name="forks", daemon=True).start()
    return jobs


def _forking_thread() -> queue.SimpleQueue[_Job]:
    """Returns the queue of the one thread that forks: the death signal comes when a child's forking thread ends."""
    return _start_forking_thread(os.getpid())


def _group_of(user: int) -> int:
    import pwd  # noqa: PLC0415 - only where there are users to change to

    return pwd.getpwuid(user).pw_gid


def end(process: subprocess.Popen[bytes] | None, number: signal.Signals, deadline_s: float) -> None:
    """Asks a child to end, and kills it after `deadline_s`."""
    if process is None or process.poll() is not None:
        return
    process.send_signal(number)
    try:
        process.wait(deadline_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def end_leftovers(found: Callable[[psutil.Process], bool], number: signal.Signals, deadline_s: float) -> None:
    """Ends processes that an earlier, killed run left behind; `found` recognizes them among all processes."""
    leftovers = [process for process in psutil.process_iter() if _is(found, process)]
    for process in leftovers:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
    _, alive = psutil.wait_procs(leftovers, deadline_s)
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, deadline_s)


def _is(found: Callable[[psutil.Process], bool], process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and found(process)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def wait_until(
    ready: Callable[[], bool], process: subprocess.Popen[bytes] | None, deadline_s: float, name: str, log: Path
) -> None:
    """Returns when `ready()`; raises EmbeddedError with the log's end when the child died or time ran out."""
    until = time.monotonic() + deadline_s
    while not ready():
        if process is None or process.poll() is not None:
            raise _failed(name, None if process is None else process.returncode, log)
        if time.monotonic() > until:
            raise EmbeddedError(f"{name} was not ready in {deadline_s:g} s. The end of {log}:\n{tail(log)}")
        time.sleep(POLL_S)


def wait_for_success(process: subprocess.Popen[bytes], deadline_s: float, name: str, log: Path) -> None:
    """Returns when the child has ended with 0; raises EmbeddedError with the log's end otherwise."""
    try:
        status = process.wait(deadline_s)
    except subprocess.TimeoutExpired:
        raise EmbeddedError(f"{name} was not finished in {deadline_s:g} s. The end of {log}:\n{tail(log)}") from None
    if status != 0:
        raise _failed(name, status, log)


def _failed(name: str, status: int | None, log: Path) -> EmbeddedError:
    return EmbeddedError(f"{name} failed (status {status}). The end of {log}:\n{tail(log)}")


def tail(log: Path, lines: int = 15) -> str:
    """Returns the last lines of a log for a person to read."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 200 * lines))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except OSError as error:
        return f"(not readable: {error.strerror})"


def free_ports(count: int) -> list[int]:
    """Returns distinct ports of 127.0.0.1 that are free, and gives them to no other process while this one lives."""
    with contextlib.ExitStack() as held:
        ports: list[int] = []
        for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
            if len(ports) == count:
                return ports
            listener = held.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                listener.bind(("127.0.0.1", port))
                _reserve(port)
                ports.append(port)
    raise EmbeddedError(
        f"There is no free port between {_PORTS.start} and {_PORTS.stop} on 127.0.0.1. Stop another program."
    )


def _reserve(port: int) -> None:
    """Keeps a port from being chosen again; raises OSError where a process has chosen it.

    A server starts seconds after its port was chosen, and a stopped one wants its port back.
    """
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0klatsch-port-{port}")  # a name of Linux without a file: it goes with the process
    except OSError:
        name.close()
        raise
    name.detach()  # open until the process ends
