"""CPU time of the measured system by kind of process, user and system together."""

import psutil

KINDS = ("gateway", "api", "persister", "kafka", "postgres", "embedded")

Times = dict[int, tuple[str, float]]
"""The kind and the CPU seconds of each process, by its id."""


def snapshot() -> Times:
    """Returns all processes of the running `make up`; without one, all Klatsch processes of this machine."""
    times: Times = {}
    for process in _candidates():
        try:
            kind = _kind(process)
            if kind is not None:
                used = process.cpu_times()
                times[process.pid] = (kind, used.user + used.system)
        except psutil.Error:
            continue
    return times


def used_between(before: Times, after: Times) -> dict[str, float]:
    """Returns each kind's CPU seconds: of processes that began in between all, of those that ended none."""
    used = dict.fromkeys(KINDS, 0.0)
    for pid, (kind, seconds) in after.items():
        used[kind] += seconds - before.get(pid, (kind, 0.0))[1]
    return used


def _candidates() -> list[psutil.Process]:
    everything = list(psutil.process_iter())
    supervisors = [process for process in everything if _is_supervisor(process)]
    if len(supervisors) != 1:
        return everything
    return [supervisors[0], *supervisors[0].children(recursive=True)]


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
