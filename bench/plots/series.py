"""Takes what is drawn out of a written report. Knows no drawing library."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

PERCENTILES: Final = ("p50", "p90", "p99", "p999")


@dataclass(frozen=True, slots=True)
class Bars:
    """A bar for each label, made of parts: a number for each label in each part."""

    title: str
    axis: str
    labels: Sequence[str]
    parts: Mapping[str, Sequence[float]]


def rates_of(report: Mapping[str, Any]) -> Bars | None:
    """Returns the rates of all results that have one."""
    results = [one for one in report["results"] if one["counted"]]
    if not results:
        return None
    units = sorted({one["unit"] for one in results})
    labels = [one["title"] for one in results]
    return Bars(_title(report), f"{' or '.join(units)}s a second", labels, {"": [one["per_second"] for one in results]})


def cpu_of(report: Mapping[str, Any]) -> Bars | None:
    """Returns the CPU of one unit by kind of process."""
    results = [one for one in report["results"] if one["cpu_us"]]
    if not results:
        return None
    kinds = sorted({kind for one in results for kind in one["cpu_us"]} - {"total"})
    units = sorted({one["unit"] for one in results})
    parts = {kind: [one["cpu_us"].get(kind, 0.0) for one in results] for kind in kinds}
    return Bars(_title(report), f"µs of CPU a {' or '.join(units)}", [one["title"] for one in results], parts)


def latencies_of(report: Mapping[str, Any]) -> Bars | None:
    """Returns the percentiles of each kind of time, in milliseconds."""
    timed = [
        (f"{one['title']}: {name}", latency)
        for one in report["results"]
        for name, latency in one["latencies"].items()
        if latency
    ]
    if not timed:
        return None
    parts = {p: [latency[p] for _, latency in timed] for p in PERCENTILES}
    return Bars(_title(report), "ms", [label for label, _ in timed], parts)


def _title(report: Mapping[str, Any]) -> str:
    return f"bench {report['arguments']['scenario']}, {report['at'][:10]}, {report['machine']}"
