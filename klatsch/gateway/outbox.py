"""What waits for one connection: bounded, and written straight to its socket while that takes it (D12)."""

from collections.abc import Callable, Sequence
from typing import Protocol

from klatsch.gateway.language.protocol import Close, wire


def nothing() -> None:
    """Does nothing: what a socket calls that belongs to no outbox, or no longer does."""


class Socket(Protocol):
    """The open end of a WebSocket, as `klatsch.gateway.socket` makes it.

    It calls `resumed` when it takes bytes again.
    """

    paused: bool
    resumed: Callable[[], None]

    def write(self, frames: bytes) -> None:
        """Takes whole WebSocket frames; never blocks. Not to be called while `paused`."""

    async def drain(self) -> None:
        """Returns when it is not, or no longer, paused, or has ended."""

    def end(self, code: Close, reason: str) -> None:
        """Closes with that code; cut off shortly after where the peer takes nothing."""


_AT_ONCE_BYTES = 65_536


class Outbox:
    """The frames of one connection, in order. More than `bytes_most` waiting closes it: "slow, resume".

    `push` only queues; the hub flushes each outbox that got something once for a whole batch of records. The socket
    calls `flush` again when it takes bytes again, so nothing here waits and a stalled peer holds up nobody.
    `credential` is the digest of what the connection came with, and ends with. `unanswered` is how many of its sends
    wait for their answer. While it is `deaf` pushes pass it by: what it misses is replayed to it.
    """

    __slots__ = ("_bytes_most", "_dirty", "_frames", "_size", "_socket", "closed", "credential", "deaf", "unanswered")

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
        """Whether so many bytes may be written in one go, now."""
        return size <= _AT_ONCE_BYTES and not self._socket.paused and not self._frames

    def tell(self, frames: Sequence[bytes]) -> None:
        """Writes frames at once; only what it `takes`."""
        if frames and not self.closed:
            self._socket.write(b"".join(frames))

    async def stream(self, frames: Sequence[bytes]) -> None:
        """Writes many frames as fast as the peer takes them, past the bound: nothing of theirs is queued here.

        With nothing to write it still waits for a peer that takes nothing: whoever repeats this holds up nobody.
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
        """Writes what is queued, if the socket takes it now."""
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
        """Closes the connection, once; what still waited is dropped, as the client will resume."""
        if not self.closed:
            self.closed = True
            self._frames.clear()
            self._socket.end(code, reason)
