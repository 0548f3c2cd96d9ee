"""`manage.py` as somebody meets it who has set nothing yet."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from django.core.management.base import CommandError
from django.db import OperationalError, ProgrammingError, connection

from klatsch.eventlog.log import LogError
from klatsch.processes.sentences import told_in_a_sentence

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


NOWHERE = "postgresql://somebody:hunter2@127.0.0.1:1/nowhere"


SET = {"KLATSCH_SECRET_KEY": "k" * 50, "DATABASE_URL": NOWHERE, "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}


@pytest.mark.parametrize(
    "command", ["migrate", "createsuperuser --no-input", "demo", "deadletters list", "deadletters retry", "people 1"]
)
def test_a_command_that_cannot_reach_postgresql_says_so_in_one_sentence(command: str) -> None:
    said = manage(*command.split(), **SET)
    assert said.returncode == 1
    assert "PostgreSQL does not answer. Check DATABASE_URL" in said.stderr
    assert "Traceback" not in said.stderr
    assert "hunter2" not in said.stderr


def test_a_port_that_is_taken_is_told_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = manage("api", "--port", str(taken.getsockname()[1]), **SET)
    assert said.returncode == 1
    assert "cannot be used: Address already in use" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("api --port 65536", "port 65536 cannot be used: ports are 0 to 65535"),
        ("persister --metrics-port 65536", "port 65536 cannot be used: ports are 0 to 65535"),
        ("api --workers 0", "--workers must be at least 1"),
    ],
)
def test_a_number_with_which_nothing_can_be_served_is_told_in_one_sentence(command: str, sentence: str) -> None:
    said = manage(*command.split(), **SET)
    assert said.returncode == 1
    assert sentence in said.stderr
    assert "Traceback" not in said.stderr


def test_a_password_that_is_no_text_is_told_in_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(b"\xff\xfe")
    said = manage("access", f"gateway={file}", **SET)
    assert said.returncode == 1
    assert "the password of gateway cannot be read" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize("error", [OperationalError("down"), psycopg.OperationalError("down")])
def test_a_process_that_loses_postgresql_at_its_start_ends_with_a_sentence(error: Exception) -> None:
    with (
        pytest.raises(CommandError, match=r"the gateway cannot continue: PostgreSQL does not answer"),
        told_in_a_sentence("the gateway cannot continue: "),
    ):
        raise error


def test_a_log_that_does_not_answer_is_told_in_its_own_words() -> None:
    with pytest.raises(CommandError, match="the log does not answer"), told_in_a_sentence():
        raise LogError("the log does not answer")


@pytest.mark.django_db
def test_tables_that_are_not_there_yet_are_told_with_what_makes_them() -> None:
    with (
        pytest.raises(CommandError, match=r"Run manage\.py migrate"),
        told_in_a_sentence(),
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT epoch FROM eventlog_epoch_of_tomorrow")


@pytest.mark.django_db
def test_a_statement_that_is_wrong_is_a_fault_of_ours_and_no_sentence() -> None:
    with pytest.raises(ProgrammingError), told_in_a_sentence(), connection.cursor() as cursor:
        cursor.execute("SELEKT 1")
