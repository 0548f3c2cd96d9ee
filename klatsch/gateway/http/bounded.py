"""uvicorn's HTTP protocol with a bound on everything that a peer may send before it is authenticated (D12).

uvicorn keeps an endless head, and every request of a pipeline, in memory: 2 GiB in 5 s were measured.
"""

import asyncio
from typing import Any, Final

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from klatsch.core.http_limits import (
    BODY_BYTES_MOST,
    BODY_S,
    BODY_TOO_LARGE,
    HEAD_BYTES_MOST,
    HEAD_S,
    HEAD_TOO_LARGE,
    TOO_SLOW,
    declared_length,
    is_a_name,
)
from klatsch.core.metrics import REFUSED
from klatsch.core.problem_page import answer_of, wants_page
from klatsch.core.problems import Problem
from klatsch.gateway.http.without_chunks import WithoutChunks

PIPELINE_MOST: Final = 16
"""The requests of one connection that are parsed and wait for an earlier one. Bytes of further requests stay unread."""
_SLICE_BYTES: Final = 1_024
"""The bytes parsed in one go: only the small requests that fit in here exceed PIPELINE_MOST."""
_LINGER_S: Final = 2.0
_LINGER_BYTES: Final = 1024 * 1024
"""The time and size of bytes that are dropped after a refusal.

A socket that is closed on unread bytes is reset, and its peer may never see the reason.
"""


class BoundedHttp(HttpToolsProtocol):
    """Refuses heads beyond HEAD_BYTES_MOST (431), bodies beyond BODY_BYTES_MOST (413) and slow requests (408).

    Headers whose names contain an underscore are dropped, and so are trailers. HTTP/1.0 is answered without chunks.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.url = b""  # uvicorn sets it with the first request, and a refusal may come before
        self._in_head = True  # also before its first byte
        self._is_begun = False
        self._head_bytes = 0
        self._body_bytes = 0
        self._messages = 0
        self._held = b""
        self._over = False  # refused, or a WebSocket by now
        self._dropped_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._awaited: tuple[bool, int] | None = None
        self._started: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]  # a server's transport both reads and writes
        self.flow = self._reading = _Flow(self.transport)
        self._await((True, self._messages))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._held = b""
        self._end_started()
        super().connection_lost(exc)

    def _end_started(self) -> None:
        """Tells the application that the request which it answers has lost its peer.

        uvicorn tells the newest request alone, which may be waiting for this one in the pipeline.
        """
        cycle = self._started
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()

    def data_received(self, data: bytes) -> None:
        if self._over:
            self._drop(data)
        elif self._held:
            self._held += data
        else:
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        for start in range(0, len(data), _SLICE_BYTES):
            if len(self.pipeline) >= PIPELINE_MOST:
                self._hold(data[start:])
                return
            self._feed_slice(data[start : start + _SLICE_BYTES])
            if self._over:
                return
        self._await_rest()

    def _feed_slice(self, piece: bytes) -> None:
        messages = self._messages
        self._parse(piece)
        if self._in_head and not self._over and (self._is_begun or self._messages == messages):
            self._head_bytes += len(piece)
            if self._head_bytes > HEAD_BYTES_MOST + _SLICE_BYTES:  # some bytes may belong to the request before
                self._refuse(HEAD_TOO_LARGE)

    def _parse(self, data: bytes) -> None:
        """Does what uvicorn does, which loses the body of a request with another upgrade (Kludex/uvicorn#2722)."""
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        except httptools.HttpParserUpgrade as upgrade:
            if self._over:
                return
            if self._should_upgrade():
                self.handle_websocket_upgrade()
            elif self.parser.get_method() != b"CONNECT":
                self._ignore_upgrade(data[upgrade.args[0] :])

    def _is_other_upgrade(self) -> bool:
        """Returns whether the parser will stop behind this head, which offers another protocol than WebSocket.

        Java's HttpClient offers h2c with each first request.
        """
        parser = self.parser
        return parser.should_upgrade() and parser.get_method() != b"CONNECT" and not self._should_upgrade()

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Parses the request once more as if it offered nothing (RFC 9110, 7.8), and then the rest."""
        head = b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        kept = [b"%b: %b\r\n" % (name, value) for name, value in self.headers if name != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        self._parse(head + b"".join(kept) + b"\r\n" + rest)

    def _hold(self, data: bytes) -> None:
        """Keeps bytes unparsed and stops reading until the requests before them are answered."""
        self._held = data
        self.flow.pause_reading()
        self._reading.held = True
        self._await(None)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._held and len(self.pipeline) < PIPELINE_MOST and not self.transport.is_closing():
            held, self._held = self._held, b""
            self._reading.held = False
            self._feed(held)
            self.flow.resume_reading()

    # Callbacks of the parser.

    def on_message_begin(self) -> None:
        self._is_begun = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head and is_a_name(name):
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._is_other_upgrade():
            return
        head_bytes = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        self._in_head, self._head_bytes, self._body_bytes = False, 0, 0
        if self._over:
            return
        if head_bytes > HEAD_BYTES_MOST:
            self._refuse(HEAD_TOO_LARGE)
        elif (declared_length(v for name, v in self.headers if name == b"content-length") or 0) > BODY_BYTES_MOST:
            self._refuse(BODY_TOO_LARGE)
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._over:
            return
        if self._body_bytes > BODY_BYTES_MOST:
            self._refuse(BODY_TOO_LARGE)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._is_other_upgrade():
            return
        self._in_head, self._is_begun = True, False
        self._messages += 1
        if not self._over:
            super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._over = True
        self._await(None)
        self._end_started()  # its answer would be written between the frames
        if self.flow.write_paused:  # the socket would never hear that its peer takes nothing
            self.transport.abort()
            return
        self.flow.resume_reading()  # paused while requests wait
        super().handle_websocket_upgrade()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if cycle.scope["http_version"] == "1.0":
            app = WithoutChunks(cycle, app)
        self._started = cycle
        super()._start_asgi_task(cycle, app)

    # Time-outs.

    def _await_rest(self) -> None:
        """Sets the time-out of a begun request; between two requests uvicorn's keep-alive applies."""
        has_come = not self._in_head or self._head_bytes > 0  # an empty line before a request counts as begun
        self._await((self._in_head, self._messages) if has_come else None)

    def _await(self, part: tuple[bool, int] | None) -> None:
        if part == self._awaited:
            return
        self._awaited = part
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if part is not None:
            self._deadline = self.loop.call_later(HEAD_S if part[0] else BODY_S, self._give_up)

    def _give_up(self) -> None:
        part, self._awaited = self._awaited, None
        if self.flow.read_paused:  # this side does not read, so the peer is not at fault
            self._await(part)
        elif self._in_head and not self._is_begun:
            self.transport.close()
        else:
            self._refuse(TOO_SLOW)

    # Refusals.

    def send_400_response(self, msg: str) -> None:
        self._refuse(Problem(400, "bad_request", msg))

    def _refuse(self, problem: Problem) -> None:
        """Answers instead of the incoming request, accepts nothing more, and closes; once."""
        if self._over:
            return
        self._over = True
        self._await(None)
        REFUSED.labels(problem.code).inc()
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            self._say(problem)
        elif not cycle.more_body:  # earlier requests are still being answered, and their answers are the last
            cycle.keep_alive = False
        elif cycle.response_started or self.pipeline:
            self.transport.close()
        else:  # the body of the one request in progress
            cycle.disconnected = True
            cycle.message_event.set()
            self._say(problem)

    def _say(self, problem: Problem) -> None:
        headers, body = answer_of(problem, page=self._is_for_page())
        lines = {**headers, "Content-Length": str(len(body)), "Connection": "close"}
        head = "".join(f"{name.lower()}: {value}\r\n" for name, value in lines.items())
        self.transport.write(STATUS_LINE[problem.status] + head.encode() + b"\r\n" + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self._deadline = self.loop.call_later(_LINGER_S, self.transport.abort)

    def _is_for_page(self) -> bool:
        """Returns whether a browser asks for a page, as far as the head has come."""
        accept = b", ".join(value for name, value in self.headers or () if name == b"accept")
        return wants_page(self.url.decode("latin-1"), accept.decode("latin-1"))

    def _drop(self, data: bytes) -> None:
        self._dropped_bytes += len(data)
        if self._dropped_bytes > _LINGER_BYTES:
            self.transport.abort()


class _Flow(FlowControl):
    """uvicorn's flow control, which does not resume reading while bytes are held."""

    held = False

    def resume_reading(self) -> None:
        if not self.held:
            super().resume_reading()
