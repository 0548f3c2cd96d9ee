"""One WebSocket, from its handshake to its end: receives in a plain loop and decides nothing that others decide.

Channels makes two tasks and a hop into a thread for each frame (design.md, 90 µs); a consumer that touches no database
on the hot path needs neither. Overriding `__call__` is no documented extension point: tests/unit/test_connection.py
fails when Channels changes what stands on it.
"""

import asyncio
import contextlib
import time
from typing import Any

import structlog
from channels.consumer import AsyncConsumer
from structlog.contextvars import bind_contextvars

from klatsch.core.errors import BadRequest, Forbidden, KlatschError, NotAuthenticated, RateLimited, Unavailable
from klatsch.core.metrics import CONNECTIONS, REFUSED
from klatsch.core.tracing import new_id
from klatsch.gateway.arrivals import Gateway
from klatsch.gateway.handshake import Credentials, NoSubprotocol, read_handshake
from klatsch.gateway.http.sinks import nothing
from klatsch.gateway.hub import Person
from klatsch.gateway.language import protocol
from klatsch.gateway.language.protocol import BadFrame, Close, Hello, Send
from klatsch.gateway.outbox import Outbox
from klatsch.gateway.socket import EXTENSION, ChatSocket

_log = structlog.get_logger(__name__)


class ChatConnection(AsyncConsumer):
    """A person's connection: frames are handled one after the other, and answered in that order or later."""

    scope: Any
    base_send: Any

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._malformed = 0
        self._person: Person | None = None
        self._greeting: Hello | None = None
        self._place = contextlib.ExitStack()
        """This connection among those that its person may have."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope, self.base_send = scope, send
        bind_contextvars(connection=new_id())  # of this task's context alone
        await receive()  # websocket.connect
        self._socket: ChatSocket = scope["extensions"][EXTENSION]
        self.outbox = Outbox(self._socket, self._gateway.hub.dirty, self._gateway.limits.outbox_bytes)
        self._socket.resumed = self.outbox.flush
        CONNECTIONS.inc()
        try:
            await self._serve(receive)
        finally:
            CONNECTIONS.dec()
            self.outbox.closed = True
            self._socket.resumed = nothing  # else the two would hold each other
            if self._person is not None:
                self._gateway.leave(self._person, self.outbox)
            self._place.close()

    async def _serve(self, receive: Any) -> None:
        """The handshake, `hello`, and then frames until one side has enough."""
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
        while await self._take(await receive()):
            pass

    async def _accept(self) -> bool:
        """Accepts, and closes with a code where this may not go on: a refused handshake would show none."""
        try:
            handshake = read_handshake(self.scope)
        except NoSubprotocol:
            await self.base_send({"type": "websocket.accept"})
            self.outbox.close(Close.MALFORMED, f"the sub-protocol is {protocol.SUBPROTOCOL}")
            return False
        await self.base_send({"type": "websocket.accept", "subprotocol": protocol.SUBPROTOCOL})
        return await self._authenticate(handshake)

    async def _authenticate(self, credentials: Credentials) -> bool:
        try:
            self._arrival = await self._gateway.authenticate(credentials)
            self._place.enter_context(self._gateway.sockets.enter(str(self._arrival.user.id)))
        except RateLimited as error:
            self.outbox.close(Close.FLOODING, error.detail)
        except NotAuthenticated as error:
            self.outbox.close(Close.NOT_AUTHENTICATED, error.detail)
        except Forbidden as error:
            self.outbox.close(Close.FORBIDDEN, error.detail)
        except Unavailable as error:
            self.outbox.close(Close.NOT_READY, error.detail)
        return not self.outbox.closed

    async def _take(self, event: dict[str, Any]) -> bool:
        """Handles one event of the socket; False when it was the last one: what comes after our close is void."""
        if self.outbox.closed or event["type"] == "websocket.disconnect":
            return False
        try:
            await self._handle(protocol.decode_frame(event.get("text")))
            self._malformed = 0
        except BadFrame as bad:
            self._refuse(bad)
        return True

    def _refuse(self, bad: BadFrame) -> None:
        self._answer_error(bad.re, bad.error)
        self._malformed += 1
        if self._malformed >= protocol.MALFORMED_MOST:
            self.outbox.close(Close.MALFORMED, "too many malformed frames in a row")

    async def _handle(self, frame: Hello | Send) -> None:
        try:
            if isinstance(frame, Send):
                if self._person is None:
                    raise BadRequest("The first frame is hello.")
                await self._gateway.sending.send(self._person, self.outbox, frame)
            else:
                await self._hello(frame)
        except KlatschError as error:
            self._answer_error(frame.id, error)

    def _answer_error(self, re: int | str | None, error: KlatschError) -> None:
        REFUSED.labels(error.code).inc()
        self.outbox.answer(protocol.err(re, error))

    async def _hello(self, frame: Hello) -> None:
        if self._person is not None:
            raise BadRequest("There was a hello already.")
        try:
            self._person = await self._gateway.hello(self._arrival, self.outbox)
            self._greeting = frame
            if not self.outbox.closed:
                self._socket.allowances = self._gateway.allowances.of(self._person.user_id)
        except NotAuthenticated as error:
            self.outbox.close(Close.NOT_AUTHENTICATED, error.detail)
        except Unavailable as error:
            self.outbox.close(Close.NOT_READY, error.detail)

    async def _catch_up(self, person: Person, greeting: Hello) -> None:
        """As long as it takes: a replay is bounded by what it may hold and by how slow the peer may be."""
        started = time.monotonic()
        try:
            await self._gateway.catch_up(
                person,
                self.outbox,
                greeting.d.resume,
                lambda resumed: self.outbox.answer(
                    protocol.ok(greeting.id, self._gateway.welcome(person, resumed=resumed))
                ),
            )
        except Unavailable as error:
            self.outbox.close(Close.NOT_READY, error.detail)
        _log.debug("hello", user=person.user_id, seconds=round(time.monotonic() - started, 4))
