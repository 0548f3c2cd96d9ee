"""`make up` as a person has it: real processes, on a folder of their own, from the first start to the last stop."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from klatsch.embedded.child import free_ports

ROOT = Path(__file__).resolve().parents[2]
READY_S = 90  # for a machine that is busy with other tests, and makes the class archive on the way
STOP_S = 10


def wait_for(condition: Callable[[], bool], deadline_s: float, what: str) -> None:
    until = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < until, f"waited in vain until {what}"
        time.sleep(0.05)


class Up:
    """A run of `python -m klatsch.processes.embedded`, and what it prints."""

    def __init__(self, data: Path, port: int) -> None:
        self.data = data
        self.port = port
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "klatsch.processes.embedded", "up"],
            cwd=ROOT,
            env=self.env(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            self.lines.extend(line.rstrip() for line in output)

    def env(self) -> dict[str, str]:
        ours = ("KLATSCH_", "DATABASE_URL", "KAFKA_", "DJANGO_")
        cache = {"KLATSCH_CACHE": os.environ["KLATSCH_CACHE"]} if "KLATSCH_CACHE" in os.environ else {}
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(ours)},
            **cache,
            # Named, so that a `.env` in the working tree does not lead elsewhere.
            "DATABASE_URL": "",
            "KAFKA_BOOTSTRAP_SERVERS": "",
            "KLATSCH_DATA": str(self.data),
            "KLATSCH_PORT": str(self.port),
            "DJANGO_SUPERUSER_PASSWORD": "correct horse battery staple",
        }

    def count(self, text: str) -> int:
        return sum(text in line for line in self.lines)

    def says(self, text: str) -> bool:
        return self.count(text) > 0

    def wait_ready(self) -> None:
        wait_for(lambda: self.says("Klatsch is ready") or self.process.poll() is not None, READY_S, "ready")
        assert self.process.poll() is None, "\n".join(self.lines)

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://localhost:{self.port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, ""
        except OSError:
            return 0, ""

    def manage(self, *arguments: str) -> str:
        """Does what `make admin` and the like do."""
        done = subprocess.run(
            [sys.executable, "-m", "klatsch.processes.embedded", "run", "--", "manage.py", *arguments],
            cwd=ROOT,
            env=self.env(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def everything(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, name: str) -> psutil.Process:
        """Finds the gateway, the persister, postgres or kafka (java)."""
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if name in [child.name(), *child.cmdline()])

    def end(self, number: signal.Signals = signal.SIGTERM) -> float:
        """Sends the signal; returns the seconds until the last process was gone."""
        processes = self.everything()
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(STOP_S + 5)
        _, alive = psutil.wait_procs(processes, timeout=STOP_S + 5)
        assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []
        self._reader.join(5)
        return time.monotonic() - began


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="klatsch-up-") as folder:
        yield Path(folder) / "data"


@contextmanager
def running(data: Path) -> Iterator[Up]:
    """Starts one run, and waits until it is ready; it is killed where it was not ended."""
    started = Up(data, free_ports(1)[0])
    try:
        started.wait_ready()
        yield started
    finally:
        if started.process.poll() is None:
            started.end(signal.SIGKILL)


@pytest.fixture(scope="class")
def up(data: Path) -> Iterator[Up]:
    """Starts one run for all tests of a class, which stops in time after them."""
    with running(data) as started:
        yield started
        assert started.end() < STOP_S


class TestWhileItRuns:
    def test_it_serves_the_documentation_and_the_admin_and_says_where(self, up: Up) -> None:
        assert up.get("/readyz")[0] == 200
        assert up.get("/api/docs")[0] == 200
        assert up.get("/admin/")[0] == 200
        (line,) = [line for line in up.lines if "Klatsch is ready" in line]
        assert f"http://localhost:{up.port}/api/docs" in line
        assert f"http://localhost:{up.port}/admin/" in line

    def test_the_links_of_the_demo_lead_to_its_page(self, up: Up) -> None:
        said = up.manage("demo")
        assert said.count(f"http://localhost:{up.port}/#/link/") == 2
        assert "localhost:8000" not in said
        assert up.get("/")[0] == 200

    def test_a_second_one_on_the_same_data_is_refused_and_does_no_harm(self, up: Up, data: Path) -> None:
        second = Up(data, free_ports(1)[0])
        assert second.process.wait(30) == 1
        wait_for(lambda: second.says("already running"), 5, "it said why")
        assert up.get("/readyz")[0] == 200

    @pytest.mark.parametrize("name", ["gateway", "persister", "java", "postgres"])
    def test_what_dies_is_started_again(self, up: Up, name: str) -> None:
        told = up.count("ended by itself")
        victim = up.child(name)
        victim.kill()
        wait_for(lambda: up.count("ended by itself") > told, 5, "the death was told")
        wait_for(lambda: any(c.pid != victim.pid for c in children_named(up, name)), 30, f"another {name} runs")
        wait_for(lambda: up.get("/readyz")[0] == 200, 60, "all is ready again, after:\n" + "\n".join(up.lines))


def test_it_stops_within_ten_seconds_and_has_its_data_when_it_comes_again(data: Path) -> None:
    with running(data) as up:
        up.manage("createsuperuser", "--no-input", "--username", "ada", "--email", "ada@example.invalid")
        assert up.end() < STOP_S
        assert up.process.returncode == 0
        assert up.says("Stopping")
    with running(data) as again:
        count = "from klatsch.accounts.models import User; print(User.objects.filter(username='ada').count())"
        assert again.manage("shell", "--no-imports", "-c", count).strip() == "1"
        assert "the known one" in again.manage("topics", "verify")
        assert again.end(signal.SIGINT) < STOP_S


def test_killed_it_leaves_nothing_running_and_works_the_next_time(data: Path) -> None:
    with running(data) as up:
        assert up.end(signal.SIGKILL) < STOP_S
    with running(data) as again:
        assert again.get("/readyz")[0] == 200


def children_named(up: Up, name: str) -> list[psutil.Process]:
    try:
        return [up.child(name)]
    except (StopIteration, psutil.Error):
        return []
