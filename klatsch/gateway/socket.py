"""uvicorn's WebSocket protocol with direct writes, a stall time-out and bounded reads (D12, D14).

Frames that were made once go straight to the transport. A peer that takes nothing is cut off.
"""

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

import structlog
from websockets.frames import CloseCode
from websockets.http11 import Request

from klatsch.core.metrics import CLOSED
from klatsch.gateway.allowance import LAST_WORDS, Allowance
from klatsch.gateway.keepalive import PAYLOAD_BYTES, Keepalive
from klatsch.gateway.language.protocol import Close
from klatsch.gateway.receiving import ReceivingSocket

_log = structlog.get_logger(__name__)
EXTENSION = "klatsch.socket"
_WRITE_BUFFER_BYTES = 65_536
_LAST_WORDS_S = 1.0
"""The time in which a closing socket may still take written bytes before it is cut off."""


class ChatSocket(ReceivingSocket):
    """Writes past uvicorn's `send`: a server's data frames carry no state that its protocol object needs.

    `stall_s` is how long a peer may take nothing, and `keepalive` pings all sockets of the process in the place of
    uvicorn's timers. The connection finds this object in its scope's extensions.
    """

    stall_s: ClassVar[float] = 8.0
    keepalive: ClassVar[Keepalive] = Keepalive(20)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.paused = False
        self.resumed: Callable[[], None] = lambda: None
        self._stalled: asyncio.TimerHandle | None = None
        self._pong = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        scope: dict[str, Any] | None = getattr(self, "scope", None)  # missing when the handshake was refused
        if scope is not None:
            scope["extensions"][EXTENSION] = self

    def write(self, frames: bytes) -> None:
        """Takes whole WebSocket frames; drops frames after the close."""
        if not self.close_sent and not self.disconnected:
            self.transport.write(frames)

    async def drain(self) -> None:
        """Returns when the peer takes bytes again, or is gone."""
        await self.writable.wait()

    def end(self, code: Close | CloseCode, reason: str) -> None:
        """Closes with that code, and cuts the connection off a second later if the peer takes nothing."""
        if self.close_sent or self.disconnected:
            return
        if self.transport.is_closing():  # the peer closed first, and may not take the answer
            self.transport.abort()
            return
        _log.debug("closed", code=int(code), reason=reason)
        CLOSED.labels(str(int(code))).inc()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": int(code), "reason": reason})
        self.conn.send_close(int(code), reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.stop_keepalive()
        self.allowances = (Allowance(LAST_WORDS),)
        self._pong = b""
        self.hear_last_words()
        self.close_timer = self.loop.call_later(_LAST_WORDS_S, self.transport.abort)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.paused = True
        self._stalled = self.loop.call_later(self.stall_s, self.end, Close.SLOW, "slow, resume")

    def resume_writing(self) -> None:
        super().resume_writing()
        self.paused = False
        self._forget_stall()
        if self._pong:
            self.transport.write(self._pong)
            self._pong = b""
        self.resumed()

    def start_keepalive(self) -> None:
        self.keepalive.add(self)

    def stop_keepalive(self) -> None:
        self.keepalive.discard(self)

    def ping(self, frame: bytes) -> None:
        """Writes a ping; ends a connection whose last ping was not answered."""
        if self._pinged:
            self.end(CloseCode.INTERNAL_ERROR, "a ping was not answered")
        elif not self.close_sent and not self.transport.is_closing():
            self._pinged = frame[-PAYLOAD_BYTES:]
            self.transport.write(frame)

    def handle_ping(self) -> None:
        """Answers the last of several pings (RFC 6455, 5.5.3), and later if the peer takes nothing."""
        if self.conn.close_rcvd is not None:  # the answer to the close is among the pongs
            super().handle_ping()
            return
        pongs = self.conn.data_to_send()
        if not pongs or self.close_sent:
            return
        if self.paused:
            self._pong = pongs[-1]
        else:
            self.transport.write(pongs[-1])

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_stall()
        super().connection_lost(exc)
        if self.paused:  # a lost socket never resumes and must not block writers: writes are dropped from now on
            self.paused = False
            self.resumed()

    def _forget_stall(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
