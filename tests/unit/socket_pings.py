"""Pings of a socket and their answers, also of a chat in a replay."""

import asyncio
import itertools
from operator import xor
from typing import Any

from websockets.frames import Opcode

from tests.unit.socket_chat import Chat


def pong(payload: bytes, mask: bytes = b"\x01\x02\x03\x04") -> bytes:
    """Returns a client's pong."""
    return b"\x8a" + bytes([0x80 | len(payload)]) + mask + bytes(map(xor, payload, itertools.cycle(mask)))


def ping(chat: Chat) -> bytes:
    """Pings the client; returns the payload of the ping, whose answer by the client is dropped."""
    chat.socket.keepalive.ping_some()
    chat.client.data_to_send()
    pings = [frame for frame in chat.frames() if frame.opcode is Opcode.PING]
    return bytes(pings[-1].data) if pings else b""


class Replaying(Chat):
    """A chat whose application is busy with the first text, as with a replay, until `is_replayed` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.is_replaying = asyncio.Event()
        self.is_replayed = asyncio.Event()

    async def _application(self, scope: Any, receive: Any, send: Any) -> None:
        async def receive_and_replay() -> Any:
            event = await receive()
            if event["type"] == "websocket.receive":
                self.is_replaying.set()
                await self.is_replayed.wait()
            return event

        await super()._application(scope, receive_and_replay, send)
