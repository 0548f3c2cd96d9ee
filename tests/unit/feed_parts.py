"""Parts that tests of the feed share: a feed with its hub and connections in memory, and records that it must skip."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from klatsch.core.ids import uuid_text
from klatsch.eventlog.log import Entry, Record
from klatsch.gateway.feed.changes import Settled
from klatsch.gateway.feed.feed import Feed
from klatsch.gateway.feed.pending import Pending, Waiter
from klatsch.gateway.feed.ring import Ring
from klatsch.gateway.hub import ConnectedPerson, Hub
from klatsch.gateway.outbox import Outbox
from klatsch.records.header import judged_body, judged_id
from klatsch.records.kind import Kinds
from klatsch.records.kinds import KINDS
from klatsch.records.messages import MessagePosted
from tests.support.peer import Peer
from tests.support.records import ANA, TEA, Somebody, added, in_group, message

Frames = list[dict[str, Any]]


@dataclass
class Connection:
    """A person's connection and what its peer takes."""

    person: ConnectedPerson
    outbox: Outbox
    peer: Peer

    def read(self) -> Frames:
        return self.peer.read()


class Gateway:
    """A feed with its hub, its waiters and its ring."""

    def __init__(
        self,
        offsets: dict[int, int] | None = None,
        span_s: float = 150,
        kinds: Kinds = KINDS,
        settled: Settled | None = None,
    ) -> None:
        self.kinds = kinds
        self.hub, self.pending = Hub(), Pending()
        self.feed = Feed(
            epoch=1,
            offsets=offsets or {0: 0},
            hub=self.hub,
            pending=self.pending,
            ring=Ring(len(offsets or {0: 0}), span_s),
            recent_bytes=2**20,
            kinds=kinds,
            settled=settled,
        )

    def connect(self, somebody: Somebody, *, member: bool = True) -> Connection:
        peer = Peer(kinds=self.kinds)
        outbox = Outbox(peer, self.hub.dirty, 2**20)
        person = self.hub.join(somebody.user_id, somebody.name, outbox)
        if member:
            self.hub.admit(person, in_group(somebody), 1)
        return Connection(person, outbox, peer)

    def await_answer(self, connection: Connection, entry: Entry, re: int = 1, body: bytes | None = None) -> None:
        """Makes `connection` wait for that entry, or for another body under the same id."""
        wait_for(entry, self.pending, connection.outbox, re, body)

    def read(self, records: Iterable[Record]) -> None:
        self.feed.apply(list(records))


def wait_for(
    sent: Entry | Record, pending: Pending, outbox: Outbox, re: int | str = 1, body: bytes | None = None
) -> None:
    """Makes the connection of `outbox` wait for what was sent, or for another body under the same id."""
    own_id, mine = judged_id(sent.judge), judged_body(sent.judge) if body is None else body
    pending.add(own_id, Waiter(outbox, re, uuid_text(own_id), mine, 0.0, sent.value))


def message_id(entry: Entry) -> str:
    event = KINDS.decode(entry.value)
    assert isinstance(event, MessagePosted)
    return event.id


def codes(frames: Frames) -> list[str]:
    return [frame["err"]["code"] for frame in frames]


POISON = [
    Entry(b"", b"{}"),
    Entry(b"somewhere", b"{}", message(in_group(ANA)).judge),
    Entry(b"user:" + ANA.user_id.encode(), b"{}"),
    Entry(str(TEA).encode(), b"{}"),
    Entry(str(TEA).encode(), b"{}", b"\x01"),
    Entry(str(TEA).encode(), b"{}", b"\x07" + bytes(48)),
    Entry(b"members:" + str(TEA).encode(), b"\xff"),
    Entry(b"members:" + str(TEA).encode(), b""),
    Entry(b"members:elsewhere", added(ANA).value),
]
