"""The bench's pure parts: percentiles, warm-up, CPU by process, what is printed and what is written."""

import json
import re
import shlex
from pathlib import Path

import pytest

from bench.__main__ import SCENARIOS, parse
from bench.cpu import Seen, resident_mib, used_between
from bench.meter import Generator, Used
from bench.percentiles import at, latency_of
from bench.report import Report, Result
from bench.settling import Settling, warm_up

CALM = Generator(cpu_share=0.3, late_p99_ms=1.0)


def used(*generators: Generator) -> Used:
    return Used(10.0, {"gateway": 0.4, "kafka": 0.1}, {"gateway": 81.5}, generators, 1.5, 0.03)


def test_a_percentile_is_the_nearest_rank() -> None:
    values = [float(number) for number in range(1, 1_001)]
    assert [at(values, percent) for percent in (50, 90, 99, 99.9, 100)] == [500, 900, 990, 999, 1_000]
    assert at([7.0], 99.9) == 7.0


def test_latencies_are_milliseconds_of_any_order_of_seconds() -> None:
    latency = latency_of([0.003, 0.001, 0.002])
    assert latency is not None
    assert (latency.samples, latency.p50, latency.p999) == (3, 2.0, 3.0)


def test_there_are_no_latencies_of_nothing() -> None:
    assert latency_of([]) is None


@pytest.mark.parametrize(
    ("rates", "settled"),
    [
        ([], False),
        ([100, 100], False),
        ([100, 100, 100], True),
        ([50, 100, 100], False),
        ([50, 100, 101, 96], True),
        ([100, 105, 111], False),
        ([0, 0, 0], False),
    ],
)
def test_a_rate_has_settled_when_the_last_three_differ_by_a_twentieth_at_most(
    rates: list[float],
    settled: bool,  # noqa: FBT001 - a column of the table
) -> None:
    settling = Settling()
    for rate in rates:
        settling.add(rate)
    assert settling.is_settled is settled


async def rates_of(*rates: float, seconds_most: float) -> tuple[str, int]:
    left = iter(rates)
    asked = 0

    async def measure(_seconds: float) -> float:
        nonlocal asked
        asked += 1
        return next(left)

    return await warm_up(measure, seconds_most), asked


async def test_a_warm_up_ends_when_the_rate_has_settled() -> None:
    assert await rates_of(10, 50, 99, 100, 101, 7, seconds_most=60) == ("settled after 10 s", 5)


async def test_a_warm_up_that_does_not_settle_says_so() -> None:
    assert await rates_of(1, 2, 3, 4, 5, seconds_most=6) == ("not settled after 6 s", 3)


async def test_there_may_be_no_warm_up() -> None:
    assert await rates_of(seconds_most=0) == ("none", 0)


def test_cpu_counts_processes_that_began_meanwhile_and_none_that_ended() -> None:
    before = {1: Seen("gateway", 5.0, 0), 2: Seen("postgres", 3.0, 0)}
    after = {1: Seen("gateway", 5.5, 0), 3: Seen("postgres", 0.25, 0), 4: Seen("redis", 1.0, 0)}
    assert {kind: seconds for kind, seconds in used_between(before, after).items() if seconds} == {
        "gateway": 0.5,
        "postgres": 0.25,
        "redis": 1.0,
    }


def test_memory_is_added_up_by_kind() -> None:
    seen = {1: Seen("api", 0.0, 3 << 20), 2: Seen("api", 0.0, 2 << 20), 3: Seen("kafka", 0.0, 1 << 20)}
    assert resident_mib(seen) == {"api": 5.0, "kafka": 1.0}


def test_a_result_has_its_rate_and_the_cpu_of_one_unit() -> None:
    result = Result("50 pairs", "message", 10_000, 4.0, {"archived": 10_000}, used=used(CALM))
    assert result.per_second == 2_500
    assert result.cpu_us() == {"total": 50.0, "gateway": 40.0, "kafka": 10.0}
    assert result.lines()[0] == "50 pairs: 2,500 messages/s (10,000 archived in 4.0 s)"
    assert "  CPU 50.0 µs a message: gateway 40.0, kafka 10.0" in result.lines()


@pytest.mark.parametrize("limit", [Generator(0.95, 1.0), Generator(0.2, 80.0)])
def test_a_result_that_the_load_generator_limited_says_so(limit: Generator) -> None:
    def shown(*generators: Generator) -> str:
        return "\n".join(Result("x", "message", 1, 1.0, used=used(*generators)).lines())

    assert "LIMITED BY THE LOAD GENERATOR" in shown(CALM, limit)
    assert "LIMITED BY THE LOAD GENERATOR" not in shown(CALM)


def test_a_report_is_written_as_json_with_all_that_was_printed(tmp_path: Path) -> None:
    report = Report({"scenario": "pairs"})
    report.about = {"machine": "2 × none", "servers": {"postgres.fsync": "on"}}
    latencies = {"answer": latency_of([0.001, 0.002]), "delivery": None}
    report.results.append(
        Result("50 pairs", "message", 100, 2.0, {"archived": 100}, latencies, used(CALM), {"out of order": 0}, ["no"])
    )
    report.write(tmp_path / "made" / "bench.json")
    written = json.loads((tmp_path / "made" / "bench.json").read_text())
    assert written["arguments"] == {"scenario": "pairs"}
    assert written["servers"] == {"postgres.fsync": "on"}
    [result] = written["results"]
    assert result["per_second"] == 50.0
    assert result["cpu_us"]["total"] == 5_000.0
    assert result["latencies"] == {
        "answer": {"samples": 2, "p50": 1.0, "p90": 2.0, "p99": 2.0, "p999": 2.0},
        "delivery": None,
    }
    assert result["used"]["generators"] == [{"cpu_share": 0.3, "late_p99_ms": 1.0}]
    assert (result["facts"], result["refused"]) == ({"out of order": 0}, ["no"])


def test_pairs_is_the_scenario_where_none_is_named() -> None:
    assert parse([]).scenario == "pairs"
    assert parse(["--pairs", "3"]).pairs == 3
    assert parse(["storm", "--json", "x.json"]).json == Path("x.json")


def test_peers_are_left_out_unless_asked_for_and_all_are_meant_where_none_is_named() -> None:
    assert [parse(["pairs", *given]).peers for given in ([], ["--peers"], ["--peers", "ejabberd"])] == [
        None,
        [],
        ["ejabberd"],
    ]


ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r'make bench ARGS=(?:"([^"]*)"|([\w-]+))')


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/costs.md"])
def test_every_command_of_the_bench_that_a_document_names_is_understood(document: str) -> None:
    text = " ".join((ROOT / document).read_text().split())
    named = [quoted or bare for quoted, bare in NAMED.findall(text)]
    assert named
    for arguments in named:
        assert parse(shlex.split(arguments)).run is not None


def test_the_page_on_costs_names_every_scenario() -> None:
    text = (ROOT / "docs" / "costs.md").read_text()
    named = {parse(shlex.split(quoted or bare)).scenario for quoted, bare in NAMED.findall(text)}
    assert len(named) == len(SCENARIOS)
