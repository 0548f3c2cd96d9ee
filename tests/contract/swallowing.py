"""A way to a broker that can swallow what is fetched: the connection stays, and no answer comes."""

import contextlib
import socket
import struct
import threading

_HOST = "127.0.0.1"
_FETCH = 1
"""The key of the Fetch request in Kafka's protocol."""


class SwallowingProxy:
    """Listens on a port of its own, for the broker's. `swallow` concerns connections of that moment, no later ones."""

    def __init__(self) -> None:
        self._server = socket.create_server((_HOST, 0))
        self.port: int = self._server.getsockname()[1]
        self.target_port = 0
        self.swallowed = 0
        self._made = 0
        self._deaf_up_to = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def swallow(self) -> None:
        self._deaf_up_to = self._made

    def close(self) -> None:
        self._server.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                self._made += 1
                threading.Thread(target=self._serve, args=(client, self._made), daemon=True).start()

    def _serve(self, client: socket.socket, number: int) -> None:
        with client, contextlib.suppress(OSError), socket.create_connection((_HOST, self.target_port)) as broker:
            threading.Thread(target=_pass_on, args=(broker, client), daemon=True).start()
            while head := _receive(client, 6):
                size, key = struct.unpack(">ih", head)
                rest = _receive(client, size - 2)
                if key == _FETCH and number <= self._deaf_up_to:
                    self.swallowed += 1
                else:
                    broker.sendall(head + rest)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65_536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_RDWR)


def _receive(source: socket.socket, size: int) -> bytes:
    """Reads so many bytes, or none where there are no more."""
    data = b""
    while len(data) < size:
        piece = source.recv(size - len(data))
        if not piece:
            return b""
        data += piece
    return data
