"""One connection's part in signals: the conversations that it has opened, and the people whom it shows."""

from dataclasses import dataclass, field

from klatsch.gateway.hub import ConnectedPerson
from klatsch.gateway.outbox import Outbox


@dataclass(slots=True, eq=False)
class WatchedPerson:
    """A person whom connections here show, as `online` as they are told. `actor` is the id in 16 bytes.

    `conversations` holds the keys of some that the person is known to be a member of: those by which connections show
    them. Further connections that share one of these are answered from memory.
    """

    user_id: str
    actor: bytes
    username: str
    online: bool
    listeners: "set[Listener]" = field(default_factory=set)
    conversations: set[bytes] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Listener:
    """A WebSocket after its `hello`.

    `shown` holds the people whom it shows, each with the key of a conversation that its person shares with them.
    `pending` holds those who have changed since the connection was told of them, each with what it was told. A change
    that was undone meanwhile needs no push. `lost` holds the names that it has to be told offline for good, as its
    person may not see them any more.
    """

    person: ConnectedPerson
    outbox: Outbox
    opened: frozenset[bytes] = frozenset()
    shown: dict[WatchedPerson, bytes] = field(default_factory=dict)
    pending: dict[WatchedPerson, bool] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    told_s: float = float("-inf")

    def is_free(self, size: int = 0) -> bool:
        """Returns whether nothing else waits for this connection, so that it may get a signal of that size.

        Signals are the first to be dropped: a slow connection, or one in a replay, gets none (D20).
        """
        outbox = self.outbox
        return not outbox.deaf and not outbox.closed and outbox.takes(size)

    def tell(self, frame: bytes) -> bool:
        """Writes a WebSocket frame if the connection is free; returns whether it did."""
        if not self.is_free(len(frame)):
            return False
        self.outbox.tell([frame])
        return True
