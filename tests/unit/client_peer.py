"""A server on a real socket that does with each connection what a test says."""

import asyncio
import contextlib
import http
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from klatsch_client import Client, Message, Settings

_DEADLINE_S = 60
QUICK = Settings(reconnect_first_s=0.01, reconnect_most_s=0.05, reload=False)
"""The settings of a client that reconnects at once, and reloads nothing."""
NOW = "2026-11-24T00:00:00.000Z"
NOW_MS = 1_795_478_400_000
Script = Callable[["Peer"], Awaitable[None]]


class Peer:
    """The server's side of one connection; `number` counts them from 1."""

    def __init__(self, socket: ServerConnection, number: int) -> None:
        self.socket = socket
        self.number = number
        self.resume: str | None = None

    async def read(self) -> dict[str, Any]:
        frame: dict[str, Any] = json.loads(await self.socket.recv())
        return frame

    async def write(self, frame: dict[str, Any]) -> None:
        await self.socket.send(json.dumps(frame))

    async def welcome(self, token: int = 0, heartbeat: float = 25, replay: Sequence[dict[str, Any]] = ()) -> None:
        """Answers hello, and sends a replay and a first mark."""
        hello = await self.read()
        self.resume = hello["d"]["resume"]
        limits = {"unanswered": 64, "frame": 65_536, "text": 4_000}
        ok = {"user": "ana", "resumed": True, "heartbeat": heartbeat, "now": NOW}
        await self.write({"re": hello["id"], "ok": ok | {"limits": limits}})
        for frame in replay:
            await self.write(frame)
        await self.mark(token)

    async def mark(self, token: int) -> None:
        await self.write({"t": "mark", "resume": token_of(token)})

    async def push(self, offset: int, content: str = "hi") -> None:
        place = {"position": f"1:0:{offset}", "changed": f"1:0:{offset}"}
        body = {"id": f"m{offset}", "client_id": "c", "conversation": "one", "sender": "bob", "content": content}
        await self.write({"t": "message", "pos": f"1:0:{offset}", "d": body | place | {"sent_at": ""}})

    async def accept(self, offset: int) -> dict[str, Any]:
        """Answers the next send with `ok`; what was sent."""
        frame = await self.read()
        position = f"1:0:{offset}"
        await self.write({"re": frame["id"], "ok": {"id": f"m{offset}", "position": position, "duplicate": False}})
        sent: dict[str, Any] = frame["d"]
        return sent

    async def accept_frame(self, frame: dict[str, Any], offset: int, *, duplicate: bool = False) -> None:
        """Answers a change with `ok`."""
        ok = {"id": "change", "position": f"1:0:{offset}", "duplicate": duplicate}
        await self.write({"re": frame["id"], "ok": ok})

    async def refuse(self, frame: dict[str, Any], code: str, *, temporary: bool = False, **more: Any) -> None:
        await self.write({"re": frame["id"], "err": {"code": code, "detail": "why", "temporary": temporary, **more}})

    async def react(self, offset: int, message: str = "m1") -> None:
        """Pushes bob's reaction."""
        body = {"id": message, "conversation": "one", "emoji": "👍", "on": True, "user": "bob"}
        await self.write({"t": "reaction", "pos": f"1:0:{offset}", "d": body})

    async def stay(self) -> None:
        """Waits until the client goes."""
        await self.socket.wait_closed()


@contextlib.asynccontextmanager
async def serving(
    script: Script,
    refuse: list[http.HTTPStatus] | None = None,
    *,
    location: str | None = None,
    speaks: str = "klatsch.v1",
    port: int = 0,
) -> AsyncIterator[str]:
    """Serves the script with every connection; those of `refuse` are answered before, each once."""
    count = 0

    def check(socket: ServerConnection, _request: Request) -> Response | None:
        if not refuse:
            return None
        response = socket.respond(refuse.pop(0), "")
        if location is not None:
            response.headers["Location"] = location
        return response

    def select(_socket: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        return Subprotocol(speaks) if speaks in offered else None

    async def play(socket: ServerConnection) -> None:
        nonlocal count
        count += 1
        with contextlib.suppress(ConnectionClosed):
            await script(Peer(socket, count))

    async with serve(play, "127.0.0.1", port, select_subprotocol=select, process_request=check) as server:
        [socket] = server.sockets
        async with asyncio.timeout(_DEADLINE_S):
            yield f"ws://127.0.0.1:{socket.getsockname()[1]}/ws"


async def take_message(chat: Client) -> Message:
    """Returns the next event, which must be a message."""
    event = await anext(chat.events())
    assert isinstance(event, Message)
    return event


def token_of(offset: int) -> str:
    return f"1.0123456789abcdef.0:{offset}"
