"""The bounded send queue of one connection, written straight to its socket while the socket accepts bytes (D12)."""

from collections.abc import Callable, Sequence
from typing import Protocol

from klatsch.gateway.language.protocol import Close, wire


def nothing() -> None:
    """Does nothing: the callback of a socket without an outbox."""


class Socket(Protocol):
    """The open end of a WebSocket, as `klatsch.gateway.socket` makes it.

    It calls `resumed` when it accepts bytes again.
    """

    paused: bool
    resumed: Callable[[], None]

    def write(self, frames: bytes) -> None:
        """Takes whole WebSocket frames; never blocks. Must not be called while `paused`."""

    async def drain(self) -> None:
        """Returns once the socket is not paused, or has ended."""

    def end(self, code: Close, reason: str) -> None:
        """Closes with that code, and cuts the connection off shortly after if the peer takes nothing."""


_AT_ONCE_BYTES = 65_536


class Outbox:
    """The frames of one connection, in order. Exceeding `bytes_most` closes it with "slow, resume".

    `push` only queues. The hub flushes each outbox with new frames once per batch of records. The socket calls `flush`
    when it accepts bytes again, so that a stalled peer blocks no other. `credential` is the digest of the connection's
    credential, and ends the connection. `unanswered` counts its sends without an answer. While it is `deaf`, it
    ignores pushes: what it misses is replayed. While it is `unmarked`, it gets no resume mark: that says that
    everything before it was told.
    """

    __slots__ = (
        "_bytes_most",
        "_dirty",
        "_frames",
        "_size",
        "_socket",
        "closed",
        "credential",
        "deaf",
        "unanswered",
        "unmarked",
    )

    def __init__(self, socket: Socket, dirty: "list[Outbox]", bytes_most: int) -> None:
        self._socket = socket
        self._dirty = dirty
        self._bytes_most = bytes_most
        self._frames: list[bytes] = []
        self._size = 0
        self.closed = False
        self.credential = ""
        self.deaf = False
        self.unanswered = 0
        self.unmarked = False

    def push(self, frame: bytes) -> None:
        """Queues one WebSocket frame (see `protocol.wire`) until the next flush, within the bound."""
        if self.deaf:
            return
        if not self._frames:
            self._dirty.append(self)
        self._add(frame)

    def answer(self, payload: bytes) -> None:
        """Queues a payload and writes it at once."""
        self._add(wire(payload))
        self.flush()

    def takes(self, size: int) -> bool:
        """Returns whether this many bytes can be written in one go now."""
        return size <= _AT_ONCE_BYTES and not self._socket.paused and not self._frames

    def tell(self, frames: Sequence[bytes]) -> None:
        """Writes frames at once. The caller has checked `takes`."""
        if frames and not self.closed:
            self._socket.write(b"".join(frames))

    async def stream(self, frames: Sequence[bytes]) -> None:
        """Writes many frames as fast as the peer takes them, past the bound: none of them are queued here.

        With no frames it still waits for a peer that takes nothing, so that a loop around it yields.
        """
        if not frames:
            await self._socket.drain()
        chunk, size = [], 0
        for number, frame in enumerate(frames, 1):
            chunk.append(frame)
            size += len(frame)
            if size >= _AT_ONCE_BYTES or number == len(frames):
                await self._socket.drain()
                if self.closed:
                    return
                self._socket.write(b"".join(chunk))
                chunk, size = [], 0

    def flush(self) -> None:
        """Writes the queued frames if the socket accepts them now."""
        frames = self._frames
        if frames and not self._socket.paused:
            self._socket.write(frames[0] if len(frames) == 1 else b"".join(frames))
            frames.clear()
            self._size = 0

    def _add(self, frame: bytes) -> None:
        if self.closed:
            return
        self._frames.append(frame)
        self._size += len(frame)
        if self._size > self._bytes_most:
            self.flush()
            if self._frames:
                self.close(Close.SLOW, "slow, resume")

    def close(self, code: Close, reason: str) -> None:
        """Closes the connection, once. Queued frames are dropped, as the client will resume."""
        if not self.closed:
            self.closed = True
            self._frames.clear()
            self._socket.end(code, reason)
