"""Describes the machine of a run, and raises its limits."""

import os
import platform
import resource
from pathlib import Path


def describe_machine() -> str:
    info = Path("/proc/cpuinfo")
    models = {line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")}
    memory_gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return (
        f"{os.cpu_count()} × {', '.join(models) or platform.processor()}, {memory_gib:.0f} GiB, "
        f"Linux {platform.release()}, Python {platform.python_version()}"
    )


def describe_load() -> str:
    """Returns the mean number of running processes over the last 1, 5 and 15 minutes."""
    return ", ".join(f"{load:.2f}" for load in os.getloadavg())


def allow_open_files(needed: int) -> None:
    """Raises this process's limit, which its children inherit, as far as allowed; ends the run if it is too low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise SystemExit(
            f"A process of this run needs {needed:,} open files, and {hard:,} is the most it may have: raise that "
            "(`ulimit -Hn`, /etc/security/limits.conf), or ask for fewer --connections."
        )
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
