"""Describes the machine of a run, and raises its limits."""

import os
import platform
import resource
from pathlib import Path


def describe_machine() -> str:
    info = Path("/proc/cpuinfo")
    models = {line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")}
    return f"{os.cpu_count()} × {', '.join(models) or platform.processor()}, Python {platform.python_version()}"


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
