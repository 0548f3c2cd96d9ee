"""A peer that means no good, as a program of its own: it sends the same bytes again and again, whatever it is told.

`python -m tests.e2e.flooder PORT TOKEN FIRST FRAMES` sends FIRST once after the handshake and then FRAMES at 2 MiB/s,
both given in hexadecimal. With a token it says hello before; `-` stands for none. When it is cut off it comes again,
five times a second at most. It prints each beginning and each code that it was closed with, and ends when its input
does.
"""

import contextlib
import os
import socket
import sys
import threading
import time

from klatsch.gateway.language.protocol import wire

_EVERY_S = 0.01
_CHUNK_BYTES = 2 * 2**20 // 100
_COMES_AGAIN_S = 0.2
_DEADLINE_S = 30


def main() -> None:
    port, token = int(sys.argv[1]), sys.argv[2]
    first, frames = map(bytes.fromhex, sys.argv[3:])
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    while True:
        started_s = time.monotonic()
        with contextlib.suppress(OSError):
            _flood(port, token, first, frames)
        time.sleep(max(0.0, started_s + _COMES_AGAIN_S - time.monotonic()))


def _flood(port: int, token: str, first: bytes, frames: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=_DEADLINE_S) as connection:
        connection.sendall(_handshake(port, token))
        _read_until(connection, b"\r\n\r\n")
        if token != "-":
            connection.sendall(masked(b'{"id":1,"op":"hello"}'))
            _read_until(connection, b'"mark"')
        connection.sendall(first)
        _tell("floods")
        connection.setblocking(False)
        chunk = frames * (_CHUNK_BYTES // len(frames) or 1)
        due_s = time.monotonic()
        while True:
            _send(connection, chunk)
            _tell_close(connection)
            due_s += _EVERY_S * len(chunk) / _CHUNK_BYTES
            time.sleep(max(0.0, due_s - time.monotonic()))


def _read_until(connection: socket.socket, end: bytes) -> None:
    answered = b""
    while end not in answered:
        came = connection.recv(65_536)
        if not came:
            raise ConnectionError
        answered += came


def _send(connection: socket.socket, chunk: bytes) -> None:
    left = memoryview(chunk)
    while left:
        try:
            left = left[connection.send(left) :]
        except BlockingIOError:
            time.sleep(_EVERY_S)
            _tell_close(connection)


def _tell_close(connection: socket.socket) -> None:
    """Prints the code of a close frame among what came, and gives up when the connection ended."""
    with contextlib.suppress(BlockingIOError):
        came = connection.recv(65_536)
        for code in (4401, 4429):
            if b"\x88" in came and code.to_bytes(2, "big") in came:
                _tell(str(code))
        if not came:
            raise ConnectionError


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _handshake(port: int, token: str) -> bytes:
    credential = "" if token == "-" else f"Authorization: Bearer {token}\r\n"
    return (
        f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{credential}"
        "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: klatsch.v1\r\n\r\n"
    ).encode()


def masked(payload: bytes) -> bytes:
    """Returns a client's text frame: a server's, masked with zeros."""
    frame = wire(payload)
    head = len(frame) - len(payload)
    return frame[:1] + bytes([frame[1] | 0x80]) + frame[2:head] + bytes(4) + payload


def _end_with_stdin() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
