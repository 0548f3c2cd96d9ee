"""Fetching Kafka's jars, from a repository that misbehaves."""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from klatsch.embedded import jars
from klatsch.embedded.child import EmbeddedError
from tests.support.process import ROOT, wait_until

GOOD = {f"org/example/{name}/1.0/{name}-1.0.jar": name.encode() * 50_000 for name in ("one", "two", "three")}


class Repository(ThreadingHTTPServer):
    """Serves `files`, or what a test puts in their place; remembers what it was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = dict(GOOD)
        self.cut: set[str] = set()  # announced whole, sent in half
        self.failures: list[int] = []  # statuses of the next answers
        self.asked: list[str] = []
        self.flows = threading.Event()  # until it is set, answers stop after their headers
        self.flows.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Repository

    def do_GET(self) -> None:
        path = self.path.removeprefix("/")
        self.server.asked.append(path)
        if self.server.failures:
            self.send_error(self.server.failures.pop())
            return
        content = self.server.files[path]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.server.flows.wait()
        self.wfile.write(content[: len(content) // 2] if path in self.server.cut else content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        pass


@pytest.fixture
def repository() -> Iterator[Repository]:
    with Repository() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(jars, "_FIRST_PAUSE_S", 0.001)
    file = tmp_path / "things-1.0.lock"
    lines = (f"{hashlib.sha256(content).hexdigest()} {len(content)} {path}\n" for path, content in GOOD.items())
    file.write_text("".join(lines))
    return file


def test_the_jars_are_fetched_in_the_order_of_the_lock_file(lock: Path, repository: Repository, tmp_path: Path) -> None:
    files = jars.fetch_jars(tmp_path / "cache", lock=lock, repository=repository.url)
    assert [file.read_bytes() for file in files] == list(GOOD.values())
    assert {file.parent for file in files} == {tmp_path / "cache" / "things-1.0"}


def test_a_second_run_asks_the_repository_for_nothing(lock: Path, repository: Repository, tmp_path: Path) -> None:
    first = jars.fetch_jars(tmp_path, lock=lock, repository=repository.url)
    assert len(repository.asked) == len(GOOD)
    assert jars.fetch_jars(tmp_path, lock=lock, repository=repository.url) == first
    assert len(repository.asked) == len(GOOD)


def test_only_what_is_missing_or_of_another_size_is_fetched(lock: Path, repository: Repository, tmp_path: Path) -> None:
    one, two, three = jars.fetch_jars(tmp_path, lock=lock, repository=repository.url)
    one.unlink()
    two.write_bytes(two.read_bytes()[:-1])
    repository.asked.clear()
    jars.fetch_jars(tmp_path, lock=lock, repository=repository.url)
    assert {path.rsplit("/", 1)[-1] for path in repository.asked} == {one.name, two.name}
    assert three.exists()


def test_a_tampered_jar_is_refused_and_leaves_no_file(lock: Path, repository: Repository, tmp_path: Path) -> None:
    path = next(iter(GOOD))
    repository.files[path] = b"X" + GOOD[path][1:]
    with pytest.raises(EmbeddedError, match=r"one-1.0.jar from .* has been tampered with"):
        jars.fetch_jars(tmp_path / "cache", lock=lock, repository=repository.url)
    assert not [file for file in (tmp_path / "cache" / "things-1.0").iterdir() if "one" in file.name]


@pytest.mark.parametrize("announced_whole", [True, False])
def test_a_truncated_jar_is_refused_and_leaves_no_file(
    lock: Path, repository: Repository, tmp_path: Path, *, announced_whole: bool
) -> None:
    path = next(iter(GOOD))
    if announced_whole:
        repository.cut.add(path)
    else:
        repository.files[path] = GOOD[path][:-1]
    with pytest.raises(EmbeddedError):
        jars.fetch_jars(tmp_path / "cache", lock=lock, repository=repository.url)
    assert not [file for file in (tmp_path / "cache" / "things-1.0").iterdir() if "one" in file.name]


def test_a_jar_without_end_is_given_up_after_its_size(lock: Path, repository: Repository, tmp_path: Path) -> None:
    path = next(iter(GOOD))
    repository.files[path] = GOOD[path] + b"more"
    with pytest.raises(EmbeddedError, match="tampered"):
        jars.fetch_jars(tmp_path, lock=lock, repository=repository.url)


def test_a_repository_that_stumbles_is_asked_again(lock: Path, repository: Repository, tmp_path: Path) -> None:
    repository.failures = [503, 500, 429]
    assert len(jars.fetch_jars(tmp_path, lock=lock, repository=repository.url)) == len(GOOD)


def test_without_a_network_one_sentence_says_what_to_do(lock: Path, tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="Check the network") as caught:
        jars.fetch_jars(tmp_path, lock=lock, repository="http://127.0.0.1:1")
    assert "\n" not in str(caught.value)


def test_what_was_fetched_before_a_failure_is_kept(lock: Path, repository: Repository, tmp_path: Path) -> None:
    path = next(iter(GOOD))
    repository.files[path] = b"wrong"
    with pytest.raises(EmbeddedError):
        jars.fetch_jars(tmp_path, lock=lock, repository=repository.url)
    repository.files[path] = GOOD[path]
    kept = {file.name for file in (tmp_path / "things-1.0").iterdir()}
    repository.asked.clear()
    jars.fetch_jars(tmp_path, lock=lock, repository=repository.url)
    assert kept.isdisjoint(path.rsplit("/", 1)[-1] for path in repository.asked)


def test_a_mirror_can_be_named(
    lock: Path, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KLATSCH_MAVEN_URL", repository.url + "/")
    jars.fetch_jars(tmp_path, lock=lock)
    assert set(repository.asked) == set(GOOD)


def test_the_cache_is_shared_by_all_data_folders_and_can_be_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KLATSCH_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("KLATSCH_DATA", str(tmp_path / "data"))
    assert jars.cache_folder() == tmp_path / "klatsch"
    monkeypatch.setenv("KLATSCH_CACHE", str(tmp_path / "moved"))
    assert jars.cache_folder() == tmp_path / "moved"


def test_a_user_without_a_home_folder_is_told_which_setting_names_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KLATSCH_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000_000)  # a user whom the system does not list
    with pytest.raises(EmbeddedError, match="KLATSCH_CACHE"):
        jars.cache_folder()


def test_the_lock_file_names_45_jars_each_once() -> None:
    names = [jar.name for jar in jars.read_lock()]
    assert len(names) == len(set(names)) == 45
    assert "kafka_2.13-4.4.0.jar" in names


def test_a_program_that_ends_does_not_wait_for_its_downloads(lock: Path, repository: Repository) -> None:
    repository.flows.clear()
    code = (
        "import sys, threading; from pathlib import Path; from klatsch.embedded import jars; "
        "cache, lock, url = sys.argv[1:]; jars._AT_ONCE = 2; "
        "fetch = lambda: jars.fetch_jars(Path(cache), lock=Path(lock), repository=url); "
        "threading.Thread(target=fetch, daemon=True).start(); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", code, str(lock.parent / "cache"), str(lock), repository.url]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, cwd=ROOT) as program:
        try:
            wait_until(lambda: len(repository.asked) == 2, "two downloads wait for data, and one for its turn")
            program.communicate(timeout=10)
        finally:
            program.kill()
            repository.flows.set()
    assert program.returncode == 0


def test_a_cancelled_download_asks_for_no_further_jar(
    lock: Path, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jars, "_AT_ONCE", 2)
    repository.flows.clear()
    cancelled = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        fetched = pool.submit(
            jars.fetch_jars, tmp_path / "cache", lock=lock, repository=repository.url, cancelled=cancelled
        )
        wait_until(lambda: len(repository.asked) == 2, "two downloads wait for data, and one for its turn")
        cancelled.set()
        repository.flows.set()
        with pytest.raises(EmbeddedError, match="stopped"):
            fetched.result(10)
    assert len(repository.asked) == 2
    assert list((tmp_path / "cache" / "things-1.0").iterdir()) == []


def test_what_a_killed_download_left_is_removed_by_a_later_one(
    lock: Path, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "things-1.0"
    folder.mkdir()
    (folder / ".one-1.0.jar.a1b2c3").write_text("half")
    path = next(iter(GOOD))
    jars.fetch_jars(tmp_path, lock=lock, repository=repository.url)
    assert (folder / ".one-1.0.jar.a1b2c3").exists()  # it may be another program's
    (folder / path.rsplit("/", 1)[-1]).unlink()
    monkeypatch.setattr(jars, "_ABANDONED_AFTER_S", -1)
    jars.fetch_jars(tmp_path, lock=lock, repository=repository.url)
    assert not (folder / ".one-1.0.jar.a1b2c3").exists()
