"""What a client writes down: each thing that it did or saw, when it did or saw it, one JSON object a line.

Times are of the machine's monotonic clock, in seconds: the same for every client of a run.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec


class Connected(msgspec.Struct, frozen=True, tag_field="e", tag="connected"):
    """It presented that resume token; `connection` numbers its connections, from 1."""

    at: float
    connection: int
    gateway: str
    token: str | None


class Invoked(msgspec.Struct, frozen=True, tag_field="e", tag="invoked"):
    """The bytes of a send are about to leave: written before they do."""

    at: float
    connection: int
    client_id: str
    conversation: str
    hash: str


class Answered(msgspec.Struct, frozen=True, tag_field="e", tag="ok"):
    """`ok`: the message stands at that position."""

    at: float
    connection: int
    client_id: str
    id: str
    position: str
    duplicate: bool


class Refused(msgspec.Struct, frozen=True, tag_field="e", tag="refused"):
    """`err`; with `temporary` the client says it again."""

    at: float
    connection: int
    client_id: str
    code: str
    temporary: bool


class Unanswered(msgspec.Struct, frozen=True, tag_field="e", tag="unanswered"):
    """`unknown`, whether the gateway said so or the connection ended first: it may be in the log or not."""

    at: float
    connection: int
    client_id: str


class Pushed(msgspec.Struct, frozen=True, tag_field="e", tag="pushed"):
    """A durable push. `id`, `sender` and `hash` are empty for what is no message."""

    at: float
    connection: int
    kind: str
    position: str
    conversation: str
    id: str = ""
    sender: str = ""
    hash: str = ""


class Stated(msgspec.Struct, frozen=True, tag_field="e", tag="state"):
    """A message as the archive has it, in a replay: an upsert, never a second showing."""

    at: float
    connection: int
    position: str
    conversation: str
    id: str
    hash: str


class Marked(msgspec.Struct, frozen=True, tag_field="e", tag="mark"):
    """All before that token was shown, or was the presented token's."""

    at: float
    connection: int
    token: str


class WasReset(msgspec.Struct, frozen=True, tag_field="e", tag="reset"):
    """These conversations are to be loaded anew."""

    at: float
    connection: int
    conversations: list[str]
    why: str
    at_least: str


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A message in a history."""

    position: str
    id: str
    hash: str
    seq: int


class Loaded(msgspec.Struct, frozen=True, tag_field="e", tag="loaded"):
    """A history over REST, with `at_least`: all of it that stands at the offset `since` or later, oldest first."""

    at: float
    conversation: str
    at_least: str
    since: int
    entries: list[Entry]


class Closed(msgspec.Struct, frozen=True, tag_field="e", tag="closed"):
    """The connection is over; `code` is the server's, None where there was none."""

    at: float
    connection: int
    code: int | None


class Changing(msgspec.Struct, frozen=True, tag_field="e", tag="changing"):
    """A removal or an addition of a member is about to be asked for."""

    at: float
    conversation: str
    user_id: str
    active: bool


class Changed(msgspec.Struct, frozen=True, tag_field="e", tag="changed"):
    """It is made, and holds for everybody."""

    at: float
    conversation: str
    user_id: str
    active: bool


Sending = Invoked | Answered | Refused | Unanswered
Event = Sending | Connected | Pushed | Stated | Marked | WasReset | Loaded | Closed | Changing | Changed

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Event).decode


class History:
    """One client's file. What is written is in the file when the next thing happens, but for a buffer's worth."""

    def __init__(self, file: Path) -> None:
        self._output = file.open("wb", buffering=65_536)

    def write(self, event: Event) -> None:
        self._output.write(_encode(event) + b"\n")

    def close(self) -> None:
        self._output.close()


def read_history(file: Path) -> list[Event]:
    return list(decode_lines(file.read_bytes().splitlines()))


def decode_lines(lines: Iterable[bytes]) -> Iterator[Event]:
    return (_decode(line) for line in lines)


def hash_of(content: str) -> str:
    """16 digits that tell texts apart."""
    return hashlib.blake2b(content.encode(), digest_size=8).hexdigest()


class Token(msgspec.Struct, frozen=True):
    """A resume token, read as protocol.md says: the next offset of each partition."""

    epoch: int
    offsets: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> "Token":
        epoch, _, *pairs = text.split(".")
        return cls(int(epoch), tuple(int(pair.partition(":")[2]) for pair in pairs))


def place(position: str) -> tuple[int, int, int]:
    """Epoch, partition and offset."""
    epoch, partition, offset = position.split(":")
    return int(epoch), int(partition), int(offset)
