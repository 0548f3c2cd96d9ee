"""The embedded PostgreSQL: a real one, through what happens to servers on people's machines."""

import os
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import environ
import psutil
import psycopg
import pytest

from klatsch.embedded.child import EmbeddedError
from klatsch.embedded.postgres import EmbeddedPostgres


@pytest.fixture
def data() -> Iterator[Path]:
    # Not pytest's folder: it is closed anew, to all users but one, whenever another run of pytest begins.
    with tempfile.TemporaryDirectory(prefix="klatsch-") as folder:
        yield Path(folder) / "postgres"


@pytest.fixture
def postgres(data: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(data)
    server.start()
    server.wait_ready()
    yield server
    server.stop()


def ask(server: EmbeddedPostgres, statement: str) -> str:
    with psycopg.connect(server.url) as connection:
        row = connection.execute(statement.encode()).fetchone()
    return "" if row is None else str(row[0])


def remember(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")


def pid_of(server: EmbeddedPostgres) -> int:
    assert server.process is not None
    return server.process.pid


def test_it_is_postgresql_18_with_an_empty_utf8_database(postgres: EmbeddedPostgres) -> None:
    assert ask(postgres, "SHOW server_version").startswith("18")
    assert ask(postgres, "SELECT current_database()") == "klatsch"
    assert ask(postgres, "SHOW server_encoding") == "UTF8"
    assert ask(postgres, "SELECT upper('ä')") == "Ä"


def test_what_it_acknowledges_is_on_the_disk(postgres: EmbeddedPostgres) -> None:
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert ask(postgres, f"SHOW {setting}") == "on"


def test_the_url_means_the_same_to_django(postgres: EmbeddedPostgres) -> None:
    config = environ.Env.db_url_config(postgres.url)
    assert (config["NAME"], config["USER"]) == ("klatsch", "postgres")
    assert config["OPTIONS"] == {"host": str(postgres.socket_folder)}


def test_only_its_owner_can_reach_it(postgres: EmbeddedPostgres) -> None:
    assert stat.S_IMODE(postgres.socket_folder.stat().st_mode) == 0o700
    process = psutil.Process(pid_of(postgres))
    assert [c for c in process.net_connections() if c.status == psutil.CONN_LISTEN] == []


def test_data_survives_a_restart_and_a_kill(postgres: EmbeddedPostgres) -> None:
    remember(postgres)
    postgres.restart()
    assert ask(postgres, "SELECT answer FROM kept") == "42"
    postgres.kill()
    assert not postgres.ready()
    postgres.restart()
    assert ask(postgres, "SELECT answer FROM kept") == "42"


def test_a_server_that_a_killed_run_left_behind_is_ended_first(postgres: EmbeddedPostgres, data: Path) -> None:
    remember(postgres)
    successor = EmbeddedPostgres(data)
    successor.start()
    try:
        successor.wait_ready()
        assert postgres.process is not None
        assert postgres.process.wait(5) is not None
        assert ask(successor, "SELECT answer FROM kept") == "42"
    finally:
        successor.stop()


def test_a_stale_pid_file_that_names_another_process_is_no_obstacle(postgres: EmbeddedPostgres, data: Path) -> None:
    postgres.stop()
    pid_file = data / "cluster" / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{data / 'cluster'}\n1\n5432\n\n\n0 0\nready\n")
    postgres.restart()
    assert ask(postgres, "SELECT 1") == "1"


def test_a_half_made_cluster_is_made_anew(data: Path) -> None:
    (data / "cluster.half-made" / "base").mkdir(parents=True)
    (data / "cluster.half-made" / "PG_VERSION").write_text("18\n")
    server = EmbeddedPostgres(data)
    server.start()
    try:
        server.wait_ready()
        assert ask(server, "SELECT current_database()") == "klatsch"
    finally:
        server.stop()


@pytest.mark.parametrize("temporary", ["", "long" * 25])
def test_a_path_too_long_for_a_socket_is_no_obstacle(
    data: Path, temporary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(data.parent / temporary))
    server = EmbeddedPostgres(data / ("long" * 25))
    server.start()
    try:
        server.wait_ready()
        assert ask(server, "SELECT 1") == "1"
        assert stat.S_IMODE(server.socket_folder.stat().st_mode) == 0o700
    finally:
        server.stop()
    assert not server.socket_folder.exists()


def test_a_socket_folder_that_others_may_enter_is_refused(data: Path) -> None:
    server = EmbeddedPostgres(data)
    server.socket_folder.mkdir(parents=True)
    server.socket_folder.chmod(0o777)
    with pytest.raises(EmbeddedError, match="not a private folder"):
        server.start()


def test_a_user_whom_the_system_does_not_list_is_told_what_to_do(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4_000_000_000)
    with pytest.raises(EmbeddedError, match=r"4000000000 has no entry in /etc/passwd.*DATABASE_URL"):
        EmbeddedPostgres(data)


def test_a_path_with_blanks_and_percent_signs_works(data: Path) -> None:
    server = EmbeddedPostgres(data / "100 % Ünsinn?&")
    server.start()
    try:
        server.wait_ready()
        assert ask(server, "SELECT 1") == "1"
        assert parse_qs(urlsplit(server.url).query)["host"] == [str(server.socket_folder)]
    finally:
        server.stop()


def test_a_path_with_a_comma_works_although_libpq_reads_two_folders(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LC_ALL", "POSIX")
    server = EmbeddedPostgres(data / "it's ü, $HOME")
    server.start()
    try:
        server.wait_ready()
        assert ask(server, "SELECT current_setting('data_directory')") == str(server.data / "cluster")
    finally:
        server.stop()
    assert not server.socket_folder.exists()


def test_a_failure_is_told_with_the_end_of_the_log(postgres: EmbeddedPostgres, data: Path) -> None:
    postgres.stop()
    (data / "cluster" / "global" / "pg_control").unlink()
    with pytest.raises(EmbeddedError, match="pg_control"):
        postgres.restart()


def test_a_fast_stop_does_not_wait_for_open_connections(postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("SELECT 1")
        began = time.monotonic()
        postgres.stop()
        assert time.monotonic() - began < 5
    assert postgres.process is not None
    assert postgres.process.returncode == 0


def test_settings_of_another_server_in_the_environment_do_not_reach_it(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "6543")
    monkeypatch.setenv("PGDATA", "/nowhere")
    server = EmbeddedPostgres(data)
    server.start()
    try:
        server.wait_ready()
        assert (server.socket_folder / ".s.PGSQL.5432").exists()
    finally:
        server.stop()


def test_ctrl_c_in_the_terminal_does_not_reach_it(postgres: EmbeddedPostgres) -> None:
    assert os.getpgid(pid_of(postgres)) != os.getpgid(0)


def test_statements_that_fail_leave_no_value_in_its_log(postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE people (name text UNIQUE)")
        connection.execute("INSERT INTO people VALUES ('quoted-secret')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO people VALUES ('quoted-secret')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO people VALUES (%s)", ["quoted-secret"])
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("SELECT FROM nobody WHERE name = %s", ["quoted-secret"])
    said = postgres.log.read_text()

    assert said.count("duplicate key value") == 2
    assert "nobody" in said
    assert "quoted-secret" not in said
