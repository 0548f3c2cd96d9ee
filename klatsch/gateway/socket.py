"""uvicorn's WebSocket protocol with its sending end in our hands: frames made once go straight to the transport, and
a peer that takes nothing is cut off (D12, D14).
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import structlog
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode
from websockets.http11 import Request

from klatsch.core.metrics import CLOSED
from klatsch.gateway.protocol import Close

_log = structlog.get_logger(__name__)
EXTENSION = "klatsch.socket"
_WRITE_BUFFER_BYTES = 65_536
_LAST_WORDS_S = 1.0
"""How long a closing socket may still take what was written to it before it is cut off."""


class ChatSocket(WebSocketsSansIOProtocol):
    """Writes past uvicorn's `send`: a server's data frames carry no state that its protocol object would need.

    `stall_s` is how long a peer may take nothing; the connection finds this object in its scope's extensions.
    """

    stall_s: ClassVar[float] = 8.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.paused = False
        self.resumed: Callable[[], None] = lambda: None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        scope: dict[str, Any] | None = getattr(self, "scope", None)  # not there when the handshake was refused
        if scope is not None:
            scope["extensions"][EXTENSION] = self

    def send_receive_event_to_app(self) -> None:
        """Closes with 1007 what is no UTF-8: uvicorn does too, and tells the log with a traceback each time."""
        if self.curr_msg_data_type == "text" and not self.close_sent and not _is_text(self.frames):
            self.conn.send_close(CloseCode.INVALID_DATA)
            self.handle_parser_exception()
        else:
            super().send_receive_event_to_app()

    def write(self, frames: bytes) -> None:
        """Takes whole WebSocket frames; what comes after the close is dropped."""
        if not self.close_sent and not self.disconnected:
            self.transport.write(frames)

    async def drain(self) -> None:
        """Returns when the peer takes bytes again, or is gone."""
        await self.writable.wait()

    def end(self, code: Close, reason: str) -> None:
        """Closes with that code, and cuts the connection off a second later if the peer takes nothing."""
        if self.close_sent or self.disconnected:
            return
        if self.transport.is_closing():  # the peer closed first, and may not even take the answer to that
            self.transport.abort()
            return
        _log.debug("closed", code=int(code), reason=reason)
        CLOSED.labels(str(int(code))).inc()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": int(code), "reason": reason})
        self.conn.send_close(int(code), reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.stop_keepalive()
        self.transport.resume_reading()
        self.close_timer = self.loop.call_later(_LAST_WORDS_S, self.transport.abort)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.paused = True
        self._stalled = self.loop.call_later(self.stall_s, self.end, Close.SLOW, "slow, resume")

    def resume_writing(self) -> None:
        super().resume_writing()
        self.paused = False
        self._forget_stall()
        self.resumed()

    def handle_ping(self) -> None:
        """Pongs are not queued without bound for a peer that pings and never reads."""
        if self.paused:
            self.conn.data_to_send()
            self.end(Close.FLOODING, "pings without reading")
        else:
            super().handle_ping()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_stall()
        super().connection_lost(exc)
        if self.paused:  # nobody resumes what is lost, and nobody is to wait for it: what is written now is dropped
            self.paused = False
            self.resumed()

    def _forget_stall(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None


def _is_text(fragments: Sequence[bytes]) -> bool:
    try:
        b"".join(fragments).decode()
    except UnicodeDecodeError:
        return False
    return True
