"""`manage.py` as somebody meets it who has set nothing yet."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_SET = ("KLATSCH_", "KAFKA_", "DATABASE_", "EMAIL_")


def manage(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Runs it with these settings and no others; a .env of the working copy counts as ever."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_SET)} | settings
    command = [sys.executable, str(ROOT / "manage.py"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("process", ["gateway", "api", "persister", "topics"])
def test_every_process_says_what_it_takes_before_anything_is_set(process: str) -> None:
    said = manage(process, "--help")
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith(f"usage: manage.py {process}")


def test_help_lists_the_commands_before_anything_is_set() -> None:
    said = manage("help")
    assert said.returncode == 0, said.stderr
    assert {"gateway", "persister", "topics"} <= set(said.stdout.split())


@pytest.mark.parametrize("process", ["gateway", "persister"])
def test_a_process_with_a_bad_setting_ends_with_one_sentence_that_names_it(process: str) -> None:
    said = manage(process, KLATSCH_ORIGINS="*", KLATSCH_SECRET_KEY="hunter2")
    assert said.returncode == 1
    assert "KLATSCH_ORIGINS must be" in said.stderr
    assert "KLATSCH_SECRET_KEY must be" in said.stderr
    assert "hunter2" not in said.stderr
    assert said.stderr.count("\n") == 1
