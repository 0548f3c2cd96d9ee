"""Results of a run: printed as they come, and written as JSON at its end. All scenarios print through this file."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.machine import describe_load, describe_machine
from bench.meter import Generator, Used
from bench.percentiles import Latency
from bench.servers import read_servers

Fact = float | int | str


@dataclass(slots=True)
class Result:
    """One measured part of a run.

    `counted` is the number of `unit`s that the rate and the CPU stand for: of messages, only those that were found in
    the archive afterwards. `facts` are further figures by name, such as `"lost (0 wanted)"`.
    """

    title: str
    unit: str
    counted: int
    seconds: float
    counts: Mapping[str, int] = field(default_factory=dict)
    latencies: Mapping[str, Latency | None] = field(default_factory=dict)
    used: Used | None = None
    facts: Mapping[str, Fact] = field(default_factory=dict)
    refused: Sequence[str] = ()

    @property
    def units(self) -> str:
        return f"{self.unit[:-1]}ies" if self.unit.endswith("y") else f"{self.unit}s"

    @property
    def per_second(self) -> float:
        return self.counted / self.seconds if self.seconds else 0.0

    def cpu_us(self) -> dict[str, float]:
        """Returns the CPU of each kind of process in microseconds for one unit, and their `total`."""
        if self.used is None or not self.counted:
            return {}
        each = {kind: round(seconds / self.counted * 1e6, 2) for kind, seconds in self.used.cpu_s.items()}
        return {"total": round(sum(each.values()), 2), **each}

    def lines(self) -> list[str]:
        """Returns what is printed."""
        counts = ", ".join(f"{count:,} {name}" for name, count in self.counts.items())
        rate = f"{self.per_second:,.0f} {self.units}/s ({counts + ' ' if counts else ''}in {self.seconds:.1f} s)"
        lines = [f"{self.title}: {rate}" if self.counted else self.title]
        lines += [f"  {name:8} {_show_latency(one)}" for name, one in self.latencies.items() if one]
        lines += [f"  {name}: {_show(value)}" for name, value in self.facts.items()]
        if self.used is not None:
            lines += self._show_used(self.used)
        if self.refused:
            lines.append(f"  {len(self.refused)} were refused, the first: {self.refused[0]}")
        return lines

    def _show_used(self, used: Used) -> list[str]:
        each = self.cpu_us()
        total = each.pop("total", 0.0)
        cpu = ", ".join(f"{kind} {us:,.1f}" for kind, us in each.items())
        lines = [f"  CPU {total:,.1f} µs a {self.unit}: {cpu}"] if each else []
        lines.append("  RSS MiB: " + ", ".join(f"{kind} {mib:,.0f}" for kind, mib in used.rss_mib.items()))
        lines += _show_generators(used.generators)
        lines.append(f"  machine: load {used.load_1min}, {used.others_share:.0%} of it used by other processes")
        return lines

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"per_second": round(self.per_second, 2), "cpu_us": self.cpu_us()}


@dataclass(slots=True)
class Report:
    """The results of one run of the program, and where it ran."""

    arguments: Mapping[str, Any]
    results: list[Result] = field(default_factory=list)
    about: dict[str, Any] = field(default_factory=dict)

    def begin(self, *, servers: Mapping[str, str] | None = None) -> None:
        """Prints and notes the machine, and the servers' settings as read from them."""
        self.about = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": describe_machine(),
            "load": describe_load(),
            "servers": dict(read_servers() if servers is None else servers),
        }
        print(f"machine: {self.about['machine']}; load {self.about['load']}")
        self.tell_settings("servers", self.about["servers"])

    def tell_settings(self, name: str, settings: Mapping[str, str]) -> None:
        """Prints and notes settings, of a peer for example."""
        self.about[name] = dict(settings)
        print(f"{name}: " + ", ".join(f"{key}={value}" for key, value in settings.items()), flush=True)

    def add(self, result: Result) -> None:
        """Prints a result at once."""
        self.results.append(result)
        print("\n" + "\n".join(result.lines()), flush=True)

    def write(self, path: Path) -> None:
        """Writes all results as JSON; `bench.plots` reads this."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.as_json(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"\nwritten: {path}", file=sys.stderr)

    def as_json(self) -> dict[str, Any]:
        return {"arguments": dict(self.arguments), **self.about, "results": [one.as_json() for one in self.results]}


def _show_latency(latency: Latency) -> str:
    return ", ".join(
        f"{name} {value:.1f} ms"
        for name, value in (("p50", latency.p50), ("p90", latency.p90), ("p99", latency.p99), ("p99.9", latency.p999))
    )


def _show(value: Fact) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def _show_generators(generators: Sequence[Generator]) -> list[str]:
    shares = ", ".join(
        f"{one.cpu_share:.0%} of a core, its loop late by p99 {one.late_p99_ms:.1f} ms" for one in generators
    )
    lines = [f"  load generator: {shares}"] if shares else []
    if any(one.is_limit for one in generators):
        lines.append("  LIMITED BY THE LOAD GENERATOR (or by other processes): the system may be faster than this")
    return lines
