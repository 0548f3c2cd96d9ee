"""Measures a part of a run: CPU and memory by process, what the load generator itself used, and the machine's load."""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import psutil

from bench.cpu import Snapshot, process_cpu_s, resident_mib, snapshot, used_between
from bench.percentiles import at

_LOOK_S: Final = 0.01
_SHARE_MOST: Final = 0.8
_LATE_MOST_MS: Final = 50.0


@dataclass(frozen=True, slots=True)
class Generator:
    """A load generator's process: its CPU as a share of a core, and how late its event loop came to what was due."""

    cpu_share: float
    late_p99_ms: float

    @property
    def is_limit(self) -> bool:
        """Returns whether the rate or the latencies may be the generator's instead of the system's."""
        return self.cpu_share > _SHARE_MOST or self.late_p99_ms > _LATE_MOST_MS


@dataclass(frozen=True, slots=True)
class Used:
    """The resources that a part of a run used. `others_share`: other processes of this machine, of all its cores."""

    seconds: float
    cpu_s: dict[str, float]
    rss_mib: dict[str, float]
    generators: Sequence[Generator]
    load_1min: float
    others_share: float


@dataclass(slots=True)
class LoopWatch:
    """Measures how late the running event loop comes: a task sleeps 10 ms, and notes how much longer it was."""

    lates_s: list[float] = field(default_factory=list)
    _task: "asyncio.Task[None] | None" = None
    _began_s: float = 0.0
    _cpu_s: float = 0.0

    def begin(self) -> None:
        self.lates_s, self._began_s, self._cpu_s = [], time.perf_counter(), process_cpu_s()
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def end(self) -> Generator:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        took = time.perf_counter() - self._began_s
        late = at(sorted(self.lates_s), 99) if self.lates_s else 0.0
        return Generator(round((process_cpu_s() - self._cpu_s) / took, 3), round(late * 1_000, 2))

    async def _watch(self) -> None:
        while True:
            due = time.perf_counter() + _LOOK_S
            await asyncio.sleep(_LOOK_S)
            self.lates_s.append(max(0.0, time.perf_counter() - due))


class Meter:
    """Measures from `begin` to `end`. `named`: see `bench.cpu.snapshot`; `only`: the kinds that count, else all."""

    def __init__(self, named: Callable[[], Mapping[int, str]] | None = None, only: Sequence[str] = ()) -> None:
        self._named = named or dict
        self._only = frozenset(only)
        self._before: Snapshot = {}
        self._began_s = self._busy_s = self._own_s = 0.0

    def begin(self) -> None:
        self._before, self._own_s = snapshot(self._named()), _own_tree_s()
        self._began_s, self._busy_s = time.perf_counter(), _busy_s()

    def end(self, generators: Sequence[Generator] = ()) -> Used:
        took, busy = time.perf_counter() - self._began_s, _busy_s() - self._busy_s
        after = snapshot(self._named())
        used = used_between(self._before, after)
        ours = sum(used.values()) + max(0.0, _own_tree_s() - self._own_s)
        return Used(
            round(took, 3),
            {kind: seconds for kind, seconds in used.items() if seconds and (kind in self._only or not self._only)},
            {kind: mib for kind, mib in resident_mib(after).items() if kind in self._only or not self._only},
            list(generators),
            round(os.getloadavg()[0], 2),
            round(max(0.0, busy - ours) / took / (os.cpu_count() or 1), 3),
        )


def _busy_s() -> float:
    """Returns the CPU seconds of all processes of the machine since it started."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)


def _own_tree_s() -> float:
    """Returns the CPU seconds of this process and of its children that are no servers of a system."""
    seen = snapshot()
    total = process_cpu_s()
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if process.pid not in seen:
                used = process.cpu_times()
                total += used.user + used.system
    return total
