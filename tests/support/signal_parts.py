"""Gateways that share a topic of signals in memory; PostgreSQL's answers are put in by hand, and time is moved."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from klatsch.conversations.access import Access
from klatsch.eventlog.log import Entry
from klatsch.eventlog.memory import MemoryLog
from klatsch.gateway.hub import ConnectedPerson
from klatsch.gateway.language.requests import (
    OpenBody,
    OpenFrame,
    PresenceFrame,
    PresenceFrameBody,
    TypingFrame,
    TypingFrameBody,
)
from klatsch.gateway.outbox import Outbox
from klatsch.gateway.signals.listener import Listener
from klatsch.gateway.signals.requests import SignalRequests
from klatsch.gateway.signals.signals import Signals, SignalTimes
from tests.support.gateway_parts import Parts
from tests.support.peer import Peer
from tests.support.records import ANA, TEA, Somebody, direct


class Clock:
    """A clock of monotonic seconds that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@dataclass(slots=True, eq=False)
class Device:
    """Somebody's WebSocket at a gateway, with what it was pushed."""

    gateway: "SignalGateway"
    person: ConnectedPerson
    outbox: Outbox
    peer: Peer
    listener: Listener
    held: contextlib.ExitStack

    async def open(self, *conversations: str) -> None:
        await self.gateway.requests.open(self.listener, OpenFrame(1, OpenBody(list(conversations))))

    def type(self, conversation: object = TEA, *, on: bool = True) -> None:
        self.gateway.requests.say_typing(self.listener, TypingFrame(d=TypingFrameBody(str(conversation), on)))

    async def show(self, *names: str) -> dict[str, list[str]]:
        """Returns the answer: whom of these people it is told online, and whom offline."""
        self.peer.read()
        await self.gateway.requests.show(self.listener, PresenceFrame(2, PresenceFrameBody(list(names))))
        [answer] = self.peer.read()
        told: dict[str, list[str]] = answer["ok"]
        return told

    def read(self) -> list[Any]:
        """Returns the bodies of the pushes since the last call."""
        return [frame["d"] for frame in self.peer.read() if "t" in frame]

    def read_presence(self) -> list[Any]:
        """Returns the bodies of the pushes of presence since the last call."""
        return [frame["d"] for frame in self.peer.read() if frame.get("t") == "presence"]

    def close(self) -> None:
        self.held.close()


class SignalGateway:
    """A gateway. `alive` is False once it is killed; `reads_from` is where it reads the topic on."""

    def __init__(self, topic: MemoryLog, clock: Clock, times: SignalTimes) -> None:
        self.parts = Parts()
        self.topic = topic
        self.devices: list[Device] = []
        self.is_away = False
        self.alive = True
        self.signals = Signals(
            hub=self.parts.hub, judge=self.parts.feed.memberships, append=self._append, clock=clock, times=times
        )
        self.parts.feed.tell_of_members(self.signals)
        self.requests = SignalRequests(self.signals, self.parts.hub, self.parts.lookups)
        self._positions = {p: len(records) for p, records in enumerate(topic.records)}

    def _append(self, entry: Entry) -> bool:
        if not self.is_away:
            self.topic.append(entry)
        return not self.is_away

    def connect(self, somebody: Somebody, *accesses: Access) -> Device:
        """Returns a WebSocket of a member of a conversation, after its hello."""
        peer, held = Peer(), contextlib.ExitStack()
        hub = self.parts.hub
        outbox = Outbox(peer, hub.dirty, 2**20)
        person = hub.join(somebody.user_id, somebody.name, outbox)
        held.callback(hub.leave, person, outbox)
        for access in accesses:
            hub.admit(person, access, 1)
        hub.finish_loading(person)
        listener = held.enter_context(self.signals.joined(person, outbox))
        device = Device(self, person, outbox, peer, listener, held)
        self.devices.append(device)  # one that nobody keeps would be closed with its memory
        return device

    async def turn(self) -> None:
        """Publishes and tells what there is, and takes what others have published."""
        if self.alive:
            await self.signals.tick()
            if not self.is_away:
                await self.signals.apply(self.topic.read(self._positions, 100_000, 0))


class Town:
    """Runs some gateways over one topic, by one clock."""

    def __init__(self, gateways: int = 2, times: SignalTimes | None = None) -> None:
        self.topic = MemoryLog(partitions=3)
        self.clock = Clock()
        self.times = times or SignalTimes()
        self.gateways = [self.add() for _ in range(gateways)]

    def add(self) -> SignalGateway:
        return SignalGateway(self.topic, self.clock, self.times)

    async def settle(self, seconds: float = 2.0, gateways: Sequence[SignalGateway] | None = None) -> None:
        """Lets time pass, a quarter of a second at a turn, as gateways tick."""
        for _ in range(round(seconds * 4)):
            self.clock.now_s += 0.25
            for gateway in gateways or self.gateways:
                await gateway.turn()


def watcher(gateway: SignalGateway, *others: Somebody) -> Device:
    """Returns a connection of Ana, who may see these people."""
    return gateway.connect(ANA, *(direct(ANA, other) for other in others))
