"""A pytest plugin: the real PostgreSQL and Kafka of a test run, started by the first test that needs them, once.

Loaded with `-p`, before Django's settings: it says where the servers will be, and starts none of them yet.
DATABASE_URL and KAFKA_BOOTSTRAP_SERVERS, where set, point the run at servers elsewhere instead.

Where the tests are spread over several processes (`-n`), each worker loads this plugin, so each has servers, a folder
and a secret key of its own, and looks for what it leaves behind. The process that spreads them runs no test: before it
starts the workers, it takes back the settings that it made for itself.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from klatsch.embedded.child import free_ports
from klatsch.embedded.kafka import EmbeddedKafka
from klatsch.embedded.postgres import EmbeddedPostgres

MOST_WORKERS = 4
"""Each has a PostgreSQL, a broker, two gateways and a persister: about 1 GiB."""
_START_S = 180
"""Enough beside other load: two workers start their servers at the same time."""
_SERVERS = ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS")
_GIVEN = dict(os.environ)
_FOLDER = "TESTS_FOLDER"
"""Names the folder in which workers make theirs, so that it goes even where a worker was killed."""
_DATA = Path(tempfile.mkdtemp(prefix="klatsch-tests-", dir=os.environ.get(_FOLDER)))
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
_left: list[str] = []
"""Processes that this run, or a worker of it, has left behind, for its summary."""


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres | None]:
    """Runs PostgreSQL; None where DATABASE_URL names one that runs elsewhere."""
    if _POSTGRES is not None:
        _POSTGRES.start()
        _POSTGRES.wait_ready(_START_S)
    yield _POSTGRES
    if _POSTGRES is not None:
        _POSTGRES.stop()


@pytest.fixture(scope="session")
def kafka() -> Iterator[EmbeddedKafka | None]:
    """Runs Kafka; None where KAFKA_BOOTSTRAP_SERVERS names one that runs elsewhere."""
    if _KAFKA is not None:
        _KAFKA.start()
        _KAFKA.wait_ready(_START_S)
    yield _KAFKA
    if _KAFKA is not None:
        _KAFKA.stop()


@pytest.fixture(scope="module")
def kafka_to_kill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """Runs a broker that only the tests of one file use, so that they may kill it. It creates topics on demand."""
    changed = {"auto.create.topics.enable": "true"}
    kafka = EmbeddedKafka(tmp_path_factory.mktemp("kafka"), port=free_ports(1)[0], changed=changed)
    try:
        kafka.start()
        kafka.wait_ready(_START_S)
        yield kafka
    finally:
        kafka.kill()


def left_over() -> list[psutil.Process]:
    """Processes that were started with this run's settings and still run, whoever their parent is by now."""
    return [process for process in psutil.process_iter() if process.pid != os.getpid() and _is_of_this_run(process)]


def _is_of_this_run(process: psutil.Process) -> bool:
    try:
        is_alive = process.status() != psutil.STATUS_ZOMBIE
        return is_alive and process.environ().get("KLATSCH_SECRET_KEY") == os.environ["KLATSCH_SECRET_KEY"]
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


@pytest.hookimpl(tryfirst=True)  # before the answer of xdist itself
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Returns how many workers `-n auto` starts: one more than cores where all tests run, none where some are chosen.

    A few tests are done before a second pair of servers has started.
    """
    is_all = config.args_source != pytest.Config.ArgsSource.ARGS and not config.option.keyword
    # Tests of whole systems wait a third of the time: on two cores, three workers took 8:40 and two 10:50.
    return min(len(os.sched_getaffinity(0)) + 1, MOST_WORKERS) if is_all else 0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with the tests that may take minutes, which have a timeout of their own: others fill what is left."""
    items.sort(key=lambda item: item.get_closest_marker("timeout") is None)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Takes back, where workers run the tests, what would look to them like servers that the caller named."""
    if not _spreads(session.config):
        return
    for name in _SERVERS:
        if _GIVEN.get(name):
            raise pytest.UsageError(f"{name} names a server that several workers would share: add -n 0.")
    os.environ.clear()
    os.environ.update(_GIVEN | {_FOLDER: str(_DATA)})


def _spreads(config: pytest.Config) -> bool:
    """Returns whether this process hands all tests to workers."""
    return config.getoption("dist", "no") != "no" and bool(config.getoption("tx", None))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails the run where a process of it, or of a worker of it, outlives it; ends that process."""
    if not _spreads(session.config):
        _end_left_over()
    if _left:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left"] = _left


def _end_left_over() -> None:
    for process in left_over():
        _left.append(str(process))
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Takes what a worker has found to outlive it; a worker that crashed has said nothing."""
    _left.extend(getattr(node, "workeroutput", {}).get("left", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for process in _left:
        terminalreporter.write_line(f"This run left behind: {process}", red=True)


def pytest_unconfigure() -> None:
    shutil.rmtree(_DATA, ignore_errors=True)
