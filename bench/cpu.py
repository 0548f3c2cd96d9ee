"""CPU time and memory of the measured system by kind of process, user and system together."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import psutil

KINDS: Final = ("gateway", "api", "persister", "kafka", "postgres", "embedded")
_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Seen:
    """A process at one moment."""

    kind: str
    cpu_s: float
    rss_bytes: int


Snapshot = dict[int, Seen]
"""Processes by their ids."""


def snapshot(named: Mapping[int, str] | None = None) -> Snapshot:
    """Returns the processes of the running `make up` and the servers that this process has started.

    That `make up` is the one whose gateway serves KLATSCH_PORT; without it, all Klatsch processes of this machine
    count. `named` gives process ids another kind; their children get it too.
    """
    kinds = _with_children(named or {})
    seen: Snapshot = {}
    for process in _candidates():
        try:
            kind = kinds.get(process.pid) or _kind(process)
            if kind is not None:
                used = process.cpu_times()
                seen[process.pid] = Seen(kind, used.user + used.system, process.memory_info().rss)
        except psutil.Error:
            continue
    return seen


def used_between(before: Snapshot, after: Snapshot) -> dict[str, float]:
    """Returns each kind's CPU seconds: of processes that began in between all, of those that ended none."""
    used = dict.fromkeys(KINDS, 0.0)
    for pid, now in after.items():
        earlier = before[pid].cpu_s if pid in before else 0.0
        used[now.kind] = used.get(now.kind, 0.0) + now.cpu_s - earlier
    return used


def resident_mib(seen: Snapshot) -> dict[str, float]:
    """Returns each kind's memory. PostgreSQL's processes share most of theirs, which is counted in each."""
    total: dict[str, float] = {}
    for process in seen.values():
        total[process.kind] = total.get(process.kind, 0.0) + process.rss_bytes / _MIB
    return {kind: round(mib, 1) for kind, mib in total.items()}


def process_cpu_s(pid: int | None = None) -> float:
    """Returns the CPU seconds that a process, or this one, has used."""
    used = psutil.Process(pid).cpu_times()
    return float(used.user + used.system)


def _with_children(named: Mapping[int, str]) -> dict[int, str]:
    kinds = dict(named)
    for pid, kind in named.items():
        try:
            kinds |= {found.pid: kind for found in psutil.Process(pid).children(recursive=True)}
        except psutil.Error:
            continue
    return kinds


def _candidates() -> list[psutil.Process]:
    everything = list(psutil.process_iter())
    for process in everything:
        if _is_supervisor(process):
            below = process.children(recursive=True)
            if any(_serves(found, os.environ.get("KLATSCH_PORT", "8000")) for found in below):
                return [process, *below, *psutil.Process(os.getpid()).children(recursive=True)]
    return everything


def _serves(process: psutil.Process, port: str) -> bool:
    try:
        command = process.cmdline()
    except psutil.Error:
        return False
    return "gateway" in command and command[-2:] == ["--port", port]


def _is_supervisor(process: psutil.Process) -> bool:
    try:
        command = process.cmdline()
    except psutil.Error:
        return False
    return "klatsch.processes.embedded" in command and "run" not in command


def _kind(process: psutil.Process) -> str | None:
    command = process.cmdline()
    if process.name() == "postgres" or (command and command[0].endswith("/postgres")):
        return "postgres"
    if "kafka.Kafka" in command:
        return "kafka"
    if any(part.endswith("manage.py") for part in command):
        return next((kind for kind in ("gateway", "api", "persister") if kind in command), None)
    return "embedded" if _is_supervisor(process) else None
