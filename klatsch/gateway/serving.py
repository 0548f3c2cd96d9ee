"""uvicorn for a gateway: its own listening socket, and a graceful end (D14)."""

import asyncio
import signal
import socket
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any

import structlog
import uvicorn

_log = structlog.get_logger(__name__)
_USER_TIMEOUT_MS = 20_000
"""A peer that acknowledges nothing for this long is gone (TCP_USER_TIMEOUT); uvicorn itself never drops one."""
_UNSENT_BYTES = 131_072
"""The bytes that the kernel keeps unsent for a peer (TCP_NOTSENT_LOWAT).

Without this bound it keeps up to 4 MB, and asks for more only when a third of its buffer is free. With a peer that
takes 100 KB a second, pings would wait 40 s behind a replay. Nothing would seem to be taken for 13 s.
"""
_BACKLOG = 4_096


def listen(host: str, port: int) -> socket.socket:
    """Returns the listening socket, whose connections inherit TCP_USER_TIMEOUT and TCP_NOTSENT_LOWAT."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
    listening.bind((host, port))
    listening.listen(_BACKLOG)
    return listening


class Server(uvicorn.Server):
    """uvicorn with a graceful end: it stops accepting, `drain` moves sockets elsewhere, and then it closes.

    A second signal ends it at once.
    """

    def __init__(self, config: uvicorn.Config, drain: Callable[[], Coroutine[Any, Any, None]]) -> None:
        super().__init__(config)
        self._drain = drain
        self._draining: asyncio.Task[None] | None = None
        self._asked = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._asked:
            super().handle_exit(sig, frame)
            return
        self._asked = True
        _log.info("draining", signal=signal.Signals(sig).name)

    async def on_tick(self, counter: int) -> bool:
        """Returns whether to end; called ten times a second."""
        if self._asked and self._draining is None:
            for server in self.servers:
                server.close()
            self._draining = asyncio.create_task(self._drain())
        if self._draining is not None and self._draining.done():
            self._draining.result()
            self.should_exit = True
        return await super().on_tick(counter)
