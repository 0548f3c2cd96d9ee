"""A cheap WebSocket client, so that the server is measured: raw frames on asyncio's transports."""

import asyncio
import base64
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
_OPEN_S: Final = 20
_AT_ONCE: Final = 20


@dataclass(frozen=True, slots=True)
class Door:
    """The address and the handshake of a system's WebSockets. `headers` are complete lines."""

    host: str
    port: int
    path: str = "/ws"
    protocol: str = "klatsch.v1"
    headers: tuple[str, ...] = ()


class Socket(asyncio.Protocol):
    """A connection. `on_text(payload)` gets each text frame, and `on_lost(reason)` is called once at the end."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._buffer = bytearray()
        self._open = False
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.on_text: Callable[[bytes], None] = lambda _payload: None
        self.on_lost: Callable[[str], None] = lambda _reason: None
        self.closed: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        lines = [
            f"GET {self._door.path} HTTP/1.1",
            f"Host: {self._door.host}:{self._door.port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
            "Sec-WebSocket-Version: 13",
            *([f"Sec-WebSocket-Protocol: {self._door.protocol}"] if self._door.protocol else []),
            *self._door.headers,
        ]
        head = "".join(f"{line}\r\n" for line in [*lines, ""])
        transport.write(head.encode())  # type: ignore[attr-defined]  # it is a Transport

    def send(self, payload: bytes) -> None:
        """Sends a masked text frame. The mask is zero, which is valid and cheap."""
        self.transport.write(frame(TEXT, payload))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._open:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if not self._buffer.startswith(b"HTTP/1.1 101"):
                self.opened.set_exception(RuntimeError(bytes(self._buffer[:end]).decode()))
                return
            del self._buffer[: end + 4]
            self._open = True
            self.opened.set_result(None)
        self._read_frames()

    def _read_frames(self) -> None:
        buffer, at, end = self._buffer, 0, len(self._buffer)
        while end - at >= 2:
            opcode, length, begin = buffer[at] & 0xF, buffer[at + 1], at + 2
            if length >= 126:
                width = 2 if length == 126 else 8
                length, begin = int.from_bytes(buffer[begin : begin + width], "big"), begin + width
            if end < begin + length:
                break
            payload = bytes(buffer[begin : begin + length])
            at = begin + length
            if opcode == TEXT:
                self.take_text(payload)
            elif opcode == PING:
                self.transport.write(frame(PONG, payload))
            elif opcode == CLOSE:
                self.closed = f"{int.from_bytes(payload[:2], 'big')} {payload[2:].decode()}"
                self.transport.close()
        del buffer[:at]

    def take_text(self, payload: bytes) -> None:
        """Hands a text frame on; a system that puts several messages into a frame overrides this."""
        self.on_text(payload)

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = self.closed or f"connection lost: {exc}"
        if not self.opened.done():
            self.opened.set_exception(RuntimeError(self.closed))
        self.on_lost(self.closed)


def frame(opcode: int, payload: bytes) -> bytes:
    length = len(payload)
    if length < 126:
        return bytes([0x80 | opcode, 0x80 | length, 0, 0, 0, 0]) + payload
    return bytes([0x80 | opcode, 0x80 | 126]) + length.to_bytes(2, "big") + b"\0\0\0\0" + payload


def request(number: int, op: str, body: dict[str, Any]) -> bytes:
    """Returns the payload of an operation."""
    return json.dumps({"id": number, "op": op, "d": body}).encode()


def fresh_name(number: int) -> str:
    """Returns a `client_id` of this millisecond, which a gateway finds in memory (D3)."""
    now_ms = int(time.time() * 1000)
    return f"{now_ms >> 16:08x}-{now_ms & 0xFFFF:04x}-7000-8000-{number:012x}"


async def open_door(door: Door, kind: type[Socket] = Socket) -> Socket:
    """Returns an accepted connection that has sent nothing yet; raises OSError, RuntimeError."""
    loop = asyncio.get_running_loop()
    transport, socket = await loop.create_connection(lambda: kind(door), door.host, door.port)
    try:
        await socket.opened
    except BaseException:  # whoever waits for this may have a deadline
        transport.abort()
        raise
    return socket


async def open_socket(host: str, port: int, token: str) -> Socket:
    """Returns an accepted connection to a gateway, like `open_door`."""
    return await open_door(Door(host, port, headers=(f"Authorization: Bearer {token}",)))


async def connect(host: str, port: int, token: str) -> Socket:
    """Returns an open connection that has sent hello and has its first mark."""
    async with asyncio.timeout(_OPEN_S):
        socket = await open_socket(host, port, token)
        await say_hello(socket)
    return socket


async def say_hello(socket: Socket) -> None:
    """Returns with the first mark of a new connection."""
    marked: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def greeted(payload: bytes) -> None:
        if payload.startswith(b'{"t":"mark"') and not marked.done():
            marked.set_result(None)

    def lost(reason: str) -> None:
        if not marked.done():
            marked.set_exception(RuntimeError(reason))

    socket.on_text, socket.on_lost = greeted, lost
    socket.send(b'{"id":0,"op":"hello","d":{"resume":null}}')
    await marked


async def connect_all(addresses: Sequence[tuple[str, int]], tokens: Sequence[str]) -> list[Socket]:
    """Returns a greeted connection for each token, twenty at a time, to the addresses in turn."""
    sockets: list[Socket] = []
    for begin in range(0, len(tokens), _AT_ONCE):
        some = enumerate(tokens[begin : begin + _AT_ONCE], begin)
        sockets += await asyncio.gather(*(connect(*addresses[n % len(addresses)], token) for n, token in some))
    return sockets
