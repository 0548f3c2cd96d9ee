"""CPU time by kind of process, of everything that serves: seconds, user and system together."""

import psutil

KINDS = ("gateway", "api", "persister", "kafka", "postgres", "embedded")


def snapshot() -> dict[str, float]:
    """The CPU seconds so far of each kind; processes that end in between are missed."""
    seconds = dict.fromkeys(KINDS, 0.0)
    for process in psutil.process_iter():
        try:
            kind = _kind(process)
            if kind is not None:
                times = process.cpu_times()
                seconds[kind] += times.user + times.system
        except psutil.Error:
            continue
    return seconds


def _kind(process: psutil.Process) -> str | None:
    command = process.cmdline()
    name = process.name()
    if name == "postgres" or (command and command[0].endswith("/postgres")):
        return "postgres"
    if "kafka.Kafka" in command:
        return "kafka"
    if any(part.endswith("manage.py") for part in command):
        return next((kind for kind in ("gateway", "api", "persister") if kind in command), None)
    return "embedded" if "klatsch.processes.embedded" in command else None
