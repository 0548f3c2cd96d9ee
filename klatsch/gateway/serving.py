"""uvicorn as a gateway needs it: our listening socket, and our end (D14)."""

import signal
import socket
from collections.abc import Callable
from types import FrameType

import structlog
import uvicorn

_log = structlog.get_logger(__name__)
_USER_TIMEOUT_MS = 20_000
"""A peer that acknowledges nothing for so long is gone (TCP_USER_TIMEOUT); uvicorn never drops one by itself."""
_BACKLOG = 4_096


def listen(host: str, port: int) -> socket.socket:
    """The listening socket, whose connections inherit TCP_USER_TIMEOUT."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)
    listening.bind((host, port))
    listening.listen(_BACKLOG)
    return listening


class Server(uvicorn.Server):
    """uvicorn with our end: sockets are told to resume elsewhere before it closes them."""

    def __init__(self, config: uvicorn.Config, drain: Callable[[], object]) -> None:
        super().__init__(config)
        self._drain = drain
        self._asked = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._asked:
            super().handle_exit(sig, frame)
            return
        self._asked = True
        _log.info("draining", signal=signal.Signals(sig).name)
        self._drain()
