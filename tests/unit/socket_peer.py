"""The client's side of a WebSocket connection in memory: it says hello, sends frames and reads answers."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from klatsch.gateway.allowance import Allowance
from klatsch.gateway.language.protocol import Close
from klatsch.gateway.socket import EXTENSION
from tests.support.gateway_parts import Parts, signed_in, standing_of
from tests.support.peer import Peer
from tests.support.records import ANA, TEA, Somebody, fresh_client_id, in_group
from tests.support.waiting import until


class SocketPeer(Peer):
    """A peer below a connection: closing it ends what the application receives, as ChatSocket does."""

    def __init__(self) -> None:
        super().__init__()
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.resumed: Callable[[], None] = lambda: None
        self.allowances: tuple[Allowance, ...] = ()
        self.sent: list[dict[str, Any]] = []
        self.reads_ahead_from: int | None = None
        """The number of writes before the connection had its socket read ahead."""

    def read_ahead(self) -> None:
        self.reads_ahead_from = self.writes

    def end(self, code: Close, reason: str) -> None:
        super().end(code, reason)
        self.events.put_nowait({"type": "websocket.disconnect", "code": int(code)})

    def scope(self, **more: Any) -> dict[str, Any]:
        return {
            "type": "websocket",
            "subprotocols": ["klatsch.v1"],
            "headers": [(b"authorization", b"Bearer abc")],
            "extensions": {EXTENSION: self},
        } | more

    async def receive(self) -> dict[str, Any]:
        return await self.events.get()

    async def send(self, event: dict[str, Any]) -> None:
        self.sent.append(event)

    def say(self, frame: Any) -> None:
        """Writes a frame as the client: JSON of a value, or a text as it is."""
        text = frame if isinstance(frame, str) else json.dumps(frame)
        self.events.put_nowait({"type": "websocket.receive", "text": text})

    def hang_up(self) -> None:
        self.events.put_nowait({"type": "websocket.disconnect", "code": 1001})

    async def reads(self, count: int) -> list[dict[str, Any]]:
        """Returns the next frames from the server, once there are as many."""
        frames: list[dict[str, Any]] = []

        def enough() -> bool:
            frames.extend(self.read())
            return len(frames) >= count

        await until(enough)
        return frames


@asynccontextmanager
async def connected(parts: Parts, **scope: Any) -> AsyncIterator[SocketPeer]:
    """Runs a connection until the block ends or the server closes it."""
    peer = SocketPeer()
    peer.events.put_nowait({"type": "websocket.connect"})
    application: Any = parts.connection()
    running = asyncio.ensure_future(application(peer.scope(**scope), peer.receive, peer.send))
    try:
        yield peer
    finally:
        peer.hang_up()
        async with asyncio.timeout(10):
            await running


async def hello(
    parts: Parts, peer: SocketPeer, somebody: Somebody = ANA, *, resume: str | None = None, count: int = 2
) -> list[Any]:
    """Signs in, says hello, and returns what is answered."""
    parts.database.answers += [signed_in(somebody), [standing_of(in_group(somebody))]]
    peer.say({"id": 1, "op": "hello", "d": {"resume": resume}})
    return await peer.reads(count)


def send_frame(re: int, content: str = "hi", **fields: Any) -> dict[str, Any]:
    body = {"conversation": str(TEA), "client_id": fresh_client_id(), "content": content} | fields
    return {"id": re, "op": "send", "d": body}
