"""The scripts of deploy/ with a `docker` that only notes what it is asked; tests/compose has a real one."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
_DOCKER = """#!/bin/sh
echo "$*" >> "$NOTES"
case "$*" in
    "compose ps"*) cat "$CONTAINERS" ;;
    "compose up"*) printf 'new1\\nnew2\\n' >> "$CONTAINERS"; [ ! -e "$CONTAINERS.sick" ] ;;
    "rm "*) for last; do :; done; sed -i "/^$last$/d" "$CONTAINERS" ;;
    *pg_dump*) echo dumped ;;
    *--file=/dev/null*) grep -q whole ;;
esac
"""


class Shell:
    """A folder to call the scripts from, and what they have asked of `docker`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._notes = folder / "notes"
        self._notes.touch()
        programs = folder / "bin"
        programs.mkdir()
        (programs / "docker").write_text(_DOCKER)
        (programs / "docker").chmod(0o700)
        self._containers = folder / "containers"
        self._containers.write_text("old1\nold2\n")
        self._env = os.environ | {
            "PATH": f"{programs}:{os.environ['PATH']}", "NOTES": str(self._notes), "CONTAINERS": str(self._containers)
        }  # fmt: skip

    def run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._run(DEPLOY / script, *arguments)

    def run_copy(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a script that changes files of its own installation, which is this folder."""
        (self.folder / "deploy").mkdir(exist_ok=True)
        return self._run(Path(shutil.copy(DEPLOY / script, self.folder / "deploy")), *arguments)

    def _run(self, script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [str(script), *arguments]
        return subprocess.run(argv, cwd=self.folder, env=self._env, capture_output=True, text=True, check=False)

    @property
    def asked(self) -> str:
        return self._notes.read_text()

    @property
    def containers(self) -> list[str]:
        return self._containers.read_text().split()

    def make_new_containers_sick(self) -> None:
        (self.folder / "containers.sick").touch()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.mark.parametrize("content", [None, "cut"])
def test_a_restore_from_a_missing_or_cut_file_touches_neither_the_archive_nor_the_processes(
    shell: Shell, content: str | None
) -> None:
    if content is not None:
        (shell.folder / "archive").write_text(content)
    done = shell.run("restore", "archive")
    assert done.returncode == 1
    assert "Nothing was changed." in done.stderr
    assert "stop" not in shell.asked
    assert "DROP" not in shell.asked


def test_a_restore_reads_the_whole_file_before_it_stops_anything(shell: Shell) -> None:
    (shell.folder / "archive").write_text("whole")
    assert shell.run("restore", "archive").returncode == 0
    steps = ["--file=/dev/null", "stop proxy", "DROP DATABASE", "--create --exit-on-error"]
    assert [shell.asked.index(step) for step in steps] == sorted(shell.asked.index(step) for step in steps)


def test_a_restore_raises_versions_after_the_migration_and_before_any_process_starts(shell: Shell) -> None:
    (shell.folder / "archive").write_text("whole")
    assert shell.run("restore", "archive").returncode == 0
    restored, *later = shell.asked.partition("--create --exit-on-error")[2].split("\ncompose ")[1:]
    assert (restored, later[0]) == ("run --rm --no-deps migrate", "run --rm --no-deps migrate restored")
    assert later[1:] == ["up --detach --wait\n"]


def test_a_backup_is_written_where_its_caller_is(shell: Shell) -> None:
    assert shell.run("backup", "archive").returncode == 0
    assert (shell.folder / "archive").read_text() == "dumped\n"


@pytest.mark.parametrize("script", ["backup", "restore"])
def test_without_a_file_its_use_is_told(shell: Shell, script: str) -> None:
    done = shell.run(script)
    assert (done.returncode, done.stderr) == (2, f"usage: deploy/{script} FILE\n")


@pytest.mark.parametrize("before", ["KLATSCH_PORT=8001", "KLATSCH_PORT=8001\n", ""])
def test_cluster_id_comes_on_a_line_of_its_own_however_the_file_ends(shell: Shell, before: str) -> None:
    (shell.folder / ".env").write_text(before)
    assert shell.run_copy("compose-env").returncode == 0
    *kept, added = (shell.folder / ".env").read_text().splitlines()
    assert kept == before.splitlines()
    assert added.startswith("CLUSTER_ID=k")
    assert shell.run_copy("compose-env").returncode == 0
    assert (shell.folder / ".env").read_text().splitlines() == [*kept, added]


def test_a_roll_that_fails_leaves_exactly_the_containers_that_were_there_before(shell: Shell) -> None:
    shell.make_new_containers_sick()
    assert shell.run("roll", "gateway").returncode == 1
    assert shell.containers == ["old1", "old2"]
    assert "stop" not in shell.asked


def test_a_roll_leaves_the_new_containers_alone(shell: Shell) -> None:
    assert shell.run("roll", "gateway").returncode == 0
    assert shell.containers == ["new1", "new2"]
