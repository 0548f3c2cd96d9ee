"""A socket whose peer has said hello, and the frames that it is sent."""

import pytest

from klatsch.gateway.allowance import Allowances
from klatsch.gateway.language.protocol import wire
from tests.support.waiting import until
from tests.unit.socket_chat import Chat
from tests.unit.socket_chat import chat as chat  # noqa: PLC0414 - the fixture

PING = b"\x89\x80\0\0\0\0"


PONG = b"\x8a\x80\0\0\0\0"


BEGIN = b"\x01\x80\0\0\0\0"


FRAGMENT = b"\x00\x80\0\0\0\0"


@pytest.fixture
async def greeted(chat: Chat) -> Chat:
    """Returns a socket whose peer has said hello, at the default rate of messages and a clock that stands."""
    chat.socket.allowances = Allowances(500, clock=lambda: 0.0).of("ana")
    return chat


def text_frame(payload: bytes) -> bytes:
    """Returns a client's text frame: `wire` of a server, masked with zeros."""
    frame = wire(payload)
    head = len(frame) - len(payload)
    return frame[:1] + bytes([frame[1] | 0x80]) + frame[2:head] + bytes(4) + payload


async def settled(chat: Chat) -> None:
    """Returns when the loop has nothing more of this peer's to do."""
    await until(lambda: not chat.socket._waiting and chat.socket._turn is None)
