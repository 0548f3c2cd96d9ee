"""Spoiling answers, the log and the archive of a good run; None where there is nothing to spoil that way."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar
from uuid import UUID

from msgspec import structs

from faults.evidence import Evidence, LogRecord, Row
from faults.history import (
    Answered,
    Event,
    Invoked,
    Loaded,
    Pushed,
    Refused,
    Unanswered,
    place,
)
from faults.truth import judge_log
from tests.unit.faults_model import GROUP, PEOPLE

Spoil = Callable[[Evidence, random.Random], Evidence | None]
T = TypeVar("T", bound=Event)


def all_of(evidence: Evidence, kind: type[T]) -> list[tuple[str, int, T]]:
    """Returns each event of a kind, with whose it is and where it stands in their history."""
    return [
        (client, number, event)
        for client, events in evidence.histories.items()
        for number, event in enumerate(events)
        if isinstance(event, kind)
    ]


def pushes_of(evidence: Evidence) -> list[tuple[str, int, Pushed]]:
    return [found for found in all_of(evidence, Pushed) if found[2].id]


def with_events(evidence: Evidence, client: str, events: list[Event]) -> Evidence:
    return replace(evidence, histories={**evidence.histories, client: events})


def events_of(evidence: Evidence, client: str) -> list[Event]:
    return list(evidence.histories[client])


def with_another(evidence: Evidence, client: str, number: int, event: Event) -> Evidence:
    """Returns the evidence with this event instead of the one at that place of a client's history."""
    events = events_of(evidence, client)
    events[number] = event
    return with_events(evidence, client, events)


def pick(found: list[tuple[str, int, T]], rng: random.Random) -> tuple[str, int, T] | None:
    return rng.choice(found) if found else None


def drop_an_acknowledged_row(evidence: Evidence, rng: random.Random) -> Evidence | None:
    acknowledged = {answer.id for _, _, answer in all_of(evidence, Answered)}
    rows = [row for row in evidence.archive if row.id in acknowledged]
    if not rows:
        return None
    lost = rng.choice(rows)
    later = [
        structs.replace(r, seq=r.seq - (r.conversation == lost.conversation and r.seq > lost.seq))
        for r in evidence.archive
    ]
    return replace(evidence, archive=[row for row in later if row.id != lost.id])


def drop_an_acknowledged_record(evidence: Evidence, rng: random.Random) -> Evidence | None:
    """Drops a record from log and archive, and nobody was shown it: as acks=1 and a lost leader leave it."""
    answers = [a for _, _, a in all_of(evidence, Answered)]
    if not answers:
        return None
    lost = rng.choice(answers)
    [row] = [row for row in evidence.archive if row.id == lost.id]
    log = [record for record in evidence.log if record.judge[2:34] != lost.id.replace("-", "")]
    archive = [
        structs.replace(r, seq=r.seq - (r.conversation == row.conversation and r.seq > row.seq))
        for r in evidence.archive
        if r.id != lost.id
    ]
    histories = {c: [_without(e, lost.id) for e in events if getattr(e, "id", "") != lost.id or isinstance(e, Answered)]
                 for c, events in evidence.histories.items()}  # fmt: skip
    return replace(evidence, log=log, archive=archive, histories=histories)


def _without(event: Event, message_id: str) -> Event:
    if not isinstance(event, Loaded):
        return event
    return structs.replace(event, entries=[entry for entry in event.entries if entry.id != message_id])


def archive_one_twice(evidence: Evidence, rng: random.Random) -> Evidence | None:
    if not evidence.archive:
        return None
    row = rng.choice(evidence.archive)
    last = sum(other.conversation == row.conversation for other in evidence.archive)
    again = structs.replace(row, seq=last + 1, position="1:0:999999")
    return replace(evidence, archive=[*evidence.archive, again])


def store_a_retry_as_a_message(evidence: Evidence, rng: random.Random) -> Evidence | None:
    """Gives two messages of one sender in a conversation one `client_id`, in the log and in the archive."""
    messages = judge_log(1, evidence.log).messages.values()
    pairs = [
        (one, other) for one in messages for other in messages
        if (one.conversation, one.sender_id) == (other.conversation, other.sender_id) and one.offset < other.offset
    ]  # fmt: skip
    if not pairs:
        return None
    first, again = rng.choice(pairs)
    log = [structs.replace(r, client_id=first.client_id) if r.client_id == again.client_id else r for r in evidence.log]
    archive = [structs.replace(r, client_id=first.client_id) if r.id == again.id else r for r in evidence.archive]
    histories = {
        client: [_renamed(event, again.client_id, first.client_id) for event in events]
        for client, events in evidence.histories.items()
    }
    return replace(evidence, log=log, archive=archive, histories=histories)


def _renamed(event: Event, before: str, after: str) -> Event:
    if isinstance(event, Invoked | Answered | Refused | Unanswered) and event.client_id == before:
        return structs.replace(event, client_id=after)
    return event


def archive_a_void_one(evidence: Evidence, _: random.Random) -> Evidence | None:
    record = void_record(evidence)
    if record is None:
        return None
    position = f"1:{record.partition}:{record.offset}"
    before = [row for row in evidence.archive if row.conversation == GROUP and place(row.position) < place(position)]
    number = len(before) + 1
    later = [structs.replace(r, seq=r.seq + (r.conversation == GROUP and r.seq >= number)) for r in evidence.archive]
    sender, message_id = PEOPLE["carol"], str(UUID(record.judge[2:34]))
    return replace(
        evidence, archive=[*later, Row(message_id, record.client_id, GROUP, sender, position, number, record.hash)]
    )


def void_record(evidence: Evidence) -> LogRecord | None:
    """Returns a record of a message of which no record is in force."""
    truth = judge_log(1, evidence.log)
    void = {message_id.replace("-", "") for message_id in truth.voided - truth.messages.keys()}
    return next((record for record in evidence.log if record.judge[2:34] in void), None)


def acknowledge_at_two_positions(evidence: Evidence, rng: random.Random) -> Evidence | None:
    found = pick(all_of(evidence, Answered), rng)
    if found is None:
        return None
    client, number, answer = found
    events = events_of(evidence, client)
    _, partition, offset = place(answer.position)
    other = structs.replace(answer, position=f"1:{partition}:{offset + 1}", duplicate=True)
    return with_events(evidence, client, [*events[: number + 1], other, *events[number + 1 :]])


def acknowledge_out_of_real_time(evidence: Evidence, rng: random.Random) -> Evidence | None:
    """Lets the earlier of two sends seem to have begun after the later one was acknowledged."""
    where = {row.id: row for row in evidence.archive}
    answers = [found for found in all_of(evidence, Answered) if not found[2].duplicate]
    pairs = [
        (a, b) for a in answers for b in answers
        if where[a[2].id].conversation == where[b[2].id].conversation
        and place(a[2].position) < place(b[2].position)
        and (a[0], a[2].connection) != (b[0], b[2].connection)
    ]  # fmt: skip
    if not pairs:
        return None
    (client, number, earlier), (_, _, later) = rng.choice(pairs)
    events = events_of(evidence, client)
    for place_of, event in enumerate(events):
        if isinstance(event, Invoked) and event.client_id == earlier.client_id:
            events[place_of] = structs.replace(event, at=later.at + 0.5)
    events[number] = structs.replace(earlier, at=later.at + 1.0)
    return with_events(evidence, client, events)


def refuse_what_is_in_force(evidence: Evidence, rng: random.Random) -> Evidence | None:
    """Refuses a message that is shown to its sender all the same, as if after `unknown`."""
    once = [
        (client, number, answer) for client, number, answer in all_of(evidence, Answered)
        if sum(getattr(e, "client_id", "") == answer.client_id for e in evidence.histories[client]) == 2  # asked, ok
    ]  # fmt: skip
    found = pick(once, rng)
    if found is None:
        return None
    client, number, answer = found
    events = events_of(evidence, client)
    message = judge_log(1, evidence.log).messages[answer.id]
    where = (answer.position, message.conversation, message.id, client.partition("#")[0], message.hash)
    events[number : number + 1] = [
        Refused(answer.at, answer.connection, answer.client_id, "forbidden", temporary=False),
        Pushed(answer.at, answer.connection, "message", *where),
    ]
    return with_events(evidence, client, events)


def refuse_a_member(evidence: Evidence, rng: random.Random) -> Evidence | None:
    """Refuses for good what was lost on its way, as if its sender did not belong there."""
    truth = judge_log(1, evidence.log)
    there = {record.client_id for record in evidence.log}
    lost = [
        (client, number, event) for client, number, event in all_of(evidence, Unanswered)
        if event.client_id not in there
        and truth.is_always_in(_conversation_of(evidence, client, event), PEOPLE[client.partition("#")[0]])
    ]  # fmt: skip
    found = pick(lost, rng)
    if found is None:
        return None
    client, number, event = found
    refused = Refused(event.at, event.connection, event.client_id, "not_a_member", temporary=False)
    return with_another(evidence, client, number, refused)


def _conversation_of(evidence: Evidence, client: str, event: Unanswered) -> str:
    return next(
        asked.conversation for asked in evidence.histories[client]
        if isinstance(asked, Invoked) and asked.client_id == event.client_id
    )  # fmt: skip
