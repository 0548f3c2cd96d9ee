"""Draws written reports into docs/images/: rates, CPU by process, and latencies of each.

For example: make bench-plots ARGS="pairs.json fan-out.json"
"""

import argparse
import json
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure

from bench.plots.series import Bars, cpu_of, latencies_of, rates_of

_FOLDER: Final = Path(__file__).resolve().parents[2] / "docs" / "images"
_INCHES_WIDE: Final = 10
_INCHES_A_BAR: Final = 0.4
_INCHES_AROUND: Final = 1.4
_SPREAD_FOR_LOGARITHMS: Final = 20


def draw_stacked(bars: Bars, file: Path) -> None:
    """Draws a bar for each label, its parts one after the other."""
    figure, axes = _begin(bars, len(bars.labels))
    left = [0.0] * len(bars.labels)
    for part, values in bars.parts.items():
        axes.barh(bars.labels, values, left=left, label=part or None)
        left = [begin + value for begin, value in zip(left, values, strict=True)]
    _use_logarithms(axes, left if len(bars.parts) == 1 else [])
    _finish(bars, figure, axes, file)


def draw_percentiles(bars: Bars, file: Path) -> None:
    """Draws the percentiles of each label as points on a line."""
    figure, axes = _begin(bars, len(bars.labels))
    for part, values in bars.parts.items():
        axes.plot(values, bars.labels, marker="o", linestyle="none", label=part.replace("p999", "p99.9"))
    _use_logarithms(axes, [value for values in bars.parts.values() for value in values])
    axes.grid(axis="x", alpha=0.3)
    _finish(bars, figure, axes, file)


def _begin(bars: Bars, count: int) -> tuple[Any, Any]:
    figure = Figure(figsize=(_INCHES_WIDE, _INCHES_AROUND + _INCHES_A_BAR * count), layout="constrained")
    axes = figure.subplots()
    axes.set_xlabel(bars.axis)
    axes.set_title(bars.title, fontsize=9)
    return figure, axes


def _use_logarithms(axes: Any, values: list[float]) -> None:
    positive = [value for value in values if value > 0]
    if positive and max(positive) > _SPREAD_FOR_LOGARITHMS * min(positive):
        axes.set_xscale("log")


def _finish(bars: Bars, figure: Any, axes: Any, file: Path) -> None:
    axes.invert_yaxis()
    if any(bars.parts):
        axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)
    print(file)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.plots", description=__doc__)
    parser.add_argument("reports", type=Path, nargs="+", metavar="FILE", help="written by --json")
    parser.add_argument("--folder", type=Path, default=_FOLDER, help="where the pictures go (default: docs/images)")
    arguments = parser.parse_args()
    for file in arguments.reports:
        report = json.loads(file.read_text(encoding="utf-8"))
        name = f"bench-{file.stem.removeprefix('bench-')}"
        for what, bars in (("rates", rates_of(report)), ("cpu", cpu_of(report))):
            if bars is not None:
                draw_stacked(bars, arguments.folder / f"{name}-{what}.png")
        latencies = latencies_of(report)
        if latencies is not None:
            draw_percentiles(latencies, arguments.folder / f"{name}-latencies.png")


if __name__ == "__main__":
    main()
