"""I5: nothing left out between the presented token and what marks and pushes tell, but for what a reset names; and what
it names is loaded anew.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from faults.changes import Changes
from faults.contradiction import Contradiction
from faults.history import Answered, Event, Loaded, Token, WasReset
from faults.streams import Stream
from faults.truth import Message, Truth


@dataclass(frozen=True, slots=True)
class Audience:
    """A client: its person, and its connections in the order in which they were opened."""

    client: str
    user_id: str
    events: Sequence[Event]
    streams: Sequence[Stream]


def left_out(audience: Audience, truth: Truth, changes: Changes) -> Iterator[Contradiction]:
    """Yields each message that a connection owed and did not show, and each that the client was never told of."""
    own = {event.id for event in audience.events if isinstance(event, Answered)}
    marked = [stream for stream in audience.streams if stream.marked_at is not None]
    for conversation in truth.conversations_of(audience.user_id):
        for stream in marked:
            for message in _owed(stream, conversation, audience.user_id, truth, changes):
                if message.id not in stream.shown and message.id not in own:
                    yield Contradiction("I5", "lost", f"{stream.name}: never shown: {message}")
        if marked and truth.is_always_in(conversation, audience.user_id):
            yield from _never_told(audience, marked, conversation, truth)
    yield from _never_loaded(audience, truth)
    yield from _left_out_of_histories(audience, truth)


def _owed(stream: Stream, conversation: str, user_id: str, truth: Truth, changes: Changes) -> Iterator[Message]:
    """Returns the part of a conversation that stands between the stream's begin and end while the person belongs to it.

    A connection that was opened while a removal was already under way owes nothing of the time before that.
    """
    partition = truth.partition_of[conversation]
    messages = truth.between(conversation, stream.begin(conversation, partition), stream.ends[partition])
    standings = truth.standings[conversation, user_id]
    for standing, following in zip(standings, [*standings[1:], None], strict=True):
        removed_at = float("inf") if following is None else changes.asked_at(conversation, user_id, following.version)
        if standing.active and (stream.marked_at or 0.0) < removed_at:
            end = float("inf") if following is None else following.offset
            yield from (message for message in messages if standing.offset < message.offset < end)


def _never_told(
    audience: Audience, marked: Sequence[Stream], conversation: str, truth: Truth
) -> Iterator[Contradiction]:
    """Checks all connections and histories together, for a person who was always a member."""
    partition = truth.partition_of[conversation]
    told = {event.id for event in audience.events if isinstance(event, Answered)}
    for stream in audience.streams:
        told |= stream.shown
    for event in audience.events:
        if isinstance(event, Loaded):
            told |= {entry.id for entry in event.entries}
    for message in truth.between(conversation, marked[0].base[partition], marked[-1].ends[partition]):
        if message.id not in told:
            yield Contradiction("I5", "lost", f"{audience.client}: never told of, in any way: {message}")


def _never_loaded(audience: Audience, truth: Truth) -> Iterator[Contradiction]:
    """Yields resets without a reload: they prove nothing about the client's stream."""
    waiting: dict[str, WasReset] = {}
    for event in audience.events:
        if isinstance(event, WasReset):
            waiting |= dict.fromkeys(event.conversations, event)
        elif isinstance(event, Loaded):
            waiting.pop(event.conversation, None)
    for conversation, event in waiting.items():
        if truth.is_always_in(conversation, audience.user_id):
            yield Contradiction("I5", "lost", f"{audience.client}: reset and never loaded: {conversation}, {event.at}")


def _left_out_of_histories(audience: Audience, truth: Truth) -> Iterator[Contradiction]:
    """Checks that a history has everything between `since` and `at_least`."""
    for event in audience.events:
        if isinstance(event, Loaded):
            end = Token.parse(event.at_least).offsets[truth.partition_of[event.conversation]]
            there = {entry.id for entry in event.entries}
            for message in truth.between(event.conversation, event.since, end):
                if message.id not in there:
                    yield Contradiction("I5", "lost", f"{audience.client}: not in a history at {event.at}: {message}")
