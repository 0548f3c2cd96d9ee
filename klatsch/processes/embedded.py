"""`make up`: runs PostgreSQL, Kafka, the gateway (with REST) and a persister on this machine."""

import argparse
import contextlib
import errno
import http.client
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from klatsch.embedded import child
from klatsch.embedded.child import EmbeddedError
from klatsch.embedded.data_folder import DataFolder, default_folder
from klatsch.embedded.kafka import EmbeddedKafka
from klatsch.embedded.postgres import EmbeddedPostgres
from klatsch.embedded.supervisor import Program, Stopped, StopSignals, Supervisor, print_line

ROOT = Path(__file__).resolve().parents[2]
_HOST = "127.0.0.1"
_STEP_DEADLINE_S = 300  # for migrating a full archive
_READY_DEADLINE_S = 120
_LONGEST_PORT = 65_535
_PARTITIONS = "4"
"""Of a new topic. One machine needs no more, and each costs CPU (docs/decisions/0055)."""
_PUBLISHED = (
    "DATABASE_URL",
    "KAFKA_BOOTSTRAP_SERVERS",
    "KLATSCH_SECRET_KEY",
    "KLATSCH_ALLOWED_HOSTS",
    "KLATSCH_ORIGINS",
    "KLATSCH_PUBLIC_URL",
    "KLATSCH_INSECURE_COOKIES",
    "KLATSCH_LOG_FORMAT",
    "KLATSCH_PARTITIONS",
    "KLATSCH_PORT",
)


class Installation:
    """Everything that `up` starts, in the order of its dependencies."""

    def __init__(self, folder: DataFolder, port: int, supervisor: Supervisor) -> None:
        self._folder = folder
        self._port = port
        self._supervisor = supervisor
        self._env = {**os.environ, "PYTHONUNBUFFERED": "1", "KLATSCH_PORT": str(port)}
        self._python = [sys.executable, str(ROOT / "manage.py")]

    def start(self) -> None:
        """Returns when the gateway reports that it is ready."""
        self._set_defaults()
        postgres, kafka = self._own_services()
        # Kafka starts first, as it is slower, beside everything that needs only PostgreSQL.
        wait_for_kafka = _in_background(lambda: _bring_up(kafka))
        _bring_up(postgres)
        self._step("migrate", "migrate", "--no-input")
        wait_for_kafka()
        self._step("topics", "topics", "create")
        self._folder.publish({name: self._env[name] for name in _PUBLISHED if name in self._env})
        self._start_program("persister", "persister")
        self._start_program("gateway", "gateway", "--host", _HOST, "--port", str(self._port))
        until = time.monotonic() + _READY_DEADLINE_S
        self._supervisor.run(until=lambda: self._is_ready() or time.monotonic() > until)
        if not self._is_ready():
            raise EmbeddedError(f"Klatsch was not ready after {_READY_DEADLINE_S} s. The lines above say why.")

    def remark(self) -> str:
        """Returns a sentence on settings for another address, such as those of `make compose-env`; else nothing."""
        address = f"http://localhost:{self._port}"
        if address in [origin.strip() for origin in self._env["KLATSCH_ORIGINS"].split(",")]:
            return ""
        return (
            f"Browsers cannot chat at this address: KLATSCH_ORIGINS lacks {address}. Set KLATSCH_ORIGINS and "
            "KLATSCH_PUBLIC_URL to this address, or remove both from the environment and .env."
        )

    def _set_defaults(self) -> None:
        """Sets defaults for plain HTTP on this machine, where the environment has no value."""
        origins = f"http://localhost:{self._port},http://127.0.0.1:{self._port}"
        for name, value in (
            ("KLATSCH_SECRET_KEY", self._folder.secret_key()),
            ("KLATSCH_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]"),
            ("KLATSCH_ORIGINS", origins),
            ("KLATSCH_PUBLIC_URL", f"http://localhost:{self._port}"),
            ("KLATSCH_INSECURE_COOKIES", "1"),
            ("KLATSCH_LOG_FORMAT", "console"),
            ("KLATSCH_PARTITIONS", _PARTITIONS),
        ):
            self._env[name] = self._env.get(name) or value

    def _own_services(self) -> tuple[EmbeddedPostgres | None, EmbeddedKafka | None]:
        """Returns the services whose address is not set; watched in the reverse order of stopping."""
        postgres, kafka = None, None
        if not self._env.get("DATABASE_URL"):
            postgres = EmbeddedPostgres(self._folder.path / "postgres")
            self._supervisor.watch("postgres", postgres)
            self._env["DATABASE_URL"] = postgres.url
        if not self._env.get("KAFKA_BOOTSTRAP_SERVERS"):
            kafka = EmbeddedKafka(self._folder.path / "kafka")
            self._supervisor.watch("kafka", kafka)
            self._env["KAFKA_BOOTSTRAP_SERVERS"] = kafka.bootstrap_servers
        return postgres, kafka

    def _step(self, name: str, *arguments: str) -> None:
        """Runs a manage.py command to its end; shows its output when it fails."""
        log = self._folder.path / f"{name}.log"
        with log.open("wb") as output:
            process = child.spawn([*self._python, *arguments], env=self._env, output=output)
        child.wait_for_success(process, _STEP_DEADLINE_S, f"manage.py {' '.join(arguments)}", log)

    def _start_program(self, name: str, *arguments: str) -> None:
        program = Program(name, [*self._python, *arguments], self._env, print_line)
        self._supervisor.watch(name, program)
        program.start()

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection(_HOST, self._port, timeout=2)
        with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/readyz", headers={"Host": self._host_header()})
            return connection.getresponse().status == http.HTTPStatus.OK
        return False

    def _host_header(self) -> str:
        """Returns a name that the server answers to, whatever hosts are allowed."""
        first = self._env["KLATSCH_ALLOWED_HOSTS"].split(",")[0].strip()
        return "localhost" if first == "*" else first.removeprefix(".")


def _bring_up(service: EmbeddedPostgres | EmbeddedKafka | None) -> None:
    if service is not None:
        service.start()
        service.wait_ready()


def _in_background(work: Callable[[], None]) -> Callable[[], None]:
    """Starts the work in a thread that a stop need not wait for; the returned function waits, and raises its error."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except (EmbeddedError, OSError) as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def wait() -> None:
        thread.join()
        if errors:
            raise errors[0]

    return wait


def _chosen_port() -> int:
    """Returns KLATSCH_PORT if it is free; raises EmbeddedError otherwise."""
    text = os.environ.get("KLATSCH_PORT") or "8000"
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= _LONGEST_PORT):
        raise EmbeddedError(f"KLATSCH_PORT must be a number from 1 to {_LONGEST_PORT}.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, int(text)))
        except OSError as error:
            raise EmbeddedError(
                f"Port {text} cannot be used ({error.strerror}). Set KLATSCH_PORT to another, for example "
                "`KLATSCH_PORT=8001 make up`."
            ) from None
    return int(text)


def up(folder: DataFolder) -> None:
    """Starts everything and keeps it running until a signal; leaves only the data behind."""
    began = time.monotonic()
    signals = StopSignals()
    supervisor = Supervisor(print_line, hurry=signals.hurry)
    signals.install()
    try:
        folder.open()
        port = _chosen_port()
        installation = Installation(folder, port, supervisor)
        installation.start()
        print_line(
            f"Klatsch is ready after {time.monotonic() - began:.1f} s: http://localhost:{port}/ "
            f"(Swagger UI http://localhost:{port}/api/docs, admin http://localhost:{port}/admin/; Ctrl-C stops it)."
        )
        if remark := installation.remark():
            print_line(remark)
        supervisor.run()
    except Stopped:
        print_line("Stopping ...")
    finally:
        signals.stopping()
        supervisor.stop()
        folder.withdraw()


def run(folder: DataFolder, command: list[str]) -> None:
    """Becomes `python COMMAND` with the settings of the services that run on this folder, or of the environment."""
    settings = folder.published() or {}
    if not settings and not (os.environ.get("DATABASE_URL") and os.environ.get("KAFKA_BOOTSTRAP_SERVERS")):
        raise EmbeddedError(f"Nothing is running on {folder.path}. Start Klatsch with `make up` in another terminal.")
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # `-m` finds modules of this repository from any folder.
    os.chdir(ROOT)
    os.execve(sys.executable, [sys.executable, *command], {**os.environ, **settings})  # noqa: S606 - the person's own


def reset(folder: DataFolder) -> None:
    """Removes all data, after asking."""
    if not folder.path.exists():
        print(f"There is no data in {folder.path}.")
        return
    print(f"Remove everything in {folder.path}, including all messages? [y/N] ", end="", flush=True)
    if sys.stdin.readline().strip() == "y":
        folder.remove()
    else:
        print("Nothing was removed.")


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line; a failure that the user can fix ends with one sentence and status 1."""
    parser = argparse.ArgumentParser(prog="python -m klatsch.processes.embedded", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of all data (default: KLATSCH_DATA, or .klatsch here)")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("up", help="start everything on KLATSCH_PORT (8000) and keep it running; the default")
    commands.add_parser("reset", help="remove all data, after asking")
    runner = commands.add_parser(
        "run",
        help="run Python with the settings of the running services, such as: run -- manage.py createsuperuser",
    )
    runner.add_argument("program", nargs=argparse.REMAINDER, help="the arguments of Python")
    chosen = parser.parse_args(arguments)
    default = default_folder(ROOT)
    folder = DataFolder(chosen.data or default)
    try:
        if chosen.command == "run":
            run(folder, [part for index, part in enumerate(chosen.program) if index or part != "--"])
        elif chosen.command == "reset":
            reset(folder)
        else:
            up(folder)
    except (EmbeddedError, OSError) as error:
        sys.exit(sentence_of(error))


def sentence_of(error: EmbeddedError | OSError) -> str:
    """Returns a sentence that says what went wrong and what to do; re-raises an unexpected OSError."""
    if os.strerror(errno.ENOSPC) in str(error) or os.strerror(errno.EDQUOT) in str(error):
        return "The disk is full. Free some space, or set KLATSCH_DATA (and KLATSCH_CACHE) to a folder on another disk."
    if isinstance(error, PermissionError | NotADirectoryError | FileExistsError):
        return f"{error.filename} cannot be used ({error.strerror}). Set KLATSCH_DATA to a folder of your own."
    if isinstance(error, OSError):
        raise error
    return str(error)


if __name__ == "__main__":
    main()
