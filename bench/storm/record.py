"""A record of one client's raw frames: enough to find later what it missed."""

from dataclasses import dataclass, field
from typing import NamedTuple


class Place(NamedTuple):
    """A partition's offset in a token or of a message."""

    partition: int
    offset: int


class Shown(NamedTuple):
    """A message that a connection was told of. A state from the archive has no place, as its rows are upserted."""

    id: str
    place: Place | None


@dataclass(slots=True)
class Stream:
    """A connection. `presented` are the offsets of its token, `base` those of its first mark.

    Times are in seconds of the machine's monotonic clock: `began` when it was asked for, `marked_at` when all that was
    missed had been told. `repeats` says that it came with the last mark's token as it was, so that what came since
    that mark is told once more.
    """

    presented: tuple[int, ...] | None
    began: float
    repeats: bool = True
    resumed: bool = False
    marked_at: float | None = None
    base: tuple[int, ...] = ()
    resets: int = 0
    shown: list[Shown] = field(default_factory=list)


@dataclass(slots=True)
class Record:
    """A person's client: all its connections, and the outcomes of its sends by `client_id`.

    `lost_at` is when its connection was lost, with `in_flight` sends unanswered.
    """

    username: str
    peer: str
    idle: bool
    streams: list[Stream] = field(default_factory=list)
    sent: set[str] = field(default_factory=set)
    acknowledged: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    duplicates: int = 0
    lost_at: float | None = None
    in_flight: int = 0


def offsets_of(token: str) -> tuple[int, ...]:
    """Parses `<epoch>.<user hash>.<partition>:<offset>.…`, like docs/protocol.md."""
    return tuple(int(part.partition(":")[2]) for part in token.split(".")[2:])


def advanced(token: str, place: Place) -> str:
    """Returns the token after a push at that place: a client may advance it itself, exactly."""
    parts = token.split(".")
    parts[2 + place.partition] = f"{place.partition}:{place.offset + 1}"
    return ".".join(parts)


def place_of(position: str) -> Place:
    _, partition, offset = position.split(":")
    return Place(int(partition), int(offset))
