"""A small Klatsch that makes no mistake: from a seed, the log, the archive and the histories of a run."""

import random
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

from faults.evidence import About, Evidence, LogRecord, Row
from faults.history import (
    Answered,
    Changed,
    Changing,
    Closed,
    Connected,
    Entry,
    Event,
    Invoked,
    Loaded,
    Marked,
    Pushed,
    Refused,
    Stated,
    Unanswered,
    WasReset,
    hash_of,
)
from faults.truth import Message, Truth, judge_log

_SPACE = UUID(int=7)
_PARTITIONS = 2


def an_id(name: str) -> str:
    return str(uuid5(_SPACE, name))


def sender_of(message: Message) -> str:
    return next(name for name, user_id in PEOPLE.items() if user_id == message.sender_id)


PEOPLE = {name: an_id(name) for name in ("ana", "bob", "carol", "dora")}
TALK, GROUP, OTHER = an_id("talk"), an_id("group"), an_id("other")
MEMBERS = {TALK: ("ana", "bob"), GROUP: ("ana", "bob", "carol"), OTHER: ("carol", "dora")}
PARTITION = {TALK: 0, GROUP: 1, OTHER: 0}
CLIENTS = ("ana#0", "ana#1", "bob#0", "carol#0", "dora#0")


@dataclass(slots=True)
class Device:
    """A client: its present connection, how far the gateway has read for it, and what waits for an answer."""

    name: str
    user: str
    events: list[Event] = field(default_factory=list)
    connection: int = 0
    is_open: bool = False
    cursor: list[int] = field(default_factory=lambda: [0] * _PARTITIONS)
    token: list[int] | None = None
    belongs: dict[str, bool] = field(default_factory=dict)
    pending: dict[str, Invoked] = field(default_factory=dict)
    again: list[Invoked] = field(default_factory=list)
    unloaded: dict[str, int] = field(default_factory=dict)


class Model:
    """Steps at random; `evidence` drains and tells all."""

    def __init__(self, seed: int, steps: int = 80) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.log: list[list[LogRecord]] = [[] for _ in range(_PARTITIONS)]
        self.ends = [0] * _PARTITIONS
        self.sent = 0
        self.version = 1
        self.unsent: list[tuple[str, Invoked]] = []
        self.devices = [Device(name, name.partition("#")[0]) for name in CLIENTS]
        for conversation, people in MEMBERS.items():
            self._append_members(conversation, people, active=True)
        for device in self.devices:
            self.connect(device)
        actions = (self.send, self.send, self.append, self.append, *(self.deliver,) * 6, self.mark, self.drop)
        for _ in range(steps):
            action = self.random.choice((*actions, self.connect, self.load))
            action(self.random.choice(self.devices))
            if self.random.random() < 0.03:
                self.change_member()

    def tick(self) -> float:
        self.now += 1.0
        return self.now

    def truth(self) -> Truth:
        return judge_log(1, [record for partition in self.log for record in partition])

    def _append(self, partition: int, key: str, **rest: Any) -> int:
        offset = self.ends[partition] + self.random.choice((0, 0, 0, 1))  # offsets are sparse
        self.log[partition].append(LogRecord(partition, offset, key, **rest))
        self.ends[partition] = offset + 1
        return offset

    def _append_members(self, conversation: str, people: tuple[str, ...], *, active: bool) -> None:
        members = ",".join(
            f'{{"user_id":"{PEOPLE[p]}","version":{self.version},"active":{str(active).lower()}}}' for p in people
        )
        value = f'{{"conversation":"{conversation}","members":[{members}]}}'
        self._append(PARTITION[conversation], f"members:{conversation}", value=value)

    def change_member(self) -> None:
        """Has Carol leave the group, or come back."""
        admin, self.version = self.devices[0], self.version + 1
        active = self.version % 2 == 1
        admin.events.append(Changing(self.tick(), GROUP, PEOPLE["carol"], active))
        self._append_members(GROUP, ("carol",), active=active)
        admin.events.append(Changed(self.tick(), GROUP, PEOPLE["carol"], active))

    def connect(self, device: Device) -> None:
        """Connects with the token of its last mark, or none; what it missed is replayed, stated, or reset."""
        if device.is_open:
            return
        device.connection, device.is_open = device.connection + 1, True
        token = None if device.token is None else _text(device.token)
        device.events.append(Connected(self.tick(), device.connection, "g", token))
        truth = self.truth()
        for conversation, people in MEMBERS.items():
            standing = truth.standing_at(conversation, PEOPLE[device.user], 1 << 40)
            device.belongs[conversation] = device.user in people and standing is not None and standing.active
        how = self.random.choice(("replay", "state", "reset"))
        begin = device.token or list(self.ends)
        device.cursor = [self.random.choice((self.ends[p], max(begin[p], self.ends[p] - 2))) for p in (0, 1)]
        if device.token is not None:
            self._make_up(device, truth, begin, how)
        self.mark(device)

    def _make_up(self, device: Device, truth: Truth, begin: list[int], how: str) -> None:
        mine = [conversation for conversation, belongs in device.belongs.items() if belongs]
        if how == "reset":
            device.events.append(WasReset(self.tick(), device.connection, mine, "too_far_behind", _text(device.cursor)))
            device.unloaded |= {c: min(device.unloaded.get(c, 1 << 40), begin[PARTITION[c]]) for c in mine}
            return
        for conversation in mine:
            p = PARTITION[conversation]
            for message in truth.between(conversation, begin[p], device.cursor[p]):
                if how == "state":
                    position = truth.position(message)
                    told = (position, conversation, message.id, message.hash)
                    event = Stated(self.tick(), device.connection, *told, sender=sender_of(message))
                    device.events.append(event)
                else:
                    self._push(device, message)

    def _push(self, device: Device, message: Message) -> None:
        position = f"1:{message.partition}:{message.offset}"
        device.events.append(
            Pushed(
                self.tick(),
                device.connection,
                "message",
                position,
                message.conversation,
                message.id,
                sender_of(message),
                message.hash,
            )
        )

    def send(self, device: Device) -> None:
        """Says again what has no answer yet; else something new."""
        if not device.is_open:
            return
        if device.again:
            asked = device.again.pop()
            asked = Invoked(self.tick(), device.connection, asked.client_id, asked.conversation, asked.hash)
        else:
            conversation = self.random.choice([c for c, people in MEMBERS.items() if device.user in people])
            self.sent += 1
            name = f"c{self.sent}"
            asked = Invoked(self.tick(), device.connection, name, conversation, hash_of(name))
        device.events.append(asked)
        device.pending[asked.client_id] = asked
        self.unsent.append((device.user, asked))

    def append(self, _: Device) -> None:
        """Appends what is on its way to the log, once or twice, or never."""
        if self.unsent:
            user, asked = self.unsent.pop(0)
            message_id = an_id(user + asked.client_id)
            judge = "01" + UUID(message_id).hex + UUID(PEOPLE[user]).hex + "0" * 32
            for _copy in range(self.random.choice((0, 1, 1, 1, 1, 2))):
                where = PARTITION[asked.conversation]
                self._append(where, asked.conversation, judge=judge, client_id=asked.client_id, hash=asked.hash)

    def deliver(self, device: Device) -> None:
        """Has the gateway pass the next record of a partition, and say what is to be said of it."""
        p = self.random.randrange(_PARTITIONS)
        record = next((r for r in self.log[p] if r.offset >= device.cursor[p]), None)
        if not device.is_open or record is None:
            return
        device.cursor[p] = record.offset + 1
        truth = self.truth()
        if record.key.startswith("members:"):
            device.belongs[GROUP] = truth.is_in(GROUP, PEOPLE[device.user], record.offset + 1)
            return
        message_id = str(UUID(record.judge[2:34]))
        asked = device.pending.get(record.client_id)
        mine = asked is not None and an_id(device.user + record.client_id) == message_id
        message = truth.messages.get(message_id)
        if message is None or record.offset < message.offset:
            if mine:
                del device.pending[record.client_id]
                device.events.append(Refused(self.tick(), device.connection, record.client_id, "not_a_member", False))
        elif mine:
            del device.pending[record.client_id]
            again = record.offset != message.offset
            position = f"1:{p}:{message.offset}"
            event = Answered(self.tick(), device.connection, record.client_id, message_id, position, again)
            device.events.append(event)
        elif record.offset == message.offset and device.belongs.get(record.key):
            self._push(device, message)
            if self.random.random() < 0.5 and device.token is not None:
                device.token[p] = record.offset + 1

    def mark(self, device: Device) -> None:
        if device.is_open:
            device.token = list(device.cursor)
            device.events.append(Marked(self.tick(), device.connection, _text(device.cursor)))

    def drop(self, device: Device) -> None:
        """Loses the connection, with the answers that were to come."""
        if device.is_open:
            device.is_open = False
            for asked in device.pending.values():
                device.events.append(Unanswered(self.tick(), device.connection, asked.client_id))
            device.again += device.pending.values()
            device.pending.clear()
            device.events.append(Closed(self.tick(), device.connection, None))

    def load(self, device: Device) -> None:
        """Loads the histories that a reset asked for."""
        truth, at_least = self.truth(), _text(self.ends)
        for conversation, since in list(device.unloaded.items()):
            standing = truth.standing_at(conversation, PEOPLE[device.user], 1 << 40)
            if standing is not None and standing.active:
                del device.unloaded[conversation]
                messages = truth.between(conversation, since, 1 << 40)
                entries = [Entry(truth.position(m), m.id, m.hash, 1, sender=sender_of(m)) for m in messages]
                device.events.append(Loaded(self.tick(), conversation, at_least, since, entries))

    def evidence(self) -> Evidence:
        """Returns all that is left when everything has been delivered."""
        while self.unsent:
            self.append(self.devices[0])
        for device in self.devices:
            self.connect(device)
            while any(device.cursor[p] < self.ends[p] for p in range(_PARTITIONS)):
                self.deliver(device)
            self.load(device)
            self.mark(device)
            for name in device.pending:
                device.events.append(Unanswered(self.tick(), device.connection, name))
        truth = self.truth()
        archive = [
            Row(m.id, m.client_id, conversation, m.sender_id, truth.position(m), number, m.hash)
            for conversation, messages in truth.by_conversation.items()
            for number, m in enumerate(messages, 1)
        ]
        log = [record for partition in self.log for record in partition]
        return Evidence(About(1, PEOPLE), log, archive, {device.name: device.events for device in self.devices})


def _text(offsets: list[int]) -> str:
    return "1.0123456789abcdef." + ".".join(f"{p}:{offset}" for p, offset in enumerate(offsets))
