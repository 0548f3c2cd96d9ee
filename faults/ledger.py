"""The ledger: a line for each fault and for the verdict of each run, in a file that readers can recount."""

import statistics
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec


class FaultLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="line", tag="fault"):
    """A fault. Seconds count from the run's beginning; `recovered_s` from the fault's, None if it never recovered.

    `after_heal_s` is from the moment when this fault and the other of its pair were over: 0 where it was sooner.
    `kills` counts killed brokers, for the faults that may kill one twice.
    """

    run: str
    number: int
    kind: str
    target: str
    at_s: float
    lasted_s: float
    overlaps: int | None
    sends_in_flight: int
    reconnects_in_flight: int
    evidence: str
    bit: bool
    recovered_s: float | None
    after_heal_s: float | None
    limit_s: float
    kills: int = 0


class RunLine(msgspec.Struct, frozen=True, kw_only=True, tag_field="line", tag="run"):
    """The outcome of a run: contradictions by their effect, and numbers of what was seen.

    `undrained` says what did not come to an end, empty where all did.
    """

    run: str
    seed: int
    began: str
    commit: str
    seconds: float
    faults: int
    acknowledged: int
    lost: int
    doubled: int
    reordered: int
    strangers: int
    mixed_up: int
    seen: dict[str, int]
    undrained: str = ""


Line = FaultLine | RunLine
_decode = msgspec.json.Decoder(Line).decode


def append_line(file: Path, line: Line) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as output:
        output.write(msgspec.json.encode(line) + b"\n")


def read_ledger(file: Path) -> list[Line]:
    return [_decode(line) for line in file.read_bytes().splitlines()]


def shortcomings(lines: Iterable[Line]) -> Iterator[str]:
    """Yields I7's contradictions and the reasons why a run proves nothing, each as a sentence."""
    faults: Counter[str] = Counter()
    runs: list[RunLine] = []
    for line in lines:
        if isinstance(line, RunLine):
            runs.append(line)
        else:
            faults[line.run] += 1
            yield from _short_of(line)
    for run in runs:
        if run.undrained:
            yield f"run {run.run}: {run.undrained}"
        if run.acknowledged == 0:
            yield f"run {run.run}: nothing was acknowledged"
        if faults[run.run] != run.faults or not run.faults:
            yield f"run {run.run}: {faults[run.run]} faults are in the ledger, and {run.faults} were made"
        for what in ("lost", "doubled", "reordered", "strangers", "mixed_up"):
            if count := getattr(run, what):
                yield f"run {run.run}: {count} {what}"
    for run_name in faults.keys() - {run.run for run in runs}:
        yield f"run {run_name} has no verdict"


def _short_of(line: FaultLine) -> Iterator[str]:
    name = f"run {line.run}, fault {line.number} ({line.kind})"
    if not line.bit:
        yield f"{name} did not bite: {line.evidence}"
    if not line.sends_in_flight and not line.reconnects_in_flight:
        yield f"{name} came when nothing was in flight"
    if line.after_heal_s is None:
        yield f"{name} was not recovered from"
    elif line.after_heal_s > line.limit_s:
        yield f"{name} took {line.after_heal_s:.1f} s to recover from, and may take {line.limit_s:.0f} s"


def tell(line: Line) -> str:
    """Returns one line for a person to read."""
    if isinstance(line, RunLine):
        return (
            f"run {line.run}: {line.faults} faults in {line.seconds:.0f} s, {line.acknowledged:,} acknowledged; "
            f"{line.lost} lost, {line.doubled} doubled, {line.reordered} reordered, {line.strangers} to strangers, "
            f"{line.mixed_up} mixed up"
        )
    recovered = "never" if line.recovered_s is None else f"{line.recovered_s:.1f} s"
    with_other = "" if line.overlaps is None else f" with {line.overlaps}"
    bitten = "" if line.bit else "DID NOT BITE: "
    return (
        f"{line.number:3}{with_other} {line.kind} of {line.target} at {line.at_s:.0f} s for {line.lasted_s:.1f} s; "
        f"in flight: {line.sends_in_flight} sends, {line.reconnects_in_flight} reconnects; {bitten}{line.evidence}; "
        f"recovered after {recovered}"
    )


def recount(lines: list[Line]) -> Iterator[str]:
    """Returns the sums, by kind and in total, from the lines alone."""
    faults = [line for line in lines if isinstance(line, FaultLine)]
    runs = [line for line in lines if isinstance(line, RunLine)]
    by_kind: dict[str, list[FaultLine]] = {}
    for line in faults:
        by_kind.setdefault(line.kind, []).append(line)
    yield "| fault | times | recovered after, median | most | most, once all was healed |\n|---|---|---|---|---|"
    for kind, of_it in sorted(by_kind.items()):
        took = [line.recovered_s for line in of_it if line.recovered_s is not None] or [float("nan")]
        healed = max((line.after_heal_s for line in of_it if line.after_heal_s is not None), default=float("nan"))
        yield f"| {kind} | {len(of_it)} | {statistics.median(took):.1f} s | {max(took):.1f} s | {healed:.1f} s |"
    if kills := sum(line.kills for line in faults):
        yield f"{kills} kills of a broker by faults that may kill it twice"
    overlapping = sum(line.overlaps is not None for line in faults)
    yield f"{len(faults)} faults of {len(by_kind)} kinds in {len(runs)} runs, {overlapping} of them overlapping another"
    total: Counter[str] = Counter()
    for run in runs:
        for what in ("acknowledged", "lost", "doubled", "reordered", "strangers", "mixed_up"):
            total[what] += getattr(run, what)
        total.update(dict.fromkeys(total, 0))
    yield (
        f"{total['acknowledged']:,} messages acknowledged: {total['lost']} lost, {total['doubled']} doubled, "
        f"{total['reordered']} reordered, {total['strangers']} to strangers, {total['mixed_up']} mixed up"
    )
