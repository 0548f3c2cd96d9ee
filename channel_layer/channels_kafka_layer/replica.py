"""One process's copy of the normal channels, and how a newcomer gets the same state as all others. No I/O.

Which messages are gone depends on all offers since the queue was last empty, so reading back is not enough. A newcomer
reads the unexpired messages and writes HELLO. Any process that has the state answers STATE: the state at HELLO, without
bodies. The first answer to a HELLO counts, for everybody alike, so all have one state even where two differ.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from channels_kafka_layer import records
from channels_kafka_layer.normal_channels import Match, NormalChannels, Queued
from channels_kafka_layer.records import Record

_ANSWER_MOST_MS = 10_000
"""A later answer counts for nobody; until then all keep what came after the HELLO."""


@dataclass(slots=True)
class _Asked:
    """A HELLO that waits for its answer: the state at it, and what came after it."""

    time_ms: int
    snapshot: list[object]
    bodies: dict[tuple[str, int], bytes | None]
    after: list[Record] = field(default_factory=list)


@dataclass(slots=True)
class Applied:
    """The effect of a record. `is_full`: its message was dropped, for one channel or `full_members` of a group."""

    matches: list[Match] = field(default_factory=list)
    is_full: bool = False
    full_members: int = 0
    members: int = 0


class Replica:
    """Applies the records of the normal channels in the log's order."""

    def __init__(self) -> None:
        self.state = NormalChannels()
        self.is_agreed = False
        """The state is that of all others. Before, matches are computed, but mean nothing."""
        self._is_replaying = True
        self._is_silent = True
        self._asked: OrderedDict[int, _Asked] = OrderedDict()
        self._bodies: OrderedDict[tuple[str, int], Queued] = OrderedDict()

    def apply(self, record: Record) -> Applied:
        """Applies one record of a kind in OF_NORMAL_CHANNELS, or GROUP."""
        if record.kind == records.GROUP and not self.state.members(record.name):
            return Applied()  # not even its time counts: only processes with members of their own look into it
        self.state.advance(record.time_ms)
        self._is_silent = False
        self._drop_unanswered(record.time_ms)
        if record.kind == records.STATE:
            return self._adopt(record)
        for asked in self._asked.values():
            asked.after.append(record)
        if record.kind == records.HELLO:
            self._note_hello(record)
            return Applied()
        if not self.is_agreed:
            self._keep_bodies(record)
        if record.kind == records.FLUSH:
            self._agree()
        return self._take(record)

    def skip(self, record: Record) -> None:
        """Notes a record that is to be replayed. Where it is deleted before that, the log was still not silent."""
        if record.kind != records.GROUP:
            self._is_silent = False

    def end_replay(self) -> bool:
        """Ends reading back; returns whether the state must be asked for. After silence all states are empty."""
        self._is_replaying = False
        if self._is_silent:
            self._agree()
        return not self.is_agreed

    def answer_to(self, hello: int) -> tuple[int, list[object]] | None:
        """Returns the fields of a STATE record for a HELLO that nobody has answered yet."""
        asked = self._asked.get(hello)
        return None if asked is None else (hello, asked.snapshot)

    def _drop_unanswered(self, now_ms: int) -> None:
        """Drops what no answer can use any more, with all records that were kept for it."""
        while self._asked and next(iter(self._asked.values())).time_ms < now_ms - _ANSWER_MOST_MS:
            self._asked.popitem(last=False)

    def _note_hello(self, record: Record) -> None:
        if not self._is_replaying:
            self._asked[record.offset] = _Asked(record.time_ms, self.state.snapshot(), self._known_bodies())

    def _adopt(self, record: Record) -> Applied:
        """Takes an answer as the state at its HELLO, and applies what came after that once more."""
        hello, snapshot = record.fields()
        asked = self._asked.pop(hello, None)
        if asked is None or record.time_ms - asked.time_ms > _ANSWER_MOST_MS:
            return Applied()
        if self.is_agreed and asked.snapshot == snapshot:
            return Applied()
        bodies = asked.bodies | {place: message.body for place, message in self._bodies.items()}
        self.state = NormalChannels.restore(snapshot, lambda channel, place: bodies.get((channel, place)))
        self._agree()
        result = Applied()
        for later in asked.after:
            self.state.advance(later.time_ms)
            if later.kind == records.HELLO:
                again = self._asked.get(later.offset)
                if again is not None:
                    again.snapshot, again.bodies = self.state.snapshot(), self._known_bodies()
            else:
                result.matches += self._take(later).matches
        self.state.advance(record.time_ms)
        return result

    def _agree(self) -> None:
        self.is_agreed = True
        self._bodies.clear()

    def _take(self, record: Record) -> Applied:
        """Changes the state. A repetition says nothing of a channel that is no member: it may have left since.

        Before all agree, that cannot be known, and the repetition is taken at its word.
        """
        if (
            record.kind == records.RENEW
            and self.is_agreed
            and not self.state.is_member(record.fields()[0], record.name)
        ):
            return Applied()
        return _change(self.state, record)

    def _known_bodies(self) -> dict[tuple[str, int], bytes | None]:
        return {(channel, message.place): message.body for channel, message in self.state.queued()}

    def _keep_bodies(self, record: Record) -> None:
        """Keeps unexpired messages until the state is known: it names them by their places."""
        for channel, message in _messages_of(self.state, record):
            self._bodies[channel, message.place] = message
        while self._bodies and next(iter(self._bodies.values())).expires_ms <= self.state.now_ms:
            self._bodies.popitem(last=False)


def _messages_of(state: NormalChannels, record: Record) -> list[tuple[str, Queued]]:
    if record.kind == records.QUEUED:
        _, life_ms, body = record.fields()
        return [(record.name, Queued(record.offset, record.time_ms + life_ms, body))]
    if record.kind == records.RETURN:
        place, expires_ms, body = record.fields()
        return [(record.name, Queued(place, expires_ms, body))]
    if record.kind == records.GROUP:
        life_ms, body = record.group_fields()
        message = Queued(record.offset, record.time_ms + life_ms, body)
        return [(channel, message) for channel in state.members(record.name)]
    return []


def _change(state: NormalChannels, record: Record) -> Applied:
    """Changes the state as the record says."""
    kind, name = record.kind, record.name
    if kind == records.QUEUED:
        return _send(state, record)
    if kind == records.GROUP:
        return _send_to_group(state, record)
    match: Match | None = None
    if kind == records.OFFER:
        number, life_ms, is_new = record.fields()
        if is_new:
            match = state.offer(name, record.sender, number, life_ms)
        else:
            state.renew(name, record.sender, number, life_ms)
    elif kind == records.RETURN:
        [(_, message)] = _messages_of(state, record)
        match = state.give_back(name, message)
    elif kind == records.WITHDRAW:
        [number] = record.fields()
        state.withdraw(name, record.sender, number)
    elif kind in {records.JOIN, records.RENEW}:
        group, life_ms, capacity = record.fields()
        state.join(group, name, life_ms, capacity)
    elif kind == records.LEAVE:
        [group] = record.fields()
        state.leave(group, name)
    elif kind == records.FLUSH:
        state.clear()
    return Applied([] if match is None else [match])


def _send(state: NormalChannels, record: Record) -> Applied:
    capacity, life_ms, body = record.fields()
    sent = state.send(record.name, Queued(record.offset, record.time_ms + life_ms, body), capacity)
    return Applied([sent]) if isinstance(sent, Match) else Applied(is_full=not sent)


def _send_to_group(state: NormalChannels, record: Record) -> Applied:
    life_ms, body = record.group_fields()
    members = state.members(record.name)
    result = Applied(members=len(members))
    for channel, member in members.items():
        sent = state.send(channel, Queued(record.offset, record.time_ms + life_ms, body), member.capacity)
        if isinstance(sent, Match):
            result.matches.append(sent)
        elif not sent:
            result.full_members += 1
    return result
