"""I6: nothing of a conversation to somebody who does not belong to it, and nothing void to anybody."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from faults.changes import Changes
from faults.contradiction import Contradiction
from faults.history import Connected, Event, Loaded, Pushed, Stated, place
from faults.truth import Truth


def to_strangers(
    client: str, user_id: str, events: Sequence[Event], truth: Truth, changes: Changes
) -> Iterator[Contradiction]:
    """Each thing shown to somebody who was never a member, or was removed and not let in again."""
    opened = {event.connection: event.at for event in events if isinstance(event, Connected)}
    for event in events:
        since = opened[event.connection] if isinstance(event, Pushed | Stated) else 0.0
        for message_id, conversation, offset in _shown(event):
            look = _Look(user_id, conversation, offset, event.at, since)
            if message_id in truth.voided and message_id not in truth.messages:
                yield Contradiction("I6", "strangers", f"{client}: void, and shown: {event}")
            elif not _may_see(look, truth, changes):
                yield Contradiction("I6", "strangers", f"{client}: not a member, and shown: {event}")


class _Look(NamedTuple):
    """What stands at that offset was shown to somebody at a time, on a connection that was opened at `since`."""

    user_id: str
    conversation: str
    offset: int
    at: float
    since: float


def _shown(event: Event) -> Iterator[tuple[str, str, int]]:
    """Id, conversation and offset of each message."""
    if isinstance(event, Pushed | Stated):
        if event.id:
            yield event.id, event.conversation, place(event.position)[2]
    elif isinstance(event, Loaded):
        yield from ((entry.id, event.conversation, place(entry.position)[2]) for entry in event.entries)


def _may_see(look: _Look, truth: Truth, changes: Changes) -> bool:
    """A removal holds from its record, and for a new connection wholly; an addition from its commit, and wholly."""
    standings = truth.standings.get((look.conversation, look.user_id), ())
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
