"""The invariants I1 to I7 of a run, as functions that yield each contradiction as a sentence. No I/O.

I1 nothing acknowledged is lost · I2 exactly once in the archive, and what people read of it (`faults.reading`) · I3 one
position for an id · I4 one order, consistent with real time · I5 nothing shown twice, nothing skipped without a reset
(`faults.streams`, `faults.gaps`) · I6 nothing to a non-member, nothing from a blocked person (`faults.strangers`,
`faults.blocked`) · I7 who was shut out and let in again is heard again (`faults.heard_again`). All other recovery in
time is the ledger's.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from faults.answers import in_answers, lost, misplaced
from faults.archived import changes_in_archive, in_archive
from faults.blocked import while_blocked
from faults.changed import in_changes
from faults.changes import Changes
from faults.contradiction import Contradiction
from faults.evidence import Evidence
from faults.gaps import Audience, left_out
from faults.heard_again import heard_again
from faults.history import Answered, Event, Invoked, Loaded, Wanted, place
from faults.reading import in_reading
from faults.strangers import to_strangers
from faults.streams import follow
from faults.truth import Truth, judge_log


class Verdict(NamedTuple):
    """The found contradictions. Without an acknowledged message nothing is proven."""

    acknowledged: int
    contradictions: list[Contradiction]

    @property
    def holds(self) -> bool:
        return self.acknowledged > 0 and not self.contradictions

    def count(self, what: str) -> int:
        """Returns the number of contradictions of a kind: lost, doubled, reordered, strangers or mixed up."""
        return sum(found.what == what for found in self.contradictions)


def check(evidence: Evidence) -> Verdict:
    """Returns all contradictions of a run that has drained."""
    truth = judge_log(evidence.about.epoch, evidence.log)
    answered = {event.id for events in evidence.histories.values() for event in events if isinstance(event, Answered)}
    return Verdict(len(answered), list(contradictions(evidence, truth)))


def contradictions(evidence: Evidence, truth: Truth) -> Iterator[Contradiction]:
    """Yields each contradiction once; none where the invariants hold."""
    yield from lost(evidence, truth)
    for one, other in truth.named_twice():
        yield Contradiction("I3", "doubled", f"one client_id, two messages: {one}, {other}")
    yield from in_archive(evidence.archive, truth)
    yield from changes_in_archive(evidence.changes, truth)
    yield from in_reading(evidence, truth)
    yield from while_blocked(evidence.histories, evidence.about)
    yield from heard_again(evidence.histories, evidence.about)
    changes = Changes(evidence.histories.values())
    for client, events in evidence.histories.items():
        user_id = evidence.about.user_id_of(client)
        yield from in_answers(client, events, truth, evidence.about)
        yield from misplaced(client, events, truth, evidence.about)
        yield from _in_histories(client, events)
        yield from in_changes(client, user_id, events, truth)
        streams, found = follow(client, events, truth)
        yield from found
        yield from left_out(Audience(client, user_id, events, streams), truth, changes)
        yield from to_strangers(client, user_id, events, truth, changes)
    yield from _in_real_time(evidence, truth)


def _in_histories(client: str, events: Sequence[Event]) -> Iterator[Contradiction]:
    """Checks I4: a history is in the log's order."""
    for event in events:
        if isinstance(event, Loaded):
            for earlier, later in pairwise(event.entries):
                if place(earlier.position) >= place(later.position):
                    said = f"{client}: loaded out of order: {earlier.position}, {later.position}"
                    yield Contradiction("I4", "reordered", said)


class _Send(NamedTuple):
    invoked: float
    answered: float
    offset: int
    client: str


def _in_real_time(evidence: Evidence, truth: Truth) -> Iterator[Contradiction]:
    """Checks I4: a message acknowledged before another send began stands before it."""
    by_conversation: dict[str, list[_Send]] = {}
    for client, events in evidence.histories.items():
        first_invoked: dict[str, float] = {}
        for event in events:
            if isinstance(event, Invoked | Wanted):
                first_invoked.setdefault(event.client_id, event.at)
            elif isinstance(event, Answered) and (it := truth.messages.get(event.id) or truth.changes.get(event.id)):
                send = _Send(first_invoked[event.client_id], event.at, it.offset, client)
                by_conversation.setdefault(it.conversation, []).append(send)
    for conversation, sends in by_conversation.items():
        yield from _against_time(conversation, sends)


def _against_time(conversation: str, sends: Sequence[_Send]) -> Iterator[Contradiction]:
    answered = iter(sorted(sends, key=lambda send: send.answered))
    earlier, last = next(answered, None), None
    for later in sorted(sends, key=lambda send: send.invoked):
        while earlier is not None and earlier.answered < later.invoked:
            if last is None or earlier.offset > last.offset:
                last = earlier
            earlier = next(answered, None)
        if last is not None and last.offset >= later.offset:
            yield Contradiction(
                "I4", "reordered", f"{conversation}: acknowledged before, and stands after: {last}, {later}"
            )
