"""`manage.py api`: its bounds, and that nothing of it outlives it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from klatsch.core.http_limits import BODY_BYTES_MOST, HEAD_BYTES_MOST
from klatsch.embedded import child
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
WORKERS = 2
UPLOAD_BYTES = 256 * 1024 * 1024


class Api:
    """The process and its workers."""

    def __init__(self, log: Path) -> None:
        [self.port] = child.free_ports(1)
        argv = [sys.executable, "manage.py", "api", "--port", str(self.port), "--workers", str(WORKERS)]
        with log.open("wb") as output:
            self.process: subprocess.Popen[bytes] = child.spawn(argv, env=os.environ, output=output, cwd=ROOT)
        child.wait_until(self._is_ready, self.process, 30, "api", log)
        self.workers = psutil.Process(self.process.pid).children(recursive=True)

    def _is_ready(self) -> bool:
        try:
            return b"200" in self.ask(b"GET /livez HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n").split(b"\r\n")[0]
        except OSError:
            return False

    def ask(self, request: bytes) -> bytes:
        with socket.create_connection((HOST, self.port), timeout=20) as peer:
            peer.sendall(request)
            answer = b""
            while part := peer.recv(65_536):
                answer += part
            return answer


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    api = Api(tmp_path_factory.mktemp("api") / "log")
    yield api
    child.end(api.process, signal.SIGKILL, 5)


def status(answer: bytes) -> int:
    return int(answer.split()[1])


def test_heads_and_bodies_have_the_same_bounds_as_in_a_gateway(api: Api) -> None:
    head = b"GET /livez HTTP/1.1\r\nHost: k\r\nConnection: close\r\nX-Long: %b\r\n\r\n"
    assert status(api.ask(head % (b"a" * (HEAD_BYTES_MOST - 1_000)))) == 200
    assert status(api.ask(head % (b"a" * 2 * HEAD_BYTES_MOST))) == 431
    upload = b"POST /admin/ HTTP/1.1\r\nHost: k\r\nContent-Length: %d\r\n\r\n" % (BODY_BYTES_MOST + 1)
    assert status(api.ask(upload)) == 413


def test_what_has_bytes_that_are_no_ascii_in_a_header_is_answered(api: Api) -> None:
    answer = api.ask(b"GET /livez HTTP/1.1\r\nHost: k\r\nConnection: close\r\nX-A: k\xe4se\r\n\r\n")
    assert status(answer) == 200


def test_a_query_in_raw_utf_8_is_answered(api: Api) -> None:
    answer = api.ask("GET /api/v1/me?x=日 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert status(answer) == 401


def test_an_upload_that_never_ends_is_cut_off_and_the_process_goes_on(api: Api) -> None:
    piece = b"10000\r\n%b\r\n" % (b"a" * 65_536)
    sent = 0
    with socket.create_connection((HOST, api.port), timeout=20) as peer, contextlib.suppress(ConnectionError):
        peer.sendall(b"POST /admin/ HTTP/1.1\r\nHost: k\r\nTransfer-Encoding: chunked\r\n\r\n")
        while sent < UPLOAD_BYTES:
            peer.sendall(piece)
            sent += len(piece)
    assert sent < UPLOAD_BYTES
    assert status(api.ask(b"GET /livez HTTP/1.1\r\nHost: k\r\nConnection: close\r\n\r\n")) == 200


def test_workers_end_within_seconds_of_a_killed_parent(api: Api) -> None:
    """The last test of this module: it kills the process that the others ask."""
    assert len(api.workers) >= WORKERS
    api.process.kill()
    api.process.wait()
    wait_until(lambda: not any(worker.is_running() and worker.status() != "zombie" for worker in api.workers))
