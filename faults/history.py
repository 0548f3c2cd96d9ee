"""A client's history: each thing that it did or saw, with the time, one JSON object per line.

Times are of the machine's monotonic clock, in seconds: the same for every client of a run.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec


class Connected(msgspec.Struct, frozen=True, tag_field="e", tag="connected"):
    """The client presented that resume token. `connection` numbers its connections, from 1."""

    at: float
    connection: int
    gateway: str
    token: str | None


class Invoked(msgspec.Struct, frozen=True, tag_field="e", tag="invoked"):
    """A send is about to be written: noted before its bytes leave."""

    at: float
    connection: int
    client_id: str
    conversation: str
    hash: str
    named: list[str] = []
    """The usernames that the text mentions."""


class Answered(msgspec.Struct, frozen=True, tag_field="e", tag="ok"):
    """The answer `ok`: the message is at that position."""

    at: float
    connection: int
    client_id: str
    id: str
    position: str
    duplicate: bool


class Refused(msgspec.Struct, frozen=True, tag_field="e", tag="refused"):
    """The answer `err`; with `temporary` the client sends again."""

    at: float
    connection: int
    client_id: str
    code: str
    temporary: bool


class Unanswered(msgspec.Struct, frozen=True, tag_field="e", tag="unanswered"):
    """The answer `unknown`, or none before the connection ended: the message may be in the log or not."""

    at: float
    connection: int
    client_id: str


class Pushed(msgspec.Struct, frozen=True, tag_field="e", tag="pushed"):
    """A durable push. `id`, `sender` and `hash` are empty for pushes other than messages."""

    at: float
    connection: int
    kind: str
    position: str
    conversation: str
    id: str = ""
    sender: str = ""
    hash: str = ""


class Wanted(msgspec.Struct, frozen=True, tag_field="e", tag="wanted"):
    """A change of a message is about to be written: noted before its bytes leave.

    `what` is the name of the push that it causes, and `body` what it says: see `body_of`.
    """

    at: float
    connection: int
    client_id: str
    conversation: str
    target: str
    what: str
    body: str


class Delta(msgspec.Struct, frozen=True, tag_field="e", tag="delta"):
    """A push that changes the message `target`."""

    at: float
    connection: int
    position: str
    conversation: str
    target: str
    what: str
    body: str


class Held(msgspec.Struct, frozen=True, tag_field="e", tag="held"):
    """The client's view at the end: the state of each message (see `faults.folding`), by conversation and id."""

    at: float
    messages: dict[str, dict[str, str]]


class Stated(msgspec.Struct, frozen=True, tag_field="e", tag="state"):
    """An archived message in a replay: an upsert, never a second showing."""

    at: float
    connection: int
    position: str
    conversation: str
    id: str
    hash: str
    changed: str = ""
    state: str = ""
    sender: str = ""


class Marked(msgspec.Struct, frozen=True, tag_field="e", tag="mark"):
    """A mark: everything before that token was shown, or came before the presented token."""

    at: float
    connection: int
    token: str


class WasReset(msgspec.Struct, frozen=True, tag_field="e", tag="reset"):
    """A reset: these conversations must be reloaded."""

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
    changed: str = ""
    state: str = ""
    sender: str = ""


class Loaded(msgspec.Struct, frozen=True, tag_field="e", tag="loaded"):
    """A history over REST, with `at_least`: everything at the offset `since` or later, oldest first."""

    at: float
    conversation: str
    at_least: str
    since: int
    entries: list[Entry]


class Closed(msgspec.Struct, frozen=True, tag_field="e", tag="closed"):
    """The connection has ended. `code` is the server's, None where there was none."""

    at: float
    connection: int
    code: int | None


class Changing(msgspec.Struct, frozen=True, tag_field="e", tag="changing"):
    """A membership change is about to be requested."""

    at: float
    conversation: str
    user_id: str
    active: bool


class Changed(msgspec.Struct, frozen=True, tag_field="e", tag="changed"):
    """The membership change has succeeded, and holds everywhere."""

    at: float
    conversation: str
    user_id: str
    active: bool


class Blocking(msgspec.Struct, frozen=True, tag_field="e", tag="blocking"):
    """The person is about to block `user_id`, or to lift that block."""

    at: float
    conversation: str
    user_id: str
    on: bool


class Blocked(msgspec.Struct, frozen=True, tag_field="e", tag="blocked"):
    """The block, or its lifting, has succeeded, and holds everywhere."""

    at: float
    conversation: str
    user_id: str
    on: bool


class RoleChanging(msgspec.Struct, frozen=True, tag_field="e", tag="role_changing"):
    """A change of a member's role is about to be requested."""

    at: float
    conversation: str
    user_id: str
    role: str


class RoleChanged(msgspec.Struct, frozen=True, tag_field="e", tag="role_changed"):
    """The change of the role has succeeded, and holds everywhere."""

    at: float
    conversation: str
    user_id: str
    role: str


class Listed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A conversation in a person's list. The positions are empty where nothing was received or read."""

    conversation: str
    unread: int | str
    mentions: int
    delivered: str
    read: str


class ListShown(msgspec.Struct, frozen=True, tag_field="e", tag="list"):
    """The person's list of conversations at the end of the run, when nothing was written any more."""

    at: float
    conversations: list[Listed]


Sending = Invoked | Wanted | Answered | Refused | Unanswered
Seen = Connected | Pushed | Delta | Held | Stated | Marked | WasReset | Loaded | Closed | ListShown
Event = Sending | Seen | Changing | Changed | Blocking | Blocked | RoleChanging | RoleChanged

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Event).decode


class History:
    """A client's file. All but a buffer's worth is in the file when the next event happens."""

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
    """Returns 16 digits that tell texts apart."""
    return hashlib.blake2b(content.encode(), digest_size=8).hexdigest()


class Token(msgspec.Struct, frozen=True):
    """A resume token, read by protocol.md: the next offset of each partition."""

    epoch: int
    offsets: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> "Token":
        epoch, _, *pairs = text.split(".")
        return cls(int(epoch), tuple(int(pair.partition(":")[2]) for pair in pairs))


def place(position: str) -> tuple[int, int, int]:
    """Returns epoch, partition and offset of a position."""
    epoch, partition, offset = position.split(":")
    return int(epoch), int(partition), int(offset)
