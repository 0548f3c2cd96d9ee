"""A network between the tests and PostgreSQL that can be cut, and that can swallow what it carries."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any

from klatsch.embedded.child import free_ports


class Way:
    """A port of our own that leads to PostgreSQL while it is open; what has come through goes with it."""

    def __init__(self, target: dict[str, Any]) -> None:
        [self.port] = free_ports(1)
        self._target = target
        self._server: socket.socket | None = None
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._moving = threading.Event()
        self._moving.set()
        self._stranded: list[threading.Event] = []

    def open(self) -> None:
        self._server = socket.create_server(("127.0.0.1", self.port))
        self._run(self._accept, self._server)

    def close(self) -> None:
        self.thaw()
        if self._server is not None:
            _shut(self._server)
            self._server.close()
            self._server = None
        for end in self._ends:
            _shut(end)
        for thread in self._threads:
            thread.join()
        for end in self._ends:
            end.close()
        self._ends.clear()

    def freeze(self) -> None:
        """Passes nothing on any more, and closes nothing."""
        self._moving.clear()

    def strand(self) -> None:
        """Freezes what goes through now, until it is closed. What comes later passes."""
        self.freeze()
        self._stranded.append(self._moving)
        self._moving = threading.Event()
        self._moving.set()

    def thaw(self) -> None:
        for moving in (*self._stranded, self._moving):
            moving.set()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        moving = self._moving
        with contextlib.suppress(OSError):
            while piece := source.recv(65_536):
                moving.wait()
                target.sendall(piece)
        _shut(source)
        _shut(target)

    def _accept(self, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = server.accept()
                there = self._connect()
                self._ends += (client, there)
                for ends in ((client, there), (there, client)):
                    self._run(self._pass_on, *ends)

    def _run(self, function: Callable[..., None], *arguments: socket.socket) -> None:
        self._threads.append(threading.Thread(target=function, args=arguments, daemon=True))
        self._threads[-1].start()

    def _connect(self) -> socket.socket:
        host, port = self._target["host"], self._target.get("port", 5432)
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        there = socket.socket(socket.AF_UNIX)
        there.connect(f"{host}/.s.PGSQL.{port}")
        return there


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
