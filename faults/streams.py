"""I4 and I5 of each connection as it went: one order, nothing twice, no mark that goes back. What is left out of it is
`faults.gaps`'s.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from faults.contradiction import Contradiction
from faults.history import Answered, Connected, Delta, Event, Marked, Pushed, Stated, Token, WasReset, place
from faults.truth import Truth


@dataclass(slots=True)
class Stream:
    """One connection. `ends` is how far it is known to have come, by its marks and, after the first, by its pushes.

    The first mark ends a replay. From it on, a push tells that all before it in its partition was shown: a client may
    advance its token by that.
    """

    name: str
    presented: Token | None
    marked_at: float | None = None
    base: tuple[int, ...] = ()
    ends: list[int] = field(default_factory=list)
    mark: tuple[int, ...] = ()
    resets: dict[str, Token] = field(default_factory=dict)
    shown: set[str] = field(default_factory=set)
    pushed: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    last: dict[str, int] = field(default_factory=dict)

    def floor(self, conversation: str, partition: int) -> int:
        """Returns the place before which messages repeat: the presented token, unless a reset begins earlier."""
        assert self.presented is not None
        presented = self.presented.offsets[partition]
        return min(presented, self.begin(conversation, partition)) if conversation in self.resets else presented

    def begin(self, conversation: str, partition: int) -> int:
        """Returns the first offset of a conversation that this connection owes."""
        if conversation in self.resets:
            return self.resets[conversation].offsets[partition]
        return self.base[partition]


def follow(client: str, events: Sequence[Event], truth: Truth) -> tuple[list[Stream], list[Contradiction]]:
    """A client's connections, and the contradictions within each."""
    streams: dict[int, Stream] = {}
    found: list[Contradiction] = []
    for event in events:
        if isinstance(event, Connected):
            token = None if event.token is None else Token.parse(event.token)
            streams[event.connection] = Stream(f"{client}, connection {event.connection}", token)
        elif isinstance(event, Pushed | Delta | Answered | Stated | Marked | WasReset):
            found += _take(streams[event.connection], event, truth)
    return list(streams.values()), found


def _take(stream: Stream, event: Event, truth: Truth) -> Iterator[Contradiction]:
    if isinstance(event, Pushed):
        if event.id:
            yield from _push(stream, event)
    elif isinstance(event, Delta):
        yield from _delta(stream, event, truth)
    elif isinstance(event, Answered):
        yield from _answer(stream, event, truth)
    elif isinstance(event, Marked):
        yield from _mark(stream, event)
    elif isinstance(event, Stated):
        stream.shown.add(event.id)
    elif isinstance(event, WasReset):
        stream.resets |= dict.fromkeys(event.conversations, Token.parse(event.at_least))


def _push(stream: Stream, event: Pushed) -> Iterator[Contradiction]:
    _, partition, offset = place(event.position)
    if event.id in stream.pushed or event.id in stream.acknowledged:
        yield Contradiction("I5", "doubled", f"{stream.name}: shown twice: {event}")
    elif stream.presented is not None and offset < stream.floor(event.conversation, partition):
        yield Contradiction("I5", "doubled", f"{stream.name}: shown again, before the presented token: {event}")
    else:
        yield from _in_order(stream, event.conversation, offset, str(event))
    stream.pushed.add(event.id)
    stream.shown.add(event.id)
    if stream.marked_at is not None:
        stream.ends[partition] = max(stream.ends[partition], offset + 1)


def _delta(stream: Stream, event: Delta, truth: Truth) -> Iterator[Contradiction]:
    _, partition, offset = place(event.position)
    change = truth.change_at.get((partition, offset))
    own_id = event.position if change is None else change.id
    if own_id in stream.pushed or own_id in stream.acknowledged:
        yield Contradiction("I5", "doubled", f"{stream.name}: shown twice: {event}")
    elif stream.presented is not None and offset < stream.floor(event.conversation, partition):
        yield Contradiction("I5", "doubled", f"{stream.name}: shown again, before the presented token: {event}")
    else:
        yield from _in_order(stream, event.conversation, offset, str(event))
    stream.pushed.add(own_id)
    stream.shown.add(own_id)
    if stream.marked_at is not None:
        stream.ends[partition] = max(stream.ends[partition], offset + 1)


def _answer(stream: Stream, event: Answered, truth: Truth) -> Iterator[Contradiction]:
    """Checks that a new answer's position is after everything shown here: both come from reading the log in order."""
    message = truth.messages.get(event.id) or truth.changes.get(event.id)
    if message is not None and not event.duplicate:
        if event.id in stream.shown:
            yield Contradiction("I5", "doubled", f"{stream.name}: shown, and then acknowledged as new: {event}")
        else:
            yield from _in_order(stream, message.conversation, place(event.position)[2], str(event))
    stream.acknowledged.add(event.id)
    stream.shown.add(event.id)


def _in_order(stream: Stream, conversation: str, offset: int, what: str) -> Iterator[Contradiction]:
    last = stream.last.get(conversation, -1)
    if offset <= last:
        yield Contradiction("I4", "reordered", f"{stream.name}: after the offset {last}: {what}")
    stream.last[conversation] = max(last, offset)


def _mark(stream: Stream, event: Marked) -> Iterator[Contradiction]:
    token = Token.parse(event.token)
    earlier: Mapping[int, int] | None = None
    if stream.mark:
        earlier = dict(enumerate(stream.mark))
    elif stream.presented is not None and not stream.resets:
        earlier = dict(enumerate(stream.presented.offsets))
    if earlier is not None and any(offset < earlier[p] for p, offset in enumerate(token.offsets)):
        yield Contradiction("I5", "mixed up", f"{stream.name}: a mark that goes back: {event}")
    stream.mark = token.offsets
    if stream.marked_at is None:
        stream.marked_at = event.at
        stream.base = token.offsets if stream.presented is None else stream.presented.offsets
        stream.ends = list(token.offsets)
    else:
        stream.ends = [max(pair) for pair in zip(stream.ends, token.offsets, strict=True)]
