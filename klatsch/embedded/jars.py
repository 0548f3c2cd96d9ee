"""Kafka's jars: fetched once from the Maven repository, and checked against the lock file before they are named."""

import contextlib
import errno
import hashlib
import http.client
import os
import queue
import ssl
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import certifi

from klatsch.embedded.child import EmbeddedError

LOCK = Path(__file__).with_name("kafka-4.4.0.lock")
_AT_ONCE = 8
_ATTEMPTS = 4
_FIRST_PAUSE_S = 0.5  # doubles each time
_SILENCE_S = 20  # without data for this long, the download is tried again
_DEADLINE_S = 900  # 45 MB over a very slow line
_ABANDONED_AFTER_S = 2 * _DEADLINE_S
_CHUNK_BYTES = 65_536
# Every copy of a jar has one date: the Java class archive depends on the dates of its jars.
_DATE_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock file; `path` is relative to any Maven repository."""

    sha256: str
    size: int
    path: str

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]


def read_lock(lock: Path = LOCK) -> list[Jar]:
    """Returns the jars of the broker."""
    lines = (line.split() for line in lock.read_text().splitlines())
    return [Jar(sha256, int(size), path) for sha256, size, path in lines]


def cache_folder() -> Path:
    """Returns the folder of downloads, which all data folders of this user share.

    Raises EmbeddedError for a user without a home folder who names no other.
    """
    named = os.environ.get("KLATSCH_CACHE")
    if named:
        return Path(named).absolute()
    try:
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # neither HOME nor an entry in the system's list of users
        raise EmbeddedError("This user has no home folder. Set KLATSCH_CACHE to a folder of your own.") from None
    return caches.absolute() / "klatsch"


def fetch_jars(
    cache: Path, *, lock: Path = LOCK, repository: str | None = None, cancelled: threading.Event | None = None
) -> list[Path]:
    """Returns the jars' files after fetching the missing ones. Existing files are checked by size alone.

    Raises EmbeddedError, saying what to do, when they cannot be fetched or do not match the lock file, and when
    another thread sets `cancelled`. The program can end while a thread of it is here.
    """
    folder = cache / lock.stem
    jars = read_lock(lock)
    missing = [jar for jar in jars if not _is_there(folder / jar.name, jar)]
    if missing:
        _make_writable(folder)
        _remove_abandoned(folder)
        download = _Download(repository or _repository(), folder, _Progress(missing), cancelled or threading.Event())
        _fetch_all(missing, download)
    return [folder / jar.name for jar in jars]


def _make_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        reason = "" if os.access(folder, os.W_OK | os.X_OK) else os.strerror(errno.EACCES)
    except OSError as error:
        if _is_disk_full(error):
            raise
        reason = error.strerror or str(error)
    if reason:
        raise EmbeddedError(
            f"Kafka cannot be stored in {folder} ({reason}). Set KLATSCH_CACHE to a folder of your own and start again."
        )


def _is_there(file: Path, jar: Jar) -> bool:
    try:
        return file.stat().st_size == jar.size
    except OSError:
        return False


def _repository() -> str:
    """Returns Maven Central's address, or its mirror in KLATSCH_MAVEN_URL."""
    mirror = os.environ.get("KLATSCH_MAVEN_URL")
    if mirror:
        return mirror.rstrip("/")
    from jgo.constants import MAVEN_CENTRAL_URL  # noqa: PLC0415 - takes 0.3 s, which is needed only when jars are missing

    return str(MAVEN_CENTRAL_URL)


def _remove_abandoned(folder: Path) -> None:
    """Removes what downloads left that were killed. The files of another program's download are younger."""
    for file in folder.glob(".*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - file.stat().st_ctime > _ABANDONED_AFTER_S:
                file.unlink()


def _fetch_all(jars: Sequence[Jar], download: "_Download") -> None:
    left: queue.SimpleQueue[Jar] = queue.SimpleQueue()
    for jar in jars:
        left.put(jar)
    ended: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
    # Not a pool's threads, which Python joins before it ends: a repository may be silent for `_SILENCE_S`.
    threads = [threading.Thread(target=download.work, args=(left, ended), daemon=True) for _ in range(_AT_ONCE)]
    for thread in threads:
        thread.start()
    try:
        errors = (ended.get() for _ in jars)
        error = next((error for error in errors if error is not None), None)
    finally:
        download.cancelled.set()
    if error is not None:
        download.progress.give_up()
        for thread in threads:
            thread.join()
        raise error
    download.progress.finish()


class _Damaged(Exception):
    """Raised when received bytes do not match the lock file."""


def _certificates() -> ssl.SSLContext:
    """Trusts all certificates that may be meant: the system's, SSL_CERT_FILE's, and requests' or else certifi's."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.load_default_certs()
    with contextlib.suppress(OSError):
        context.load_verify_locations(os.environ.get("REQUESTS_CA_BUNDLE") or certifi.where())
    return context


@dataclass(slots=True)
class _Download:
    repository: str
    folder: Path
    progress: "_Progress"
    cancelled: threading.Event
    certificates: ssl.SSLContext = field(default_factory=_certificates)
    until: float = field(default_factory=lambda: time.monotonic() + _DEADLINE_S)

    def work(self, left: queue.SimpleQueue[Jar], ended: queue.SimpleQueue[Exception | None]) -> None:
        """Fetches the jars that are left, and tells of each how it ended."""
        with contextlib.suppress(queue.Empty):
            while True:
                jar = left.get_nowait()
                try:
                    self.fetch(jar)
                except Exception as error:  # noqa: BLE001 - the thread that waits raises it
                    ended.put(error)
                else:
                    ended.put(None)

    def fetch(self, jar: Jar) -> None:
        """Fetches a jar in a few attempts; raises EmbeddedError with the reason of the last failure."""
        for attempt in range(_ATTEMPTS):
            self._check_wanted()
            try:
                self._fetch_once(jar)
            except (OSError, http.client.HTTPException, _Damaged) as error:
                if attempt == _ATTEMPTS - 1 or time.monotonic() > self.until or _is_disk_full(error):
                    raise EmbeddedError(_what_to_do(jar, self.repository, error)) from error
                self.cancelled.wait(_FIRST_PAUSE_S * 2**attempt)
            else:
                return

    def _fetch_once(self, jar: Jar) -> None:
        handle, name = tempfile.mkstemp(prefix=f".{jar.name}.", dir=self.folder)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                self._receive(jar, file)
            temporary.chmod(0o644)
            os.utime(temporary, (_DATE_S, _DATE_S))
            temporary.rename(self.folder / jar.name)
        finally:
            temporary.unlink(missing_ok=True)

    def _receive(self, jar: Jar, file: IO[bytes]) -> None:
        """Writes the jar to `file`; raises _Damaged when the bytes do not match the lock file."""
        digest = hashlib.sha256()
        received = 0
        url = f"{self.repository}/{jar.path}"
        with urllib.request.urlopen(url, timeout=_SILENCE_S, context=self.certificates) as answer:  # noqa: S310 - ours
            while received <= jar.size and (chunk := answer.read(_CHUNK_BYTES)):
                file.write(chunk)
                digest.update(chunk)
                received += len(chunk)
                self.progress.add(len(chunk))
                self._check_wanted()
                self._check_time()
        if received != jar.size or digest.hexdigest() != jar.sha256:
            self.progress.add(-received)
            raise _Damaged("the received file does not match the lock file")

    def _check_wanted(self) -> None:
        if self.cancelled.is_set():
            raise EmbeddedError("The download of Kafka was stopped. Fetched files are kept.")

    def _check_time(self) -> None:
        if time.monotonic() > self.until:
            raise TimeoutError(f"not finished within {_DEADLINE_S} s")


def _is_disk_full(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}


def _what_to_do(jar: Jar, repository: str, error: Exception) -> str:
    if _is_disk_full(error):
        return f"The disk is full. Free 200 MB for the cache (KLATSCH_CACHE moves it) and start again ({error})."
    if isinstance(error, _Damaged):
        return (
            f"{jar.name} from {repository} is damaged or has been tampered with, so it was deleted. "
            "Start again, or set KLATSCH_MAVEN_URL to a repository that you trust."
        )
    reason = getattr(error, "reason", error)
    return (
        f"Kafka could not be fetched from {repository} ({reason}). Check the network (HTTPS_PROXY, SSL_CERT_FILE), or "
        "set KLATSCH_MAVEN_URL to a mirror, and start again. Fetched files are kept."
    )


class _Progress:
    """Shows a bar on a terminal, else a line at the beginning and one at the end."""

    def __init__(self, jars: Sequence[Jar]) -> None:
        size = sum(jar.size for jar in jars)
        self._lock = threading.Lock()
        self._bytes = 0
        self._size = size
        self._bar = sys.stdout.isatty()
        self._what = f"Fetching Kafka ({len(jars)} jars, {size // 1_000_000} MB)"
        self._started = time.monotonic()
        if not self._bar:
            print(f"{self._what} ...", flush=True)

    def add(self, received: int) -> None:
        with self._lock:
            self._bytes += received
            if self._bar:
                done = 30 * self._bytes // max(self._size, 1)
                print(f"\r{self._what} [{'#' * done:<30}]", end="", flush=True)

    def give_up(self) -> None:
        """Ends the progress line, so that the next output begins on its own line."""
        if self._bar:
            print(flush=True)

    def finish(self) -> None:
        """Prints the elapsed time."""
        start = "\n" if self._bar else ""
        print(f"{start}Kafka fetched and checked in {time.monotonic() - self._started:.1f} s.", flush=True)
