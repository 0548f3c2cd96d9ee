"""Checks I1 and I3 of answers: an acknowledged message is there, at one position and with one text."""

from collections.abc import Iterator, Sequence

from faults.contradiction import Contradiction
from faults.evidence import About, Evidence
from faults.history import Answered, Event, Invoked, Loaded, Pushed, Refused, Stated, Unanswered
from faults.truth import Message, Truth

_LOOKUP_S = 1.0
"""A send waits this long for the people whom it names (docs/protocol.md, "Mentions")."""


def lost(evidence: Evidence, truth: Truth) -> Iterator[Contradiction]:
    """Checks I1: an acknowledged message is in force in the log, and in the archive."""
    archived = {row.id for row in evidence.archive} | {row.id for row in evidence.changes}
    for client, events in evidence.histories.items():
        for event in events:
            if isinstance(event, Answered):
                if event.id not in truth.messages and event.id not in truth.changes:
                    yield Contradiction("I1", "lost", f"{client}: acknowledged, and not in the log: {event}")
                elif event.id not in archived:
                    yield Contradiction("I1", "lost", f"{client}: acknowledged, and not archived: {event}")


def in_answers(client: str, events: Sequence[Event], truth: Truth, about: About) -> Iterator[Contradiction]:
    """Checks I3: an answer is about the sent message and the people it names, and a refused one is not in force."""
    sent: dict[str, Invoked] = {}
    uncertain: set[str] = set()
    refused: dict[str, Refused] = {}
    for event in events:
        if isinstance(event, Invoked):
            sent.setdefault(event.client_id, event)
        elif isinstance(event, Unanswered):
            uncertain.add(event.client_id)
        elif isinstance(event, Refused) and not event.temporary and event.client_id in sent:
            refused[event.client_id] = event
        elif isinstance(event, Answered):
            uncertain.add(event.client_id)
            message, asked = truth.messages.get(event.id), sent.get(event.client_id)
            if message is not None and asked is not None and not _is_of(message, asked):
                yield Contradiction("I3", "mixed up", f"{client}: acknowledged as something else: {asked}, {message}")
            elif message is not None and asked is not None and _misses_a_name(asked, event, message, truth, about):
                yield Contradiction("I3", "mixed up", f"{client}: mentions other people than {asked}: {message}")
    in_force = {message.client_id for message in truth.messages.values()} if refused else set()
    for client_id in refused.keys() & in_force - uncertain:
        yield Contradiction("I3", "mixed up", f"{client}: refused, and in force: {refused[client_id]}")


def _is_of(message: Message, asked: Invoked) -> bool:
    there = message.client_id, message.conversation, message.hash
    return there == (asked.client_id, asked.conversation, asked.hash)


def _misses_a_name(asked: Invoked, answered: Answered, message: Message, truth: Truth, about: About) -> bool:
    """Returns whether somebody is not mentioned who was named, and was always a member."""
    if not message.mention_ids and _without_lookup(asked, answered, about):
        return False
    named = {about.people[name] for name in asked.named}
    return any(truth.is_always_in(asked.conversation, one) for one in named - message.mention_ids)


def _without_lookup(asked: Invoked, answered: Answered, about: About) -> bool:
    """Returns whether the named people may not have been found: while PostgreSQL is silent, nobody is mentioned."""
    return answered.at - asked.at > _LOOKUP_S or any(
        asked.at <= end and begin <= answered.at for begin, end in about.without_postgres
    )


def misplaced(client: str, events: Sequence[Event], truth: Truth) -> Iterator[Contradiction]:
    """Checks I3: answers, pushes, states and histories agree on the position and the text of an id."""
    for where, message_id, position, text in _claims(events):
        message = truth.messages.get(message_id) or truth.changes.get(message_id)
        if message is None:
            if where != "answered" and message_id not in truth.voided:
                yield Contradiction(
                    "I3", "mixed up", f"{client}: {where}, and not in the log: {message_id} at {position}"
                )
        elif truth.position(message) != position:
            said = f"{client}: {where} {message_id} at {position}, which is at {truth.position(message)}"
            yield Contradiction("I3", "mixed up", said)
        elif isinstance(message, Message) and text not in {"", *_texts(truth, message)}:
            yield Contradiction("I3", "mixed up", f"{client}: {where} with another text: {message_id} at {position}")


def _texts(truth: Truth, message: Message) -> set[str]:
    """Returns the texts that the message has or had."""
    return {state.hash for state in truth.states[message.id].values()}


def _claims(events: Sequence[Event]) -> Iterator[tuple[str, str, str, str]]:
    """Yields each claim: its kind, id, position and the hash of the text."""
    for event in events:
        if isinstance(event, Answered):
            yield "answered", event.id, event.position, ""
        elif isinstance(event, Pushed) and event.id:
            yield "pushed", event.id, event.position, event.hash
        elif isinstance(event, Stated):
            yield "stated", event.id, event.position, event.hash
        elif isinstance(event, Loaded):
            yield from (("loaded", entry.id, entry.position, entry.hash) for entry in event.entries)
