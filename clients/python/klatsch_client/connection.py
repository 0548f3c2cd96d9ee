"""One WebSocket, from `hello` to its end."""

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import Callable

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from klatsch_client import frames
from klatsch_client.drafts import Outcome
from klatsch_client.errors import Stopped
from klatsch_client.frames import (
    OPEN,
    PRESENCE,
    Accepted,
    Answer,
    Garbled,
    MarkedUpTo,
    Push,
    PushBody,
    Rejected,
    Shown,
    Welcome,
)
from klatsch_client.inbox import Inbox
from klatsch_client.sends import Sends
from klatsch_client.session import HELLO_S, Session
from klatsch_client.signals import Signals
from klatsch_client.status import Status

_log = logging.getLogger("klatsch_client")

_HELLO = "hello"
_WRITE_S = 20.0


Finished = Callable[[int, Outcome, bool], None]
"""Takes the number of a draft, what became of it, and whether that is told in its place among the pushes."""


class Connection:
    """Reads pushes into the inbox and answers into `sends`, and writes what is due there."""

    def __init__(
        self,
        socket: ClientConnection,
        inbox: Inbox,
        sends: Sends,
        signals: Signals,
        *,
        welcomed: Callable[[Welcome], None],
        came: Callable[[PushBody], None],
        whole: Callable[[], None],
        finished: Finished,
    ) -> None:
        """`came` is told of each push as it comes, before the application takes it.

        `is_held_up` says that the application has made the connection wait: its end is no failure then.
        """
        self.is_held_up = False
        self.due = asyncio.Event()
        self._socket = socket
        self._inbox = inbox
        self._sends = sends
        self._signals = signals
        self._welcomed = welcomed
        self._came = came
        self._whole = whole
        self._finished = finished
        self._session = Session()
        self._is_deaf = False
        self._why = "the connection broke"

    async def run(self) -> Status:
        """Returns why the connection is lost when it is, and is to be resumed; raises Stopped when it is not."""
        self._inbox.emptied = self._reconnect_if_deaf
        writing: asyncio.Task[None] | None = None
        try:
            await self._socket.send(frames.hello(_HELLO, self._inbox.token))
            writing = asyncio.create_task(self._write())
            writing.add_done_callback(self._written)
            await self._read()
        except ConnectionClosed as closed:
            if writing is not None and writing.done():
                writing.result()
            return self._closed(closed)
        except TimeoutError:
            self._give_up("nothing has come for too long")
        finally:
            self._inbox.emptied = lambda: None
            if writing is not None:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
        return Status("lost", self._why)

    def _closed(self, closed: ConnectionClosed) -> Status:
        said = closed.rcvd or closed.sent
        if said is None:
            return Status("lost", self._why)
        frames.check_close(said.code, said.reason)
        return Status("lost", said.reason or f"closed with {said.code}", said.code)

    async def _read(self) -> None:
        greeted_by_s = time.monotonic() + HELLO_S
        while True:
            # With nothing to send, what is not read holds up nobody but the server.
            while self._inbox.is_full and not len(self._sends):
                self.is_held_up = True
                self._inbox.gate.clear()
                await self._inbox.gate.wait()
            is_greeted = self._session.welcome is not None
            async with asyncio.timeout(self._session.silence_most_s if is_greeted else greeted_by_s - time.monotonic()):
                said = await self._socket.recv(decode=False)  # a text that is no UTF-8 would end the connection
            self._take(said)

    def _take(self, said: str | bytes) -> None:
        try:
            frame = frames.decode(said)
        except Garbled as error:
            self._drop(error)
            return
        match frame:
            case Push() as push:
                self._take_push(push)
            case Welcome() as welcome:
                self._session.welcome = welcome
                self._sends.limited(welcome.unanswered_most, welcome.frame_bytes_most)
                self._welcomed(welcome)
                self.due.set()
            case Rejected(re=re) as refusal if re == _HELLO:
                if not refusal.temporary:
                    raise Stopped(f"{refusal.code}: {refusal.detail}")
                self._give_up(f"{refusal.code}: {refusal.detail}")
            case Accepted() | MarkedUpTo() | Shown() | Rejected() as answer:
                self._take_answer(answer)
                self.due.set()

    def _take_answer(self, answer: Answer) -> None:
        now_s = time.monotonic()
        if isinstance(answer, Shown) or answer.re in {OPEN, PRESENCE}:
            refused = self._signals.take_answer(answer, now_s)  # type: ignore[arg-type]  # no other answer has such an id
            if refused is not None:
                _log.warning("%s was refused: %s: %s", refused.re, refused.code, refused.detail)
            if isinstance(answer, Shown) and answer.presence is not None:
                self._take_push(Push(answer.presence))
        elif (ended := self._sends.take_answer(answer, now_s)) is not None:
            self._finished(*ended, self._session.is_whole and not self._is_deaf)

    def _drop(self, error: Garbled) -> None:
        """Goes on without a frame that cannot be read: a stream that stopped at it would stop there again for ever."""
        if error.re == _HELLO and self._session.welcome is None:
            raise Stopped(f"the server does not speak {frames.SUBPROTOCOL}: {error}") from error
        _log.warning("a frame of the server that cannot be read was dropped: %s", error)

    def _take_push(self, push: Push) -> None:
        self._came(push.what)
        was_whole = self._session.is_whole
        in_order = self._session.take(push)
        if not self._is_deaf and not self._inbox.put(push, in_order=in_order):
            self._is_deaf = self.is_held_up = True  # from here on there is a gap: the next connection fills it
        if self._session.is_whole and not was_whole:
            self._whole()

    async def _write(self) -> None:
        """Writes what is due, as soon as it is; gives the connection up when answers or the socket take too long."""
        with contextlib.suppress(ConnectionClosed):  # the reader sees it too, and why
            while True:
                self.due.clear()
                due_s = await self._write_due()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(None if due_s is None else max(0, due_s - time.monotonic())):
                        await self.due.wait()

    def _written(self, writing: "asyncio.Task[None]") -> None:
        """Wakes the reader where the writing has failed, so that this is not in silence."""
        if not writing.cancelled() and writing.exception() is not None:
            self._socket.transport.abort()

    async def _write_due(self) -> float | None:
        """Returns when there is something to do again; before the welcome that is never, which sets `due`."""
        if self._session.welcome is None:
            return None
        if self._sends.is_overdue(time.monotonic()):
            self._give_up("a send has no answer for too long")
        try:
            for text in self._sends.take_due(time.monotonic()) + self._signals.take_due(time.monotonic()):
                async with asyncio.timeout(_WRITE_S):
                    await self._socket.send(text)
        except TimeoutError:
            self._give_up("nothing can be written for too long")
        due_s = min(self._sends.next_due_s(time.monotonic()) or math.inf, self._signals.next_due_s())
        return None if due_s == math.inf else due_s

    def _reconnect_if_deaf(self) -> None:
        """Closes a connection that has a gap, once the application has taken all that came before it."""
        if self._is_deaf:
            self._give_up("events were dropped while the application took none")

    def _give_up(self, why: str) -> None:
        self._why = why
        self._socket.transport.abort()
