"""Asks a peer's server one thing after the other while a connection is set up."""

import asyncio
from collections.abc import Callable
from typing import Final

from bench.client import Socket

_ANSWER_S: Final = 20.0


async def ask(socket: Socket, payload: bytes, is_answer: Callable[[bytes], bool]) -> bytes:
    """Sends a frame and returns the first frame that answers it; raises TimeoutError, and RuntimeError at the end."""
    answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def take(came: bytes) -> None:
        if is_answer(came) and not answered.done():
            answered.set_result(came)

    def lost(reason: str) -> None:
        if not answered.done():
            answered.set_exception(RuntimeError(reason))

    socket.on_text, socket.on_lost = take, lost
    socket.send(payload)
    async with asyncio.timeout(_ANSWER_S):
        return await answered
