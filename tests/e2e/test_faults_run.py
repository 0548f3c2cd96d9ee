"""A short `make faults` on servers of its own: several faults in overlapping pairs, and nothing is lost."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from faults.ledger import FaultLine, read_ledger, shortcomings
from tests.support.process import ROOT

_SEED = 11


@pytest.mark.timeout(480)
def test_a_few_faults_lose_double_and_reorder_nothing_and_show_nothing_to_strangers(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    argv = [sys.executable, "-m", "faults", "--seed", str(_SEED), "--minutes", "0.35", "--faults", "4", "--talks", "16"]
    done = subprocess.run(
        [*argv, "--rate", "120", "--ledger", str(ledger)], cwd=ROOT, env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    lines = read_ledger(ledger)
    assert list(shortcomings(lines)) == []
    assert sum(isinstance(line, FaultLine) for line in lines) >= 4
