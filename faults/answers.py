"""Checks I1 and I3 of answers: an acknowledged message is there, at one position, with one text and of one sender."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

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
    """Checks I3: an answer is about the sent message and the people it names, and a refused one is not in force.

    Who may write all the time is never refused but for now: an outage is no revocation.
    """
    user_id = about.user_id_of(client)
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
            if truth.may_always_write(sent[event.client_id].conversation, user_id):
                yield Contradiction("I3", "mixed up", f"{client}: refused, and may write all the time: {event}")
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


class _Claim(NamedTuple):
    """An id as a client was told of it. What it was not told is empty."""

    how: str
    id: str
    position: str
    hash: str = ""
    sender: str = ""
    conversation: str = ""


def misplaced(client: str, events: Sequence[Event], truth: Truth, about: About) -> Iterator[Contradiction]:
    """Checks I3: answers, pushes, states and histories agree on an id's position, conversation, sender and text."""
    for claim in _claims(events):
        message = truth.messages.get(claim.id) or truth.changes.get(claim.id)
        if message is None:
            if claim.how != "answered" and claim.id not in truth.voided:
                yield Contradiction("I3", "mixed up", f"{client}: told, and not in the log: {claim}")
        elif truth.position(message) != claim.position:
            yield Contradiction("I3", "mixed up", f"{client}: at {truth.position(message)}, and was told: {claim}")
        elif isinstance(message, Message):
            if claim.hash not in {"", *_texts(truth, message)}:
                yield Contradiction("I3", "mixed up", f"{client}: told with another text: {claim}")
            if not _is_whose(claim, message, about.people):
                yield Contradiction("I3", "mixed up", f"{client}: told as somebody else's than {message}: {claim}")


def _is_whose(claim: _Claim, message: Message, people: Mapping[str, str]) -> bool:
    return (not claim.sender or people.get(claim.sender) == message.sender_id) and (
        claim.conversation in {"", message.conversation}
    )


def _texts(truth: Truth, message: Message) -> set[str]:
    """Returns the texts that the message has or had."""
    return {state.hash for state in truth.states[message.id].values()}


def _claims(events: Sequence[Event]) -> Iterator[_Claim]:
    for event in events:
        if isinstance(event, Answered):
            yield _Claim("answered", event.id, event.position)
        elif isinstance(event, Pushed) and event.id:
            yield _Claim("pushed", event.id, event.position, event.hash, event.sender, event.conversation)
        elif isinstance(event, Stated):
            yield _Claim("stated", event.id, event.position, event.hash, event.sender, event.conversation)
        elif isinstance(event, Loaded):
            for entry in event.entries:
                yield _Claim("loaded", entry.id, entry.position, entry.hash, entry.sender, event.conversation)
