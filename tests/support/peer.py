"""The other end of a WebSocket, by hand: what it took, and whether it still reads."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from klatsch.gateway.language.protocol import Close
from klatsch.gateway.outbox import nothing
from klatsch.records.kind import Kinds
from klatsch.records.kinds import KINDS
from tests.support.frames import check_received
from tests.support.waiting import until


def parse_frames(raw: bytes) -> list[Frame]:
    """Returns the frames of a server's bytes, by the `websockets` library's own parser; the last one must be whole."""
    reader = StreamReader()
    reader.feed_data(raw)
    reader.feed_eof()
    frames: list[Frame] = []
    while not _at_end(reader):
        frames.append(_run(Frame.parse(reader.read_exact, mask=False)))
    return frames


def _at_end(reader: StreamReader) -> bool:
    return bool(_run(reader.at_eof()))


def _run(parser: Any) -> Any:
    try:
        next(parser)
    except StopIteration as done:
        return done.value
    raise AssertionError("a frame is cut short")


@dataclass
class Peer:
    """A socket whose other end can stop reading.

    `stalls_after` pauses it in the middle of a write, as transports do.
    """

    paused: bool = False
    stalls_after: int | None = None
    taken: bytes = b""
    writes: int = 0
    last: bytes = b""
    closed: list[tuple[Close, str]] = field(default_factory=list)
    kinds: Kinds = KINDS

    def __post_init__(self) -> None:
        self.resumed: Callable[[], None] = nothing

    def write(self, frames: bytes) -> None:
        assert not self.paused
        self.taken += frames
        self.writes += 1
        self.last = frames
        if self.stalls_after is not None and self.writes >= self.stalls_after:
            self.paused = True

    async def drain(self) -> None:
        await until(lambda: not self.paused)

    def end(self, code: Close, reason: str) -> None:
        self.closed.append((code, reason))

    def read(self) -> list[dict[str, Any]]:
        """Returns the frames since the last call. Each is JSON text that the document of these kinds describes."""
        frames = parse_frames(self.taken)
        self.taken = b""
        assert all(frame.opcode is Opcode.TEXT and frame.fin for frame in frames)
        read = [json.loads(bytes(frame.data)) for frame in frames]
        for frame in read:
            check_received(frame, self.kinds)
        return read
