"""The folder of a trial installation (KLATSCH_DATA): its lock, its secret, and the settings of the running services."""

import contextlib
import fcntl
import os
import secrets
import shutil
import time
from pathlib import Path

import environ

from klatsch.embedded import child
from klatsch.embedded.child import EmbeddedError

_LEAST_FREE_BYTES = 500_000_000  # an empty PostgreSQL cluster (60 MB), write-ahead and Kafka's logs, and room to work
_PATIENCE_S = 0.5  # `published` holds the lock for the moment of its check


def default_folder(checkout: Path) -> Path:
    """Returns KLATSCH_DATA of the environment or, if unset, of `.env` in the checkout, which it loads; or a default."""
    if (checkout / ".env").exists():
        environ.Env.read_env(checkout / ".env")
    return Path(os.environ.get("KLATSCH_DATA") or ".klatsch")


class DataFolder:
    """A data folder, opened by one process at a time. Only its owner can read its secrets."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._env_file = self.path / "env"
        self._lock: int | None = None

    def open(self) -> None:
        """Creates the folder and locks it; raises EmbeddedError when another process has it or the disk is full."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        free = shutil.disk_usage(self.path).free
        if free < _LEAST_FREE_BYTES:
            raise EmbeddedError(
                f"The disk of {self.path} is full ({free // 1_000_000} MB free). Free "
                f"{_LEAST_FREE_BYTES // 1_000_000} MB, or set KLATSCH_DATA to a folder on another disk."
            )
        until = time.monotonic() + _PATIENCE_S
        while (lock := self._take_lock()) is None and time.monotonic() < until:
            time.sleep(child.POLL_S)
        if lock is None:
            raise EmbeddedError(
                f"Klatsch is already running on {self.path}. Stop it first, or set KLATSCH_DATA (and KLATSCH_PORT) to "
                "run a second installation."
            )
        self._lock = lock

    def remove(self) -> None:
        """Removes all data, and the folder too where it is neither a link nor another disk's.

        Raises EmbeddedError while Klatsch runs on it.
        """
        lock = self._take_lock()
        if lock is None:
            raise EmbeddedError(f"Klatsch is running on {self.path}. Stop it first.")
        try:
            for entry in self.path.iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
            with contextlib.suppress(OSError):
                self.path.rmdir()
        finally:
            os.close(lock)

    def secret_key(self) -> str:
        """Returns a random key, created once, so that sessions outlive restarts."""
        file = self.path / "secret_key"
        if not file.exists():
            _write_private(file, secrets.token_urlsafe(48))
        return file.read_text().strip()

    def publish(self, settings: dict[str, str]) -> None:
        """Writes the running services' settings for commands that run beside them."""
        _write_private(self._env_file, "".join(f"{name}={value}\n" for name, value in settings.items()))

    def withdraw(self) -> None:
        """Removes the settings that `publish` wrote, not those of another process that has the folder."""
        if self._lock is not None:
            self._env_file.unlink(missing_ok=True)

    def published(self) -> dict[str, str] | None:
        """Returns the settings of the running services; None when nothing runs, even after a killed run."""
        if not self._env_file.exists():
            return None
        lock = self._take_lock()
        if lock is not None:
            os.close(lock)
            return None
        pairs = (line.partition("=") for line in self._env_file.read_text().splitlines())
        return {name: value for name, _, value in pairs}

    def _take_lock(self) -> int | None:
        """Returns a held lock, or None where another process holds it. Closing it or ending the process releases it."""
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        return lock


def _write_private(file: Path, text: str) -> None:
    temporary = file.with_name(f".{file.name}.new")
    temporary.unlink(missing_ok=True)
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:  # noqa: PTH123 - by mode
        opened.write(text)
    temporary.rename(file)
