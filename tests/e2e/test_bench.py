"""Each cheap scenario of the bench runs, with little of everything, and writes what it has counted."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.process import ROOT, GatewayProcess, PersisterProcess
from tests.support.system import System

_DEADLINE_S = 840
"""A scenario starts up to a dozen programs after each other: seconds on an idle machine, minutes on a busy one."""
pytestmark = pytest.mark.timeout(_DEADLINE_S + 60)
_IMPORTED = (str(ROOT / "clients" / "python"), str(ROOT / "channel_layer"))
RunBench = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def run_bench(system: System, gateway_a: GatewayProcess, persister: PersisterProcess, tmp_path: Path) -> RunBench:
    """Runs a scenario against the shared gateway and persister; returns the results that it has written.

    `settings` are those of the bench and the processes that it starts.
    """

    def run(scenario: str, *options: str, **settings: str) -> list[dict[str, Any]]:
        written = tmp_path / "bench.json"
        done = subprocess.run(
            [sys.executable, "-m", "bench", scenario, "--port", str(gateway_a.port), "--json", str(written), *options],
            env={**system.env, **settings, "PYTHONPATH": os.pathsep.join(_IMPORTED)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=_DEADLINE_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        report = json.loads(written.read_text())
        assert report["arguments"]["scenario"] == scenario
        assert report["servers"]["postgres.fsync"] == "on"
        assert report["servers"]["producer.acks"] == "all"
        results: list[dict[str, Any]] = report["results"]
        return results

    return run


def test_pairs_counts_only_what_was_archived(run_bench: RunBench) -> None:
    results = run_bench("pairs", "--pairs", "2", "--window", "4", "--seconds", "0.5", "--warm-up", "0")
    assert [result["title"].split(", ")[1] for result in results] == ["2 pairs", "1 pair", "2 pairs"]
    for result in results:
        assert 0 < result["counted"] == result["counts"]["archived"] == result["counts"]["delivered"]
        assert result["latencies"]["delivery"] is None or result["latencies"]["delivery"]["p50"] > 0
        assert result["facts"]["out of order (0 wanted)"] == 0
        assert result["cpu_us"]["gateway"] > 0


def test_mixed_sends_edits_reacts_and_marks(run_bench: RunBench) -> None:
    [result] = run_bench("mixed", "--people", "6", "--members", "4", "--seconds", "1", "--warm-up", "0")
    assert 0 < result["counted"] == result["counts"]["archived"] == result["counts"]["send"]


def test_changes_counts_reactions_and_edits(run_bench: RunBench) -> None:
    results = run_bench("changes", "--people", "2", "--seconds", "0.5", "--warm-up", "0")
    assert [result["unit"] for result in results] == ["react", "edit"]
    assert all(result["counted"] > 0 for result in results)


def test_markers_are_all_told(run_bench: RunBench) -> None:
    [result] = run_bench("markers", "--people", "2", "--messages", "10", "--seconds", "1")
    assert result["counted"] > 0
    assert result["facts"]["writers who did not hear of the last mark (0 wanted)"] == 0


def test_fan_out_counts_a_delivery_to_each_connection(run_bench: RunBench) -> None:
    [result] = run_bench("fan-out", "--connections", "10", "--gateways", "2", "--seconds", "0.5")
    assert result["counted"] == 10 * result["counts"]["messages"] > 0
    assert result["latencies"]["last"]["p99"] >= result["latencies"]["delivery"]["p50"]


def test_idle_tells_the_memory_of_a_connection(run_bench: RunBench) -> None:
    [result] = run_bench("idle", "--connections", "20", "--seconds", "1")
    assert result["facts"]["RSS of a connection (KiB, at most 32 wanted)"] > 0


def test_connect_counts_handshakes(run_bench: RunBench) -> None:
    [result] = run_bench("connect", "--people", "4", "--seconds", "0.5")
    assert result["counted"] == result["latencies"]["connect"]["samples"] > 0


def test_hellos_times_a_pair_beside_people_with_many_conversations(run_bench: RunBench) -> None:
    [result] = run_bench("hellos", "--people", "2", "--conversations", "50", "--rounds", "1", "--rate", "20")
    assert result["counted"] == result["latencies"]["hello"]["samples"] == 2
    assert result["latencies"]["quiet"]["samples"] > 0


def test_rest_counts_only_what_was_archived(run_bench: RunBench) -> None:
    [result] = run_bench("rest", "--people", "2", "--seconds", "0.5", "--warm-up", "0")
    assert 0 < result["counted"] == result["counts"]["archived"]
    assert result["cpu_us"]["own api"] > 0


def test_catch_up_counts_the_rows_of_a_persister_behind_its_log(run_bench: RunBench) -> None:
    [result] = run_bench("catch-up", "--rows", "300", "--pairs", "2", KLATSCH_MESSAGES_PER_SECOND="10")
    assert result["counts"]["archived"] == result["counts"]["sent"] >= 300


def test_history_shows_a_plan_that_reads_by_an_index(run_bench: RunBench) -> None:
    results = run_bench("history", "--messages", "1000", "2000", "--pages", "5")
    assert [result["counted"] for result in results] == [5, 5]
    for result in results:
        plan = [line for name, line in result["facts"].items() if name.startswith("EXPLAIN")]
        assert any("Index" in line for line in plan), plan
        assert not any("Seq Scan on messaging_message" in line for line in plan), plan
