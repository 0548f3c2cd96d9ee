"""A peer of the gateway's HTTP port in memory: what it sends, and what it and the application get."""

import asyncio
import json
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from klatsch.gateway.http.bounded import BoundedHttp
from klatsch.gateway.socket import ChatSocket
from tests.support.waiting import until

HELLO = b"GET /hello HTTP/1.1\r\nHost: k\r\n\r\n"
EVENTS = b"GET /events HTTP/1.1\r\nHost: k\r\n\r\n"
UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: k\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nX_Forwarded_For: false\r\n\r\n"
)


class Wire(asyncio.Transport):
    """A transport that keeps what was written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.raw = b""
        self.closing = self.aborted = self.ended = False
        self.reading = True
        self.protocol: Any = None

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("192.0.2.1", 1), "sockname": ("192.0.2.2", 8000)}.get(name, default)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def write(self, data: Any) -> None:
        assert not self.ended
        self.raw += data

    def get_write_buffer_size(self) -> int:
        return 0

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    def abort(self) -> None:
        self.closing = self.aborted = True


class Peer:
    """A connection. `scopes` and `bodies` are what the application got, which answers when `may` is set.

    It streams `/events` until the peer is gone, and counts the streams that have ended.
    """

    def __init__(self) -> None:
        self.wire = Wire()
        self.scopes: list[Any] = []
        self.bodies: list[bytes] = []
        self.streams_ended = 0
        self.may = asyncio.Event()
        self.may.set()
        config = uvicorn.Config(
            self._application, http=BoundedHttp, ws=ChatSocket, interface="asgi3", lifespan="off", log_config=None
        )
        config.load()
        self.protocol = BoundedHttp(config, ServerState(), {})
        self.protocol.connection_made(self.wire)

    async def _application(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        if scope["type"] != "http":
            return
        body, event = b"", {"more_body": True}
        while event.get("more_body"):
            event = await receive()
            body += event.get("body", b"")
        self.bodies.append(body)
        if scope["path"] == "/events":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await receive()
            await send({"type": "http.response.body", "body": b"nobody reads this", "more_body": True})
            self.streams_ended += 1
            return
        await self.may.wait()
        length = [(b"content-length", b"2")] if scope["path"] == "/hello" else []
        await send({"type": "http.response.start", "status": 200, "headers": length})
        await send({"type": "http.response.body", "body": b"o", "more_body": True})
        await send({"type": "http.response.body", "body": b"k"})

    def send(self, data: bytes) -> None:
        """Arrives as at a server: never more than 256 KiB at once, and nothing while nobody reads."""
        while data and self.wire.reading and not self.wire.closing:
            self.protocol.data_received(data[: 256 * 1024])
            data = data[256 * 1024 :]

    async def upload(self, data: bytes) -> None:
        """Sends all of it, a piece whenever the server reads."""
        for start in range(0, len(data), 60_000):
            await until(lambda: self.wire.reading)
            self.send(data[start : start + 60_000])

    async def refusal(self) -> tuple[int, str]:
        await until(lambda: b"\r\n\r\n" in self.wire.raw)
        head, _, body = self.wire.raw.partition(b"\r\n\r\n")
        assert b"\r\ncontent-type: application/problem+json\r\n" in head
        assert head.count(b"\r\ncache-control: no-store\r\n") == 1
        assert head.endswith(b"\r\nconnection: close")
        return int(head.split()[1]), json.loads(body)["code"]

    def answers(self) -> int:
        return self.wire.raw.count(b"HTTP/1.1 200 OK")
