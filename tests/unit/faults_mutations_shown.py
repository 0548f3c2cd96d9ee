"""Spoiling what clients of a good run were shown; None where there is nothing to spoil that way."""

import random
from collections.abc import Callable
from itertools import pairwise
from typing import TypeVar
from uuid import UUID

from msgspec import structs

from faults.evidence import Evidence
from faults.history import (
    Answered,
    Connected,
    Event,
    Loaded,
    Marked,
    Pushed,
    Stated,
    Token,
    WasReset,
    place,
)
from faults.truth import judge_log
from tests.unit.faults_model import GROUP, MEMBERS, OTHER, PEOPLE
from tests.unit.faults_mutations import all_of, events_of, pick, pushes_of, void_record, with_another, with_events

Spoil = Callable[[Evidence, random.Random], Evidence | None]
T = TypeVar("T", bound=Event)
Told = TypeVar("Told", Pushed, Stated)


def swap_two_pushes(evidence: Evidence, rng: random.Random) -> Evidence | None:
    by_stream: dict[tuple[str, int, str], list[tuple[str, int, Pushed]]] = {}
    for client, number, push in pushes_of(evidence):
        by_stream.setdefault((client, push.connection, push.conversation), []).append((client, number, push))
    pairs = [(a, b) for found in by_stream.values() for a, b in pairwise(found)]
    histories = evidence.histories
    pairs = [
        (a, b) for a, b in pairs if not any(isinstance(e, Marked | Answered) for e in histories[a[0]][a[1] : b[1]])
    ]
    if not pairs:
        return None
    (client, first, earlier), (_, second, later) = rng.choice(pairs)
    events = events_of(evidence, client)
    events[first], events[second] = structs.replace(later, at=earlier.at), structs.replace(earlier, at=later.at)
    return with_events(evidence, client, events)


def skip_a_push(evidence: Evidence, rng: random.Random) -> Evidence | None:
    """Skips a push that was shown on a connection that went on, and is not in a history either."""
    removable: list[tuple[str, int, Pushed]] = []
    truth = judge_log(1, evidence.log)
    for client, number, push in pushes_of(evidence):
        events = evidence.histories[client]
        marked = [e for e in events[number:] if isinstance(e, Marked) and e.connection == push.connection]
        own = any(isinstance(e, Answered) and e.id == push.id for e in events)
        user_id = PEOPLE[client.partition("#")[0]]
        always = len(truth.standings[push.conversation, user_id]) == 1
        if marked and always and not own:
            removable.append((client, number, push))
    found = pick(removable, rng)
    if found is None:
        return None
    client, number, _ = found
    events = events_of(evidence, client)
    return with_events(evidence, client, events[:number] + events[number + 1 :])


def push_one_twice(evidence: Evidence, rng: random.Random) -> Evidence | None:
    found = pick(pushes_of(evidence), rng)
    if found is None:
        return None
    client, number, push = found
    events = events_of(evidence, client)
    return with_events(evidence, client, [*events[: number + 1], push, *events[number + 1 :]])


def push_below_the_presented_token(evidence: Evidence, rng: random.Random) -> Evidence | None:
    """Pushes what an earlier connection was shown, and the token of the next one was past."""
    candidates: list[tuple[str, int, Pushed]] = []
    for client, number, opened in all_of(evidence, Connected):
        events = evidence.histories[client]
        if opened.token is not None and isinstance(events[number + 1], Marked):
            offsets = Token.parse(opened.token).offsets
            for event in events[:number]:
                if isinstance(event, Pushed) and event.id and event.conversation != GROUP:
                    _, partition, offset = place(event.position)
                    if offset < offsets[partition]:
                        candidates.append(
                            (client, number + 1, structs.replace(event, connection=opened.connection, at=opened.at))
                        )
    found = pick(candidates, rng)
    if found is None:
        return None
    client, number, push = found
    events = events_of(evidence, client)
    return with_events(evidence, client, [*events[:number], push, *events[number:]])


def push_another_text(evidence: Evidence, rng: random.Random) -> Evidence | None:
    found = pick(pushes_of(evidence), rng)
    if found is None:
        return None
    client, number, push = found
    return with_another(evidence, client, number, structs.replace(push, hash="0" * 16))


def push_another_sender(evidence: Evidence, rng: random.Random) -> Evidence | None:
    return _with_another_sender(evidence, pick(pushes_of(evidence), rng))


def state_another_sender(evidence: Evidence, rng: random.Random) -> Evidence | None:
    return _with_another_sender(evidence, pick(all_of(evidence, Stated), rng))


def load_another_sender(evidence: Evidence, rng: random.Random) -> Evidence | None:
    found = pick([f for f in all_of(evidence, Loaded) if f[2].entries], rng)
    if found is None:
        return None
    client, number, loaded = found
    *rest, last = loaded.entries
    other = structs.replace(last, sender=_other_than(last.sender))
    return with_another(evidence, client, number, structs.replace(loaded, entries=[*rest, other]))


def _with_another_sender(evidence: Evidence, found: tuple[str, int, Told] | None) -> Evidence | None:
    if found is None:
        return None
    client, number, shown = found
    return with_another(evidence, client, number, structs.replace(shown, sender=_other_than(shown.sender)))


def _other_than(sender: str) -> str:
    return next(name for name in PEOPLE if name != sender)


def show_a_stranger_who_has_read(evidence: Evidence, rng: random.Random) -> Evidence | None:
    """Pushes Dora a marker in the group, to which she never belonged."""
    found = pick([found for found in pushes_of(evidence) if found[2].conversation == GROUP], rng)
    if found is None:
        return None
    marker = structs.replace(found[2], kind="marker", id="", sender="", hash="")
    return _shown_on_a_new_connection(evidence, "dora#0", marker)


def show_a_removed_member_who_has_read(evidence: Evidence, rng: random.Random) -> Evidence | None:
    """Pushes Carol a marker that stands after her removal, and nobody has let her in again."""
    standing = judge_log(1, evidence.log).standings[GROUP, PEOPLE["carol"]][-1]
    later = [found for found in pushes_of(evidence) if found[2].conversation == GROUP]
    found = pick([found for found in later if place(found[2].position)[2] > standing.offset], rng)
    if standing.active or found is None:
        return None
    marker = structs.replace(found[2], kind="marker", id="", sender="", hash="")
    return _shown_on_a_new_connection(evidence, "carol#0", marker)


def show_to_a_stranger(evidence: Evidence, rng: random.Random) -> Evidence | None:
    """Shows Dora what is said in the group, to which she never belonged."""
    found = pick([found for found in pushes_of(evidence) if found[2].conversation == GROUP], rng)
    assert "dora" not in MEMBERS[GROUP]
    return None if found is None else _shown_on_a_new_connection(evidence, "dora#0", found[2])


def show_a_void_one(evidence: Evidence, _: random.Random) -> Evidence | None:
    record = void_record(evidence)
    if record is None:
        return None
    position, message_id = f"1:{record.partition}:{record.offset}", str(UUID(record.judge[2:34]))
    push = Pushed(0.0, 0, "message", position, GROUP, message_id, "carol", record.hash)
    return _shown_on_a_new_connection(evidence, "bob#0", push)


def show_the_removed_what_was_said_before(evidence: Evidence, rng: random.Random) -> Evidence | None:
    """Shows it on a connection that was opened when the removal held already, and nobody has let her in again."""
    standing = judge_log(1, evidence.log).standings[GROUP, PEOPLE["carol"]][-1]
    earlier = [found for found in pushes_of(evidence) if found[2].conversation == GROUP]
    earlier = [found for found in earlier if place(found[2].position)[2] < standing.offset]
    found = pick(earlier, rng)
    if standing.active or found is None:
        return None
    return _shown_on_a_new_connection(evidence, "carol#0", found[2])


def _shown_on_a_new_connection(evidence: Evidence, client: str, push: Pushed) -> Evidence:
    events = events_of(evidence, client)
    events.append(Connected(1e9, 1_000, "g", None))
    events.append(structs.replace(push, connection=1_000, at=1e9))
    return with_events(evidence, client, events)


def mark_goes_back(evidence: Evidence, rng: random.Random) -> Evidence | None:
    """Moves a mark back, only where it has gone forward before."""
    found: list[tuple[str, int, Marked]] = []
    for client, number, mark in all_of(evidence, Marked):
        offsets = Token.parse(mark.token).offsets
        if offsets[0] > 1:
            lower = mark.token.replace(f".0:{offsets[0]}", f".0:{offsets[0] - 1}")
            found.append((client, number, structs.replace(mark, token=lower)))
    one = pick(found, rng)
    if one is None:
        return None
    client, number, mark = one
    events = events_of(evidence, client)
    return with_events(evidence, client, [*events[: number + 1], mark, *events[number + 1 :]])


def never_load_what_was_reset(evidence: Evidence, rng: random.Random) -> Evidence | None:
    """Leaves a reset of a conversation that nothing was said in since without its history."""
    found = pick([f for f in all_of(evidence, WasReset) if OTHER in f[2].conversations], rng)
    if found is None:
        return None
    client, number, _ = found
    events = events_of(evidence, client)
    kept = [e for n, e in enumerate(events) if n < number or not isinstance(e, Loaded) or e.conversation != OTHER]
    return with_events(evidence, client, kept)


def leave_one_out_of_a_history(evidence: Evidence, rng: random.Random) -> Evidence | None:
    found = pick([f for f in all_of(evidence, Loaded) if f[2].entries], rng)
    if found is None:
        return None
    client, number, loaded = found
    return with_another(evidence, client, number, structs.replace(loaded, entries=loaded.entries[:-1]))
