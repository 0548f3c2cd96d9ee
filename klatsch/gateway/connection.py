"""One WebSocket, from its handshake to its end: a plain loop receives frames and passes them to the other parts.

Channels makes two tasks and a thread hop for each frame, which cost 90 µs (decisions/0003). A consumer without
database access on the hot path needs neither. Overriding `__call__` is no documented extension point:
tests/unit/test_connection.py fails when Channels changes its foundations.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import structlog
from channels.consumer import AsyncConsumer
from structlog.contextvars import bind_contextvars

from klatsch.core.bucket import Buckets, check_requests
from klatsch.core.caps import AtOnce
from klatsch.core.errors import BadRequest, KlatschError, UnknownOp
from klatsch.core.metrics import REFUSED
from klatsch.core.tracing import new_id
from klatsch.gateway.allowance import Allowances
from klatsch.gateway.arrivals import Arrivals
from klatsch.gateway.changing import Changing
from klatsch.gateway.handshake import NoSubprotocol, read_handshake
from klatsch.gateway.hub import ConnectedPerson
from klatsch.gateway.language import protocol
from klatsch.gateway.language.ops import OPS, BadFrame, decode_frame
from klatsch.gateway.language.protocol import Close
from klatsch.gateway.language.requests import (
    ChangeFrame,
    ClientFrame,
    Hello,
    MarkFrame,
    OpenFrame,
    PresenceFrame,
    Send,
    TypingFrame,
)
from klatsch.gateway.marking import MarkOp
from klatsch.gateway.resuming import Resuming
from klatsch.gateway.sending import Sending
from klatsch.gateway.signals.listener import Listener
from klatsch.gateway.signals.requests import SignalRequests, signals_are_off
from klatsch.gateway.socket import EXTENSION, ChatSocket

_log = structlog.get_logger(__name__)
_CLOSES: Final = {close.error: close for close in Close if close.error is not None}
"""The close codes of errors that refuse a connection or end it."""


class ChatConnection(AsyncConsumer):
    """A person's connection: frames are handled one after the other, and answered in that order or later.

    `sockets` caps the person's connections. Without `signals`, the server offers neither typing nor presence.
    """

    scope: Any
    base_send: Any

    def __init__(
        self,
        *,
        arrivals: Arrivals,
        sockets: AtOnce,
        resuming: Resuming,
        sending: Sending,
        changing: Changing,
        requests: Buckets,
        marking: MarkOp,
        allowances: Allowances,
        signals: SignalRequests | None,
    ) -> None:
        self._arrivals = arrivals
        self._sockets = sockets
        self._resuming = resuming
        self._sending = sending
        self._changing = changing
        self._requests = requests
        self._marking = marking
        self._allowances = allowances
        self._signals = signals
        self._listener: Listener | None = None
        self._malformed = 0
        self._person: ConnectedPerson | None = None
        self._greeting: Hello | None = None
        self._held = contextlib.AsyncExitStack()
        """The connection's place in the person's cap, and its place in the hub."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope, self.base_send = scope, send
        bind_contextvars(connection=new_id())  # in this task's context alone
        await receive()  # websocket.connect
        self._socket: ChatSocket = scope["extensions"][EXTENSION]
        with self._arrivals.connected(self._socket) as self.outbox:
            async with self._held:
                await self._serve(receive)

    async def _serve(self, receive: Any) -> None:
        """Serves the handshake, `hello`, and then frames until one side closes."""
        if not await self._accept():
            return
        try:
            async with asyncio.timeout(protocol.HELLO_DEADLINE_S):
                while self._person is None:
                    if not await self._take(await receive()):
                        return
        except TimeoutError:
            self.outbox.close(Close.NOT_READY, "no hello")
        if self._person is not None and self._greeting is not None:
            await self._catch_up(self._person, self._greeting)
        self._socket.take = self._take_at_once
        try:
            while await self._take(await receive()):
                pass
        finally:
            self._socket.take = None

    async def _accept(self) -> bool:
        """Accepts, and closes with a code where the connection is refused: a refused handshake could not show one."""
        try:
            credentials = read_handshake(self.scope)
        except NoSubprotocol:
            await self.base_send({"type": "websocket.accept"})
            self.outbox.close(Close.MALFORMED, f"the sub-protocol is {protocol.SUBPROTOCOL}")
            return False
        await self.base_send({"type": "websocket.accept", "subprotocol": protocol.SUBPROTOCOL})
        with self._closed_if_refused():
            self._arrival = await self._arrivals.authenticate(credentials)
            self._held.enter_context(self._sockets.enter(str(self._arrival.user.id)))
        return not self.outbox.closed

    @contextlib.contextmanager
    def _closed_if_refused(self) -> Iterator[None]:
        """Closes the connection with the close code of the block's exception."""
        try:
            yield
        except tuple(_CLOSES) as error:
            self.outbox.close(_CLOSES[type(error)], error.detail)

    async def _take(self, event: dict[str, Any]) -> bool:
        """Handles one event of the socket; returns False after the last. Events after the server's close are void."""
        if self.outbox.closed or event["type"] == "websocket.disconnect":
            return False
        try:
            await self._handle(decode_frame(event.get("text")))
            self._malformed = 0
        except BadFrame as bad:
            self._refuse(bad)
        return True

    def _take_at_once(self, text: str) -> bool:
        """Handles a message that needs no wait, in the socket's own callback; returns False for any other frame."""
        if self._person is None or self.outbox.closed:
            return False
        try:
            frame = decode_frame(text)
        except BadFrame:
            return False
        if type(frame) is not Send:
            return False
        try:
            is_taken = self._sending.send_at_once(self._person, self.outbox, frame)
        except KlatschError as error:
            self._answer_error(frame.id, error)
            is_taken = True
        if is_taken:
            self._malformed = 0
        return is_taken

    def _refuse(self, bad: BadFrame) -> None:
        self._answer_error(bad.re, bad.error)
        # A client may know more ops than this server: an unknown one is a sound frame.
        self._malformed = 0 if isinstance(bad.error, UnknownOp) else self._malformed + 1
        if self._malformed >= protocol.MALFORMED_MOST:
            self.outbox.close(Close.MALFORMED, "too many malformed frames in a row")

    async def _handle(self, frame: ClientFrame) -> None:
        try:
            if self._person is not None and type(frame) not in _OWN_RATE:
                check_requests(self._requests, self._person.user_id, time.monotonic())
            await _HANDLERS[type(frame)](self, frame)
        except KlatschError as error:
            self._answer_error(frame.id, error)

    def _answer_error(self, re: int | str | None, error: KlatschError) -> None:
        REFUSED.labels(error.code).inc()
        self.outbox.answer(protocol.err(re, error))

    def _greeted(self) -> ConnectedPerson:
        """Returns the connection's person; raises BadRequest before `hello`."""
        if self._person is None:
            raise BadRequest("Send hello first.")
        return self._person

    async def on_send(self, frame: Send) -> None:
        await self._sending.send(self._greeted(), self.outbox, frame)

    async def on_change(self, frame: ChangeFrame) -> None:
        await self._changing.change(self._greeted(), self.outbox, frame)

    async def on_mark(self, frame: MarkFrame) -> None:
        await self._marking.mark(self._greeted(), self.outbox, frame)

    async def on_open(self, frame: OpenFrame) -> None:
        signals, listener = self._heard()
        await signals.open(listener, frame)

    async def on_typing(self, frame: TypingFrame) -> None:
        signals, listener = self._heard()
        signals.say_typing(listener, frame)

    async def on_presence(self, frame: PresenceFrame) -> None:
        signals, listener = self._heard()
        await signals.show(listener, frame)

    def _heard(self) -> tuple[SignalRequests, Listener]:
        if self._signals is None:
            raise signals_are_off()
        self._greeted()
        assert self._listener is not None  # it joins with the person
        return self._signals, self._listener

    async def on_hello(self, frame: Hello) -> None:
        if self._person is not None:
            raise BadRequest("Send hello only once.")
        with self._closed_if_refused():
            joining = self._arrivals.joined(self._arrival, self.outbox)
            self._person = await self._held.enter_async_context(joining)
            self._greeting = frame
            if self._signals is not None:
                joined = self._signals.signals.joined(self._person, self.outbox)
                self._listener = self._held.enter_context(joined)
            if not self.outbox.closed:
                self._socket.allowances = self._allowances.of(self._person.user_id)

    async def _catch_up(self, person: ConnectedPerson, greeting: Hello) -> None:
        """Replays without a deadline: the replay is bounded by its limits and by how slow the peer may be."""
        started = time.monotonic()
        self._socket.read_ahead()

        def answer(resumed: bool) -> None:  # noqa: FBT001 - as Resuming calls it
            self.outbox.answer(protocol.ok(greeting.id, self._resuming.welcome(person, resumed=resumed)))

        with self._closed_if_refused():
            await self._resuming.resume(person, self.outbox, greeting.d.resume, answer)
        _log.debug("hello", user=person.user_id, seconds=round(time.monotonic() - started, 4))


_OWN_RATE: Final = frozenset(op.frame for op in OPS if op.has_own_rate)
_HANDLERS: Final[dict[type[ClientFrame], Callable[[ChatConnection, Any], Awaitable[None]]]] = {
    op.frame: getattr(ChatConnection, op.handler) for op in OPS
}
