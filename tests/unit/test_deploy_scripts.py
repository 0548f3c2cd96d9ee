"""deploy/backup and deploy/restore, and a `docker` that only notes what it is asked; tests/compose has a real one."""

import os
import subprocess
from pathlib import Path

import pytest

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
_DOCKER = """#!/bin/sh
echo "$*" >> "$NOTES"
case "$*" in
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
        self._env = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "NOTES": str(self._notes)}

    def run(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [str(DEPLOY / script), *arguments]
        return subprocess.run(argv, cwd=self.folder, env=self._env, capture_output=True, text=True, check=False)

    @property
    def asked(self) -> str:
        return self._notes.read_text()


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


def test_a_backup_is_written_where_its_caller_is(shell: Shell) -> None:
    assert shell.run("backup", "archive").returncode == 0
    assert (shell.folder / "archive").read_text() == "dumped\n"


@pytest.mark.parametrize("script", ["backup", "restore"])
def test_without_a_file_its_use_is_told(shell: Shell, script: str) -> None:
    done = shell.run(script)
    assert (done.returncode, done.stderr) == (2, f"usage: deploy/{script} FILE\n")
