"""Percentiles of measured times, by the nearest rank: every figure is a time that was measured."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Latency:
    """Times of one kind, in milliseconds. `samples` is their number; with few, p99.9 is the longest."""

    samples: int
    p50: float
    p90: float
    p99: float
    p999: float


def at(ordered: Sequence[float], percent: float) -> float:
    """Returns that percentile of sorted values, by the nearest rank."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def latency_of(seconds: Iterable[float]) -> Latency | None:
    """Returns the percentiles of times in seconds; None without any."""
    ordered = sorted(seconds)
    if not ordered:
        return None
    p50, p90, p99, p999 = (round(at(ordered, percent) * 1_000, 3) for percent in (50, 90, 99, 99.9))
    return Latency(len(ordered), p50, p90, p99, p999)
