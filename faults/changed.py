"""Checks I1, I3, I5 and I6 of changes: answers, pushes, states and what clients hold at the end."""

import hashlib
from collections.abc import Iterator, Sequence
from uuid import UUID

from faults.contradiction import Contradiction
from faults.history import Answered, Delta, Event, Held, Loaded, Refused, Stated, Unanswered, Wanted, place
from faults.truth import Truth


def in_changes(client: str, user_id: str, events: Sequence[Event], truth: Truth) -> Iterator[Contradiction]:
    """Yields what a client saw of changes otherwise than the log has them."""
    yield from _in_answers(client, user_id, events, truth)
    for event in events:
        if isinstance(event, Delta):
            yield from _pushed(client, event, truth)
        elif isinstance(event, Stated):
            yield from _stated(client, event.id, event.changed, event.state, truth)
        elif isinstance(event, Loaded):
            for entry in event.entries:
                yield from _stated(client, entry.id, entry.changed, entry.state, truth)
        elif isinstance(event, Held):
            yield from _held(client, user_id, event, truth)


def _in_answers(client: str, user_id: str, events: Sequence[Event], truth: Truth) -> Iterator[Contradiction]:
    wanted: dict[str, Wanted] = {}
    uncertain: set[str] = set()
    for event in events:
        if isinstance(event, Wanted):
            wanted[event.client_id] = event
        elif isinstance(event, Unanswered):
            uncertain.add(event.client_id)
        elif isinstance(event, Answered) and event.client_id in wanted:
            uncertain.add(event.client_id)
            asked, change = wanted[event.client_id], truth.changes.get(event.id)
            if change is not None and change[3:7] != (asked.conversation, asked.target, asked.what, asked.body):
                said = f"{client}: acknowledged as something else: {asked}, {change}"
                yield Contradiction("I3", "mixed up", said)
        elif isinstance(event, Refused) and not event.temporary and event.client_id in wanted:
            own_id = _own_id(wanted[event.client_id], user_id)
            if own_id in truth.changes and event.client_id not in uncertain:
                yield Contradiction("I3", "mixed up", f"{client}: refused, and it counts: {truth.changes[own_id]}")


def _own_id(asked: Wanted, user_id: str) -> str:
    """Returns uuid5(conversation, actor's id + client_id)."""
    name = UUID(asked.conversation).bytes + UUID(user_id).bytes + asked.client_id.encode()
    return str(UUID(bytes=hashlib.sha1(name, usedforsecurity=False).digest()[:16], version=5))


def _pushed(client: str, event: Delta, truth: Truth) -> Iterator[Contradiction]:
    _, partition, offset = place(event.position)
    change = truth.change_at.get((partition, offset))
    if change is None or not change.effective:
        yield Contradiction("I6", "strangers", f"{client}: a change that does not count, and was shown: {event}")
    elif change[3:7] != (event.conversation, event.target, event.what, event.body):
        yield Contradiction("I3", "mixed up", f"{client}: shown as something else than {change}: {event}")


def _stated(client: str, message_id: str, changed: str, state: str, truth: Truth) -> Iterator[Contradiction]:
    if state and message_id in truth.states:
        known = truth.states[message_id].get(place(changed)[2])
        if known is None or known.text() != state:
            yield Contradiction(
                "I3", "mixed up", f"{client}: {message_id} at {changed} is {known}, and was told: {state}"
            )


def _held(client: str, user_id: str, event: Held, truth: Truth) -> Iterator[Contradiction]:
    for conversation, messages in event.messages.items():
        if truth.is_always_in(conversation, user_id):
            for message_id, state in messages.items():
                if message_id in truth.states and truth.last_state(message_id)[1].text() != state:
                    said = (
                        f"{client}: holds {message_id} as {state}, and it is {truth.last_state(message_id)[1].text()}"
                    )
                    yield Contradiction("I5", "lost", said)
