"""Sockets of an outbox without a WebSocket: for a long poll, or a stream of server-sent events (D7)."""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from klatsch.gateway.language.protocol import Close, unwire
from klatsch.gateway.outbox import nothing

_MARK: Final = b'{"t":"mark","resume":"'
_WAITING_BYTES: Final = 65_536
POLL_BYTES_MOST: Final = 1_048_576
"""The approximate size of one answer to a poll: the push that reaches it is the last."""
_POLL_BYTES_LEAST: Final = 65_536


def poll_bytes_most(polls: int) -> int:
    """Returns the size of an answer for a person's nth concurrent poll: all of 50 hold 5 to 8 MiB, not 50."""
    return max(_POLL_BYTES_LEAST, POLL_BYTES_MOST // polls)


def is_mark(payload: bytes) -> bool:
    return payload.startswith(_MARK)


def token_of(mark: bytes) -> bytes:
    """Returns the resume token of a mark's payload."""
    return mark[len(_MARK) : -len(b'"}')]


class PollSocket:
    """Collects pushes for one answer. `news` is set by the first push, and by a close.

    `token` is the place before which everything was collected; a replay has none until its end. Resume marks are not
    collected. A replay ends with the first, which carries its token. Later pushes are live, and `now` gives their
    token. At `bytes_most` nothing more is taken: the next poll continues from the token.
    """

    def __init__(self, now: Callable[[], str], bytes_most: int = POLL_BYTES_MOST) -> None:
        self.paused = False
        self.resumed: Callable[[], None] = nothing
        self.pushes: list[bytes] = []
        self.token: str | None = None
        self.closed: tuple[Close, str] | None = None
        self.news = asyncio.Event()
        self._now = now
        self._bytes_most = bytes_most
        self._size = 0

    def is_full(self) -> bool:
        return self._size >= self._bytes_most

    def write(self, frames: bytes) -> None:
        live = self.token is not None
        if live and self.is_full():
            return
        for payload in unwire(frames):
            if is_mark(payload):
                self.token = token_of(payload).decode()
            else:
                self.pushes.append(payload)
                self._size += len(payload)
        if live:
            self.token = self._now()
        if self.pushes:
            self.news.set()

    async def drain(self) -> None:
        """Returns at once: nothing stalls here."""

    def end(self, code: Close, reason: str) -> None:
        self.closed = (code, reason)
        self.news.set()


class EventSocket:
    """Turns frames into server-sent events for a task that sends them; `paused` while the task has enough to do.

    Only marks have an event id, which is their token: a browser sends the last as `Last-Event-ID`.
    """

    def __init__(self) -> None:
        self.paused = False
        self.resumed: Callable[[], None] = nothing
        self.closed = False
        self._waiting: list[bytes] = []
        self._size = 0
        self._news = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    def write(self, frames: bytes) -> None:
        for payload in unwire(frames):
            token = b"id: " + token_of(payload) + b"\n" if is_mark(payload) else b""
            self._add(token + b"data: " + payload + b"\n\n")

    def welcome(self, body: dict[str, object]) -> None:
        """Adds the event of the answer to `hello`."""
        self._add(b"event: hello\ndata: " + msgspec.json.encode(body) + b"\n\n")

    async def drain(self) -> None:
        """Returns when the peer has taken what was written, or is gone."""
        await self._writable.wait()

    def end(self, code: Close, reason: str) -> None:
        self._add(b'event: close\ndata: {"code":%d,"reason":"%b"}\n\n' % (code, reason.encode()))
        self.closed = True
        self._writable.set()

    async def take(self) -> bytes:
        """Returns the next events as soon as there are any. The events of the last call have been sent."""
        await self._news.wait()
        events = b"".join(self._waiting)
        self._waiting.clear()
        self._size = 0
        self._news.clear()
        if self.paused:
            self.paused = False
            self._writable.set()
            self.resumed()
        return events

    def _add(self, event: bytes) -> None:
        if self.closed:
            return
        self._waiting.append(event)
        self._size += len(event)
        self._news.set()
        if self._size >= _WAITING_BYTES:
            self.paused = True
            self._writable.clear()
