"""uvicorn's WebSocket protocol with direct writes, a stall time-out and bounded reads (D12, D14).

Frames that were made once go straight to the transport. A peer that takes nothing is cut off. Received frames are
counted, and handed on in turns of the loop. A text message in one frame passes by the parser and, if the application
can take it at once, by the queue too (docs/decisions/0047). So does the answer to a ping (docs/decisions/0058).
"""

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar

import structlog
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request
from websockets.speedups import apply_mask

from klatsch.core.metrics import CLOSED
from klatsch.gateway.allowance import BEFORE_HELLO, LAST_WORDS, Allowance, take_from
from klatsch.gateway.framing import Splitter, is_utf8
from klatsch.gateway.keepalive import PONG_BYTES, Keepalive, read_pong
from klatsch.gateway.language.protocol import Close

_log = structlog.get_logger(__name__)
EXTENSION = "klatsch.socket"
_WRITE_BUFFER_BYTES = 65_536
_LAST_WORDS_S = 1.0
"""The time in which a closing socket may still take written bytes before it is cut off."""
_PIECE_BYTES = 4_096
"""The bytes parsed in one go and then counted: at most 682 frames, 7 ms."""
_TURN_BYTES = 65_536
_TURN_FRAMES = 256
"""The bytes and frames of one peer after which the loop serves others.

A message ends a turn too: the next waits until it is taken.
"""
_AHEAD_BYTES = 65_536
_AHEAD_BYTES_EACH = 1_024
"""The bytes that are read ahead of a busy application, and the least that each message counts: 64 messages."""
_DROPPED_BYTES_MOST = 16_777_216
"""The bytes that are read after the close of a peer whose frame is too large: some read only once they have written."""
_TOO_MUCH = "too many frames, or too many bytes"
_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
FRAGMENTS_MOST = 256
"""The fragments of one message. The parser bounds their bytes, but not the number of empty ones."""


class ChatSocket(WebSocketsSansIOProtocol):
    """Writes past uvicorn's `send`: a server's data frames carry no state that its protocol object needs.

    `stall_s` is how long a peer may take nothing. `keepalive` pings all sockets of the process, in the place of
    uvicorn's timers. The connection finds this object in its scope's extensions, and sets its `allowances` once it
    knows the person. While the application waits in `receive`, texts are offered to `take` first. It returns False,
    without an effect, for a text that is to come from `receive`.
    """

    stall_s: ClassVar[float] = 8.0
    keepalive: ClassVar[Keepalive] = Keepalive(20)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.paused = False
        self.resumed: Callable[[], None] = lambda: None
        self.allowances: tuple[Allowance, ...] = (Allowance(BEFORE_HELLO),)
        self._stalled: asyncio.TimerHandle | None = None
        self._waiting = bytearray()
        self._turn: asyncio.Handle | None = None
        self._is_over = False
        self._drops = 0
        self._pong = b""
        self._splitter = Splitter()
        self.take: Callable[[str], bool] | None = None
        self._is_awaited = False
        self.reads_ahead = False
        self._ahead = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=_WRITE_BUFFER_BYTES)

    def data_received(self, data: bytes) -> None:
        """Hands on received bytes: few at once, more in turns, during which reading stops."""
        if self._drops:
            self._drops = max(0, self._drops - len(data))
            if not self._drops:
                self._stop_reading()
        elif not self.handshake_initiated:
            self._parse(data)  # the request, which uvicorn hands on whole and without what came behind it
            if not self.handshake_initiated:
                self._refuse_request()
        elif len(data) <= _PIECE_BYTES and not self._waiting and self.handshake_complete:
            self._take_piece(data)
            if self.read_paused:
                self._hear_on()
        else:
            self._waiting += data
            self._take_turn()

    def _take_turn(self) -> None:
        self._turn = None
        size = frames = 0
        while self._waiting and self._is_heard() and size < _TURN_BYTES and frames < _TURN_FRAMES:
            piece = bytes(self._waiting[:_PIECE_BYTES])
            del self._waiting[:_PIECE_BYTES]
            size += len(piece)
            frames += self._take_piece(piece)
        if self.transport.is_closing():
            self._waiting.clear()
        elif self._waiting:
            self._stop_reading()
            if self._is_heard():
                self._turn = self.loop.call_soon(self._take_turn)
        elif self._is_heard():
            self._read_on()

    def _is_heard(self) -> bool:
        """Returns whether the application has taken all messages, or more may be read ahead of it.

        After the server's close it takes none. Frames before the 101 wait for it: the parser cannot answer them yet.
        """
        return self.close_sent or (self.handshake_complete and (self.queue.empty() or self._ahead > 0))

    def _stop_reading(self) -> None:
        if not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def _read_on(self) -> None:
        if self.read_paused and not self._is_over:
            self.read_paused = False
            self.keepalive.forget_ping(self)  # the answer may wait behind much else
            self.transport.resume_reading()

    def _take_piece(self, data: bytes) -> int:
        """Counts the frames of some bytes, and hands them on one by one; returns their number."""
        if len(data) == PONG_BYTES and self._take_pong(data):
            return 1
        frames = 0
        for part, payload in self._splitter.split(data):
            if self._is_over:
                break
            if payload and not self.close_sent and self.conn.current_size is None and self.conn.close_rcvd is None:
                frames += self._take_text(part, payload)
            else:
                frames += self._parse(part)
        return frames

    def _take_text(self, frame: bytes, payload: int) -> int:
        """Does what `_parse` does, for a text message in one frame that comes after a whole message."""
        if not take_from(self.allowances, 1, len(frame)):
            self._flooded(_TOO_MUCH)
            return 1
        try:
            text = apply_mask(frame[payload:], frame[payload - 4 : payload]).decode()
        except UnicodeDecodeError:
            self._refuse_text()
            return 1
        is_free = self._is_awaited and self.queue.empty()
        if not is_free or self.take is None or not self.take(text):
            self.queue.put_nowait({"type": "websocket.receive", "text": text})
            self._ahead -= max(len(frame), _AHEAD_BYTES_EACH)
            self._stop_reading()
        return 1

    def _take_pong(self, data: bytes) -> bool:
        """Does what `_parse` does, for the answer to a ping alone; returns False, without an effect, for the rest."""
        payload = read_pong(data)
        if not payload or not self._splitter.is_between_frames or self.close_sent or self.conn.close_rcvd is not None:
            return False
        if take_from(self.allowances, 1, len(data)):
            self.keepalive.note_pong(self, payload)
        else:
            self._flooded(_TOO_MUCH)
        return True

    def _parse(self, data: bytes) -> int:
        """Counts the frames of some bytes, then hands them on; returns their number."""
        conn = self.conn
        conn.receive_data(data)
        frames = len(conn.events)
        is_allowed = take_from(self.allowances, frames, len(data))
        if conn.parser_exc is not None:
            self.handle_parser_exception()
        elif is_allowed or conn.close_rcvd is not None:
            self.handle_events()
        else:
            self._flooded(_TOO_MUCH)
        self._limit_close()
        return frames

    def _flooded(self, reason: str) -> None:
        """Closes and stops reading: further bytes of the peer cost only the kernel's buffer, for a second."""
        self.conn.data_to_send()  # no pongs for dropped pings
        self.conn.events_received()
        self._waiting.clear()
        self._is_over = True
        if not self.handshake_complete:
            self.transport.abort()
            return
        self.end(Close.FLOODING, reason)
        self._stop_reading()

    def _refuse_request(self) -> None:
        """Answers a request that the parser refuses, and closes. uvicorn would wait for another one for ever."""
        self.transport.write(b"".join(self.conn.data_to_send()) or _BAD_REQUEST)
        self.transport.close()
        self._limit_close()

    async def receive(self) -> Any:
        """Returns the next event for the application, and hands on what waited behind the last one."""
        if self.reads_ahead:
            self.reads_ahead = False
            self.keepalive.forget_ping(self)  # the peer may have it behind the last of the replay
        self._ahead = 0
        self._is_awaited = True
        event = await self.queue.get()
        self._is_awaited = False
        self._hear_on()
        return event

    def read_ahead(self) -> None:
        """Reads some more messages until the next `receive`, so that pings behind them are answered in a replay."""
        self.reads_ahead = True
        self._ahead = _AHEAD_BYTES
        self._hear_on()

    def _hear_on(self) -> None:
        if self.read_paused and not self.close_sent and self._is_heard():
            if not self._waiting:
                self._read_on()
            elif self._turn is None:
                self._turn = self.loop.call_soon(self._take_turn)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        scope: dict[str, Any] | None = getattr(self, "scope", None)  # missing when the handshake was refused
        if scope is not None:
            scope["extensions"][EXTENSION] = self

    def send_receive_event_to_app(self) -> None:
        """Closes with 1007 on text that is not UTF-8. uvicorn does too, but logs a traceback each time."""
        if self.curr_msg_data_type == "text" and not self.close_sent and not is_utf8(self.frames):
            self._refuse_text()
        else:
            self._ahead -= max(sum(map(len, self.frames)), _AHEAD_BYTES_EACH)
            super().send_receive_event_to_app()

    def _refuse_text(self) -> None:
        if self.conn.close_rcvd is None:  # otherwise the peer's own close came behind the text, and is answered
            self.conn.send_close(CloseCode.INVALID_DATA)
            self.handle_parser_exception()
            self._limit_close()

    def write(self, frames: bytes) -> None:
        """Takes whole WebSocket frames; drops frames after the close."""
        if not self.close_sent and not self.disconnected:
            self.transport.write(frames)

    async def drain(self) -> None:
        """Returns when the peer takes bytes again, or is gone."""
        await self.writable.wait()

    def end(self, code: Close | CloseCode, reason: str) -> None:
        """Closes with that code, and cuts the connection off a second later if the peer takes nothing."""
        if self.close_sent or self.disconnected or self.transport.is_closing():
            return
        _log.debug("closed", code=int(code), reason=reason)
        CLOSED.labels(str(int(code))).inc()
        self.conn.send_close(int(code), reason)
        self._write_close(int(code), reason)
        if self._waiting:
            self._turn = self._turn or self.loop.call_soon(self._take_turn)
        else:
            self._read_on()

    def _write_close(self, code: int, reason: str) -> None:
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.stop_keepalive()
        self.allowances = (Allowance(LAST_WORDS),)
        self._pong = b""
        self.close_timer = self.loop.call_later(_LAST_WORDS_S, self.transport.abort)

    def handle_parser_exception(self) -> None:
        """Closes with the parser's code. The rest of a frame that is too large is read for a second, and dropped.

        To close a socket with unread bytes is to reset it, and the reset would overtake the close frame.
        """
        close = self.conn.close_sent
        if close is not None and close.code == CloseCode.MESSAGE_TOO_BIG and not self.close_sent:
            self._write_close(close.code, close.reason)
            self._waiting.clear()
            self._drops = _DROPPED_BYTES_MOST
            self._read_on()
            self._is_over = True
        else:
            super().handle_parser_exception()

    def shutdown(self) -> None:
        if not self.transport.is_closing():  # otherwise uvicorn would fail, as the last frame has been written
            super().shutdown()
        self._limit_close()

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        super().on_task_complete(task)
        self._limit_close()

    def _limit_close(self) -> None:
        """Cuts the connection off a second after uvicorn has closed it, which waits for the peer to take all bytes."""
        if self.transport.is_closing() and self.close_timer is None and self.transport.get_write_buffer_size():
            self.close_timer = self.loop.call_later(_LAST_WORDS_S, self.transport.abort)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.paused = True
        self._stalled = self.loop.call_later(self.stall_s, self.end, Close.SLOW, "slow, resume")

    def resume_writing(self) -> None:
        super().resume_writing()
        self.paused = False
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        if self._pong:
            self.transport.write(self._pong)
            self._pong = b""
        self.resumed()

    def start_keepalive(self) -> None:
        """Begins the pings, and takes what came before the 101, which uvicorn has just written."""
        self.keepalive.add(self)
        self._hear_on()

    def stop_keepalive(self) -> None:
        self.keepalive.discard(self)

    def ping(self, frame: bytes) -> None:
        """Writes a ping, unless the connection is closing."""
        if not self.close_sent and not self.transport.is_closing():
            self.transport.write(frame)

    def handle_pong(self, event: Frame) -> None:
        self.keepalive.note_pong(self, bytes(event.data))

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

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) >= FRAGMENTS_MOST and self.conn.close_rcvd is None:
            self._flooded("too many fragments of one message")
        else:
            super().handle_cont(event)

    def connection_lost(self, exc: Exception | None) -> None:
        self._waiting.clear()
        super().connection_lost(exc)
        if self.paused:  # a lost socket never resumes and must not block writers: writes are dropped from now on
            self._pong = b""
            self.resume_writing()
