"""`make up` says why it cannot work, and nothing outlives it."""

import errno
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from klatsch.embedded.child import EmbeddedError, free_ports, spawn
from klatsch.embedded.data_folder import DataFolder, default_folder
from klatsch.processes.embedded import sentence_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def data() -> Iterator[Path]:
    # Not pytest's folder: it is closed anew, to all users but one, whenever another run of pytest begins.
    with tempfile.TemporaryDirectory(prefix="klatsch-") as folder:
        yield Path(folder)


def embedded(data: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Runs `python -m klatsch.processes.embedded` to its end, without the addresses of the test run's services."""
    return subprocess.run(
        [sys.executable, "-m", "klatsch.processes.embedded", *arguments],
        cwd=ROOT,
        env=os.environ
        | {"DATABASE_URL": "", "KAFKA_BOOTSTRAP_SERVERS": "", "KLATSCH_DATA": str(data), "KLATSCH_PORT": ""}
        | env,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def is_one_sentence(text: str) -> bool:
    return text.count("\n") == 1 and "Traceback" not in text


def test_help_lists_what_it_can_do(data: Path) -> None:
    done = embedded(data, "--help")
    assert done.returncode == 0
    assert "createsuperuser" in done.stdout


def test_a_taken_port_is_told_in_one_sentence_before_anything_starts(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        done = embedded(data, KLATSCH_PORT=port)
    assert done.returncode == 1
    assert is_one_sentence(done.stderr)
    assert f"Port {port}" in done.stderr
    assert "KLATSCH_PORT" in done.stderr
    assert not (data / "postgres").exists()


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "٣"])
def test_a_port_that_is_none_is_told_in_one_sentence(data: Path, port: str) -> None:
    done = embedded(data, KLATSCH_PORT=port)
    assert done.returncode == 1
    assert is_one_sentence(done.stderr)


def test_a_second_up_on_the_same_data_is_told_in_one_sentence_and_commands_still_find_the_first(data: Path) -> None:
    first = DataFolder(data)
    first.open()
    first.publish({"DATABASE_URL": "postgresql://first"})
    done = embedded(data, "up")
    assert done.returncode == 1
    assert is_one_sentence(done.stderr)
    assert "already running" in done.stderr
    assert first.published() == {"DATABASE_URL": "postgresql://first"}


def test_a_first_run_without_network_is_told_in_one_sentence(data: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    done = embedded(
        data,
        DATABASE_URL="",
        KLATSCH_CACHE=str(data / "cache"),
        KLATSCH_MAVEN_URL="http://127.0.0.1:1",
        KLATSCH_PORT=port,
    )
    assert done.returncode == 1
    assert is_one_sentence(done.stderr)
    assert "Check the network" in done.stderr


def test_a_full_disk_is_told_in_one_sentence(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        total: int
        used: int
        free: int

    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10**9, 10**9 - 1000, 1000))
    with pytest.raises(EmbeddedError, match="is full") as caught:
        DataFolder(data).open()
    assert "\n" not in str(caught.value)


def test_a_disk_that_fills_up_while_starting_is_told_in_one_sentence() -> None:
    assert sentence_of(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))).startswith("The disk is full")
    said = f"PostgreSQL's initdb failed (status 1):\nFATAL: could not write file: {os.strerror(errno.ENOSPC)}\n"
    assert sentence_of(EmbeddedError(said)).startswith("The disk is full")
    assert "\n" not in sentence_of(EmbeddedError(said))


def test_data_where_nothing_can_be_written_is_told_in_one_sentence(data: Path) -> None:
    (data / "file").write_text("")
    done = embedded(data / "file")
    assert done.returncode == 1
    assert is_one_sentence(done.stderr)
    assert "Set KLATSCH_DATA" in done.stderr


def test_a_home_where_nothing_can_be_kept_is_told_by_the_setting_that_moves_the_cache(data: Path) -> None:
    (data / "home").write_text("")
    [port] = free_ports(1)
    nowhere = {"HOME": str(data / "home"), "XDG_CACHE_HOME": "", "KLATSCH_CACHE": ""}
    done = embedded(data / "data", KLATSCH_PORT=str(port), **nowhere)
    assert done.returncode == 1
    assert is_one_sentence(done.stderr)
    assert "Set KLATSCH_CACHE" in done.stderr
    assert "KLATSCH_DATA" not in done.stderr


_STRANGE = "it's $HOME, ü"


def make_reset(data: Path, answer: str) -> str:
    """Returns what `make reset` says; nothing is installed for it."""
    done = subprocess.run(
        ["make", "--no-print-directory", "-o", ".venv/.run-is-installed", "reset"],
        cwd=ROOT,
        env=os.environ | {"KLATSCH_DATA": str(data)},
        input=answer,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stdout + done.stderr


def test_make_reset_removes_the_folder_that_make_up_uses_whatever_it_is_called_and_after_asking(data: Path) -> None:
    folder = data / _STRANGE
    assert make_reset(folder, "y\n") == f"There is no data in {folder}.\n"
    folder.mkdir()
    assert "Nothing was removed." in make_reset(folder, "\n")
    assert folder.is_dir()
    assert f"Remove everything in {folder}," in make_reset(folder, "y\n")
    assert list(data.iterdir()) == []


def test_make_reset_empties_a_folder_on_another_disk_whose_link_or_mount_point_stays(data: Path) -> None:
    (data / "disk" / "postgres").mkdir(parents=True)
    (data / "disk" / "env").touch()
    (data / "link").symlink_to(data / "disk")
    assert "Traceback" not in make_reset(data / "link", "y\n")
    assert list((data / "disk").iterdir()) == []
    assert "Traceback" not in make_reset(data / "link", "y\n")


def test_make_reset_removes_nothing_that_is_in_use(data: Path) -> None:
    DataFolder(data / _STRANGE).open()
    assert "is running on" in make_reset(data / _STRANGE, "y\n")
    assert (data / _STRANGE / "lock").exists()


@pytest.mark.parametrize("line", ['KLATSCH_DATA="x y"', "KLATSCH_DATA='x y'", "KLATSCH_DATA=x y"])
def test_a_folder_that_env_names_is_read_without_its_quotes(
    data: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setenv("KLATSCH_DATA", "")
    monkeypatch.delenv("KLATSCH_DATA")
    (data / ".env").write_text(f"{line}\n")

    assert default_folder(data) == Path("x y")


def test_run_without_anything_running_says_so_in_one_sentence(data: Path) -> None:
    done = embedded(data, "run", "--", "manage.py", "createsuperuser")
    assert done.returncode == 1
    assert is_one_sentence(done.stderr)
    assert "make up" in done.stderr


def test_run_gives_a_program_the_settings_of_what_is_running(data: Path) -> None:
    folder = DataFolder(data)
    folder.open()
    folder.publish({"DATABASE_URL": "postgresql://x/y?host=%2Ftmp&a=b", "KLATSCH_PORT": "8123"})
    code = "import os; print(os.environ['DATABASE_URL'], os.environ['KLATSCH_PORT'])"
    done = embedded(data, "run", "--", "-c", code, KLATSCH_PORT="1")
    assert done.stdout == "postgresql://x/y?host=%2Ftmp&a=b 8123\n"


def test_settings_that_a_killed_run_left_are_not_believed(data: Path) -> None:
    folder = DataFolder(data)
    folder.publish({"DATABASE_URL": "postgresql://gone"})
    assert folder.published() is None
    folder.open()  # and asking has not kept the lock
    assert folder.published() == {"DATABASE_URL": "postgresql://gone"}


def test_the_secret_key_is_made_once_and_only_its_owner_can_read_it(data: Path) -> None:
    folder = DataFolder(data)
    key = folder.secret_key()
    assert len(key) >= 50
    assert DataFolder(data).secret_key() == key
    folder.publish({"KLATSCH_SECRET_KEY": key})
    assert {(data / name).stat().st_mode & 0o777 for name in ("secret_key", "env")} == {0o600}


PARENT = """
import sys, time
from pathlib import Path
from klatsch.embedded.kafka import EmbeddedKafka
from klatsch.embedded.postgres import EmbeddedPostgres
services = [EmbeddedPostgres(Path(sys.argv[1]) / "postgres"), EmbeddedKafka(Path(sys.argv[1]) / "kafka")]
for service in services:
    service.start()
for service in services:
    service.wait_ready()
print(*(service.process.pid for service in services), flush=True)
time.sleep(600)
"""


def test_a_killed_parent_leaves_no_postgres_and_no_java_running(data: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, str(data)], cwd=ROOT, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        try:
            started = list(map(psutil.Process, map(int, parent.stdout.readline().split())))
            everything = [*started, *started[0].children(recursive=True)]
        finally:
            parent.kill()
    assert len(started) == 2
    _, alive = psutil.wait_procs(everything, timeout=10)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


def test_a_child_outlives_the_thread_that_asked_for_it() -> None:
    # The kernel sends the death signal when the forking thread ends.
    children: list[subprocess.Popen[bytes]] = []
    starter = threading.Thread(target=lambda: children.append(spawn(["sleep", "60"])))
    starter.start()
    starter.join()
    (child,) = children
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.3)
    child.kill()
    child.wait()
