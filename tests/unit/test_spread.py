"""Tests that are spread over workers: what each worker has for itself, and what the whole run says of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.process import ROOT

_NOTES_ITS_SERVERS = """
import os, pathlib, time
import pytest

@pytest.mark.parametrize("number", range(2))
def test_servers(number):
    note = pathlib.Path(f"{number}.note")
    own = ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS", "KLATSCH_SECRET_KEY")
    note.write_text("\\n".join(os.environ[name] for name in own))
    other, until = pathlib.Path(f"{1 - number}.note"), time.monotonic() + 60
    while not other.exists():
        assert time.monotonic() < until, "both tests run in the same worker"
"""
_LEAVES_A_PROCESS = """
import subprocess, sys

def test_leaves_a_process():
    code = "import time; print(flush=True); time.sleep(100)"
    left = subprocess.Popen([sys.executable, "-Sc", code], stdout=subprocess.PIPE, start_new_session=True)
    left.stdout.readline()  # a process that is just being started shows no settings yet
"""
_SPREAD = ("-n", "2", "--dist", "worksteal")


def _run(folder: Path, source: str, *arguments: str, **named: str) -> "subprocess.CompletedProcess[str]":
    """Runs tests as a run of its own, with the plugin of all tests; `named` are servers that the caller names."""
    (folder / "test_of_a_run.py").write_text(source)
    (folder / "pytest.ini").write_text("[pytest]\n")
    ours = {"DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS", "KLATSCH_SECRET_KEY", "TESTS_FOLDER", "PYTEST_ADDOPTS"}
    env = {n: v for n, v in os.environ.items() if n not in ours and not n.startswith("PYTEST_XDIST")}
    env |= {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **named}
    argv = [sys.executable, "-m", "pytest", "-p", "xdist", "-p", "tests.support.services", *arguments]
    return subprocess.run(argv, env=env, cwd=folder, capture_output=True, text=True, check=False)


def test_each_worker_has_servers_and_a_key_of_its_own(tmp_path: Path) -> None:
    done = _run(tmp_path, _NOTES_ITS_SERVERS, *_SPREAD)
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = ((tmp_path / f"{number}.note").read_text().splitlines() for number in range(2))
    assert all(one != other for one, other in zip(first, second, strict=True))


def test_what_a_worker_leaves_behind_fails_the_whole_run(tmp_path: Path) -> None:
    done = _run(tmp_path, _LEAVES_A_PROCESS, *_SPREAD)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "This run left behind: psutil.Process(" in done.stdout


@pytest.mark.parametrize("name", ["DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS"])
def test_servers_that_the_caller_names_are_not_shared_by_workers(tmp_path: Path, name: str) -> None:
    done = _run(tmp_path, _LEAVES_A_PROCESS, *_SPREAD, **{name: "elsewhere"})
    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout + done.stderr
    assert f"{name} names a server that several workers would share: add -n 0." in done.stderr + done.stdout


def test_a_file_that_was_chosen_runs_without_workers(tmp_path: Path) -> None:
    done = _run(tmp_path, "def test_nothing(): pass", "-n", "auto", "test_of_a_run.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "created:" not in done.stdout
