"""Checks I6: no message, marker or change of a conversation is shown to a stranger, and no void message to anybody."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from faults.changes import Changes
from faults.contradiction import Contradiction
from faults.history import Connected, Delta, Event, Loaded, Pushed, Stated, place
from faults.truth import Truth


def to_strangers(
    client: str, user_id: str, events: Sequence[Event], truth: Truth, changes: Changes
) -> Iterator[Contradiction]:
    """Yields each thing shown to a person who was never a member, or was removed and not added again."""
    opened = {event.connection: event.at for event in events if isinstance(event, Connected)}
    for event in events:
        since = opened[event.connection] if isinstance(event, Pushed | Delta | Stated) else 0.0
        for message_id, conversation, offset in _shown(event):
            look = _Look(user_id, conversation, offset, event.at, since)
            if message_id in truth.voided and message_id not in truth.messages:
                yield Contradiction("I6", "strangers", f"{client}: void, and shown: {event}")
            elif not _may_see(look, truth, changes):
                yield Contradiction("I6", "strangers", f"{client}: not a member, and shown: {event}")


class _Look(NamedTuple):
    """A message at that offset, shown to a person at a time, on a connection that was opened at `since`."""

    user_id: str
    conversation: str
    offset: int
    at: float
    since: float


def _shown(event: Event) -> Iterator[tuple[str, str, int]]:
    """Yields id, conversation and offset of each message, and of each other push of a conversation, without an id."""
    if isinstance(event, Pushed | Stated):
        if event.position and event.conversation and not _is_invitation(event):
            yield event.id, event.conversation, place(event.position)[2]
    elif isinstance(event, Delta):
        yield event.target, event.conversation, place(event.position)[2]
    elif isinstance(event, Loaded):
        yield from ((entry.id, event.conversation, place(entry.position)[2]) for entry in event.entries)


def _is_invitation(event: Pushed | Stated) -> bool:
    """Returns whether a push is for a stranger."""
    return isinstance(event, Pushed) and event.kind == "invitation"


def _may_see(look: _Look, truth: Truth, changes: Changes) -> bool:
    """Returns whether the message may be shown: a removal holds from its record, an addition from its commit.

    The record that removes a person is shown to them, last.
    """
    standings = truth.standings.get((look.conversation, look.user_id), ())
    if any(look.offset == standing.offset for standing in standings):
        return True
    if not any(standing.active for standing in standings):
        return False
    for standing in reversed(standings):
        if standing.active:
            if look.offset > standing.offset or _began(look, standing.version, changes) <= look.at:
                return True
        elif look.offset > standing.offset or _made(look, standing.version, changes) < look.since:
            return False
    return True


def _began(look: _Look, version: int, changes: Changes) -> float:
    return changes.asked_at(look.conversation, look.user_id, version) if version > 1 else 0.0


def _made(look: _Look, version: int, changes: Changes) -> float:
    return changes.made_at(look.conversation, look.user_id, version)
