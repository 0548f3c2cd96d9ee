"""Keeps named children running, and stops them in order on request."""

import contextlib
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Protocol

from klatsch.embedded import child
from klatsch.embedded.child import EmbeddedError

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 10.0
HEALTHY_AFTER_S = 30.0
STOP_DEADLINE_S = 9.0  # of the promised 10 s; one is for killing children and ending this process
_RESERVED_S = 1.0  # of the stop's time, reserved for each child that is still to be stopped
_LONGEST_LINE = 65_536


class Service(Protocol):
    """A service that can be supervised: EmbeddedPostgres, EmbeddedKafka or Program."""

    @property
    def process(self) -> subprocess.Popen[bytes] | None: ...
    @property
    def log(self) -> Path | None: ...

    def start(self) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...


Report = Callable[[str], None]


class Program:
    """A command whose output lines appear on this process's output, behind its name."""

    def __init__(self, name: str, argv: list[str], env: Mapping[str, str], report: Report) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.log: Path | None = None  # its output has been shown already
        self._name = name
        self._argv = argv
        self._env = env
        self._report = report

    def start(self) -> None:
        self.process = child.spawn(self._argv, env=self._env, output=subprocess.PIPE)
        assert self.process.stdout is not None
        threading.Thread(target=self._pass_on, args=(self.process.stdout,), daemon=True).start()

    def terminate(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def kill(self) -> None:
        child.end(self.process, signal.SIGKILL, 1)

    def _pass_on(self, output: IO[bytes]) -> None:
        with output:
            while line := output.readline(_LONGEST_LINE):
                self._report(f"{self._name:<9} | {line.decode(errors='replace').rstrip()}")


class Stopped(BaseException):
    """Raised by a signal to stop. Like KeyboardInterrupt, it is not caught by `except Exception`."""


class StopSignals:
    """Handles SIGINT, SIGTERM and SIGHUP: the first raises Stopped in the main thread, a second sets `hurry`."""

    def __init__(self) -> None:
        self.hurry = threading.Event()
        self._seen = False

    def install(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._arrived)

    def stopping(self) -> None:
        """Makes any further signal a request to hurry, whether or not there was a first."""
        self._seen = True

    def _arrived(self, _number: int, _frame: FrameType | None) -> None:
        if self._seen:
            self.hurry.set()
            return
        self._seen = True
        raise Stopped


@dataclass(slots=True)
class _Watched:
    name: str
    service: Service
    started_s: float
    delay_s: float = FIRST_DELAY_S
    due_s: float | None = None  # the time of its next start; None while it runs


@dataclass(slots=True)
class Supervisor:
    """Restarts children that die, with growing delays; stops them all, the last started first."""

    report: Report
    clock: Callable[[], float] = time.monotonic
    hurry: threading.Event = field(default_factory=threading.Event)
    _watched: list[_Watched] = field(default_factory=list)

    def watch(self, name: str, service: Service) -> None:
        """Supervises a service, started or about to be. Services stop in the reverse order of these calls."""
        self._watched.append(_Watched(name, service, self.clock()))

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        """Watches until `until()`, or until a signal raises Stopped."""
        while not until():
            self.look()
            time.sleep(5 * child.POLL_S)

    def look(self) -> None:
        """Looks at every child once: reports deaths, and starts children that are due."""
        for watched in self._watched:
            process = watched.service.process
            if watched.due_s is None:
                if process is not None and process.poll() is not None:
                    self._note_death(watched, process.returncode)
            elif self.clock() >= watched.due_s:
                self._start_again(watched)

    def stop(self, deadline_s: float = STOP_DEADLINE_S) -> None:
        """Ends all children, one after the other, within `deadline_s` in total; at once when `hurry` is set."""
        until = time.monotonic() + deadline_s
        for after, watched in _counted_down(self._watched):
            watched.service.terminate()
            self._wait_for_end(watched, until - after * _RESERVED_S)
            watched.service.kill()
        self._watched.clear()

    def _wait_for_end(self, watched: _Watched, until: float) -> None:
        process = watched.service.process
        while process is not None and process.poll() is None:
            if self.hurry.is_set():
                return
            if time.monotonic() > until:
                self.report(f"{watched.name} did not stop in time and was killed.")
                return
            time.sleep(child.POLL_S)

    def _note_death(self, watched: _Watched, status: int) -> None:
        if self.clock() - watched.started_s >= HEALTHY_AFTER_S:
            watched.delay_s = FIRST_DELAY_S
        log = watched.service.log
        said = "" if log is None else f" The end of {log}:\n{child.tail(log)}"
        self._postpone(watched, f"{watched.name} ended by itself (status {status});", said)

    def _start_again(self, watched: _Watched) -> None:
        try:
            watched.service.start()
        except (OSError, EmbeddedError) as error:
            self._postpone(watched, f"{watched.name} could not be started: {error};", "")
        else:
            watched.started_s, watched.due_s = self.clock(), None

    def _postpone(self, watched: _Watched, what: str, said: str) -> None:
        self.report(f"{what} restarting it in {watched.delay_s:g} s.{said}")
        watched.due_s = self.clock() + watched.delay_s
        watched.delay_s = min(2 * watched.delay_s, LONGEST_DELAY_S)


def _counted_down(watched: list[_Watched]) -> Iterator[tuple[int, _Watched]]:
    """Yields the watched from last to first, each with the number of those still to come."""
    for index in range(len(watched) - 1, -1, -1):
        yield index, watched[index]


def print_line(line: str) -> None:
    """Prints a line as long as the output is open: a closed terminal must not prevent stopping in order."""
    with contextlib.suppress(OSError, ValueError):
        print(line, flush=True)
