"""A system that pairs can talk over: Klatsch itself, and each peer in `bench.peers`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bench.client import Socket

TEXT = "x" * 100


class NotInstalled(Exception):
    """Raised where a peer's programs or packages are missing; the text says what to install."""


class Dialect(Protocol):
    """The frames of one pair, bytes in and out. Messages are numbered from 1."""

    def send(self, a: Socket, number: int) -> None:
        """Sends the message with that number."""
        ...

    def answer(self, payload: bytes) -> int:
        """Returns the number of the message that a frame to the sender accepts, negative if it refuses, else 0."""
        ...

    def delivery(self, payload: bytes) -> int:
        """Returns the number of the message that a frame to the receiver brings, else 0."""
        ...


@dataclass(slots=True)
class OpenPair:
    """Two connections that can talk."""

    a: Socket
    b: Socket
    dialect: Dialect


class System(Protocol):
    """A system to measure. `kinds` are the kinds of processes that work for it. Making one may raise NotInstalled."""

    name: str
    kinds: Sequence[str]
    keeps: str
    """The traces of a message that the system keeps, in words."""

    def start(self) -> None:
        """Starts the system's own processes."""
        ...

    def stop(self) -> None:
        """Ends what `start` has started, even if it failed half-way."""
        ...

    def settings(self) -> Mapping[str, str]:
        """Returns versions and settings, as read from the servers where they tell them."""
        ...

    def processes(self) -> Mapping[int, str]:
        """Returns the ids and kinds of the started processes."""
        ...

    async def open_pairs(self, count: int) -> Sequence[OpenPair]: ...

    def wait_archived(self, expected: int) -> None:
        """Returns once so many messages of the pairs seem to be archived, cheaply, or after a minute."""
        ...

    def count_archived(self) -> int | None:
        """Returns how many messages of the pairs are in the archive; None where nothing is archived."""
        ...
