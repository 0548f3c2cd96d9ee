"""A ChatSocket with a client of the websockets library in its place of the peer, in memory."""

from collections.abc import AsyncIterator
from typing import Any, Self

import pytest
import uvicorn
from uvicorn.server import ServerState
from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.protocol import State
from websockets.uri import parse_uri

from klatsch.gateway.socket import ChatSocket
from tests.support.waiting import until
from tests.unit.http_peer import Wire as HttpWire


class Wire(HttpWire):
    """A transport whose other end is a WebSocket client of the `websockets` library."""

    def __init__(self, client: ClientProtocol) -> None:
        super().__init__()
        self.client = client
        self.high: int | None = None
        self.unsent = 0
        """The bytes that the peer has not taken."""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = high

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def write(self, data: Any) -> None:
        super().write(data)
        self.client.receive_data(bytes(data))


class Chat:
    """A socket that was opened, its client, and the events that the application got."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.scope: Any = None
        self.client = ClientProtocol(parse_uri("ws://chat.example/ws"))
        self.transport = Wire(self.client)
        config = uvicorn.Config(
            self._application, ws=ChatSocket, interface="asgi3", lifespan="off", log_config=None, ws_ping_interval=None
        )
        config.load()
        self.socket = ChatSocket(config, ServerState(), {})

    async def _application(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = scope
        await receive()
        await send({"type": "websocket.accept"})
        while not self.events or self.events[-1]["type"] != "websocket.disconnect":
            self.events.append(await receive())

    async def open(self) -> None:
        self.socket.connection_made(self.transport)
        self.client.send_request(self.client.connect())
        self.from_client()
        await until(lambda: self.client.state is State.OPEN)
        self.client.events_received()

    def from_client(self) -> None:
        """Passes the server what the client has to send."""
        for data in self.client.data_to_send():
            if data:
                self.socket.data_received(data)

    def frames(self) -> list[Frame]:
        return [event for event in self.client.events_received() if isinstance(event, Frame)]

    def close_code(self) -> int | None:
        """Returns the code that the client was closed with."""
        return self.client.close_rcvd.code if self.client.close_rcvd else None

    def lose(self) -> None:
        self.socket.connection_lost(None)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        if not self.socket.disconnected:
            self.lose()
        await until(lambda: not self.socket.tasks)


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with Chat() as chat:
        yield chat
