"""A pytest plugin: the real PostgreSQL and Kafka of a test run, started by the first test that needs them, once.

Loaded with `-p`, before Django's settings: it says where the servers will be, and starts none of them yet.
DATABASE_URL and KAFKA_BOOTSTRAP_SERVERS, where set, point the run at servers elsewhere instead.
"""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from klatsch.embedded.child import free_ports
from klatsch.embedded.kafka import EmbeddedKafka
from klatsch.embedded.postgres import EmbeddedPostgres

_DATA = Path(tempfile.mkdtemp(prefix="klatsch-tests-"))
_DATA.chmod(0o755)
_POSTGRES = None if os.environ.get("DATABASE_URL") else EmbeddedPostgres(_DATA / "postgres")
_KAFKA = None if os.environ.get("KAFKA_BOOTSTRAP_SERVERS") else EmbeddedKafka(_DATA / "kafka", port=free_ports(1)[0])
if _POSTGRES is not None:
    os.environ["DATABASE_URL"] = _POSTGRES.url
if _KAFKA is not None:
    os.environ["KAFKA_BOOTSTRAP_SERVERS"] = _KAFKA.bootstrap_servers
# Where bytecode is not kept, each of the hundreds of processes of a run compiles all of Klatsch anew (0.1 to 0.25 s).
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ |= {
    # A broker of a test lives for seconds: what Java's second compiler costs (half of the CPU of a start) never pays.
    "JDK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1",
    "KLATSCH_SECRET_KEY": "only-for-tests-" + os.urandom(24).hex(),
    "KLATSCH_ALLOWED_HOSTS": "localhost,127.0.0.1,testserver",
    "KLATSCH_ORIGINS": "http://localhost:8000,http://testserver",
    "KLATSCH_INSECURE_COOKIES": "1",
    "KLATSCH_INVITE_STRANGERS": "0",  # most tests need groups of people who have never met
    "KLATSCH_LOG_LEVEL": "WARNING",
}


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres | None]:
    """PostgreSQL, running; None where DATABASE_URL names one that runs elsewhere."""
    if _POSTGRES is not None:
        _POSTGRES.start()
        _POSTGRES.wait_ready()
    yield _POSTGRES
    if _POSTGRES is not None:
        _POSTGRES.stop()


@pytest.fixture(scope="session")
def kafka() -> Iterator[EmbeddedKafka | None]:
    """Kafka, running; None where KAFKA_BOOTSTRAP_SERVERS names one that runs elsewhere."""
    if _KAFKA is not None:
        _KAFKA.start()
        _KAFKA.wait_ready()
    yield _KAFKA
    if _KAFKA is not None:
        _KAFKA.stop()


def left_over() -> list[psutil.Process]:
    """Processes that were started with this run's settings and still run, whoever their parent is by now."""
    return [process for process in psutil.process_iter() if process.pid != os.getpid() and _is_of_this_run(process)]


def _is_of_this_run(process: psutil.Process) -> bool:
    try:
        is_alive = process.status() != psutil.STATUS_ZOMBIE
        return is_alive and process.environ().get("KLATSCH_SECRET_KEY") == os.environ["KLATSCH_SECRET_KEY"]
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails the run where a process of it outlives it, and ends that process."""
    left = left_over()
    for process in left:
        sys.stderr.write(f"\nThis run left behind: {process}\n")
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    if left:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure() -> None:
    shutil.rmtree(_DATA, ignore_errors=True)
