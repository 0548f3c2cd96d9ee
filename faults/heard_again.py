"""Checks I7 of people: who was added again, unblocked or made an admin again is heard again within the bound.

The answer to the request counts, not the request. What is refused at first is no contradiction: a gateway learns of the
change from the log. Whoever sends nothing afterwards contradicts nothing here: for the ledger, the fault was then not
recovered from.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from faults.contradiction import Contradiction
from faults.evidence import About
from faults.folding import PINNED
from faults.history import (
    Answered,
    Blocked,
    Blocking,
    Changed,
    Changing,
    Event,
    Invoked,
    Refused,
    RoleChanged,
    RoleChanging,
    Wanted,
)

BACK_S = 5.0
"""A person must be heard again in this time after the answer, or as long as other faults may take."""
_NEVER = float("inf")
_ADMIN = "admin"
_Turn = Changing | Changed | Blocking | Blocked | RoleChanging | RoleChanged


@dataclass(frozen=True, slots=True)
class _What:
    """A way to shut a person out: how its undoing reads, and the codes of what is refused until then."""

    undone: str
    codes: frozenset[str]
    of_pins: bool = False


_MEMBER = _What("added again", frozenset({"not_a_member", "not_found"}))
_BLOCK = _What("unblocked", frozenset({"blocked"}))
_ROLE = _What("made an admin again", frozenset({"forbidden"}), of_pins=True)


class _Return(NamedTuple):
    """The undoing. It was answered at `since`; the person may be shut out once more from `until` on."""

    what: _What
    conversation: str
    user_id: str
    since: float
    until: float


def heard_again(histories: Mapping[str, Sequence[Event]], about: About) -> Iterator[Contradiction]:
    """Yields each person who goes on to be refused after the return: no later send was accepted within the bound."""
    for back in _returns(event for events in histories.values() for event in events):
        deadline = _deadline(back.since, about.faults)
        for client, events in histories.items():
            if about.user_id_of(client) == back.user_id and _stays_refused(back, deadline, events):
                said = f"{client}: still refused in {back.conversation} {deadline - back.since:.1f} s after the return"
                yield Contradiction("I7", "mixed up", f"{said}: {back.what.undone} at {back.since:.1f}")


def _stays_refused(back: _Return, deadline: float, events: Sequence[Event]) -> bool:
    """Returns whether the person tried and was refused, and had nothing accepted by the deadline."""
    tries: set[str] = set()
    named: set[str] = set()
    is_refused = False
    for event in events:
        if isinstance(event, Invoked | Wanted):
            if event.client_id not in named and back.since < event.at < back.until and _is_try(back, event):
                tries.add(event.client_id)
            named.add(event.client_id)
        elif isinstance(event, Answered | Refused) and event.client_id in tries and event.at < back.until:
            if isinstance(event, Refused):
                is_refused = is_refused or event.code in back.what.codes
            elif event.at <= deadline:
                return False
    return is_refused and deadline < back.until


def _is_try(back: _Return, event: Invoked | Wanted) -> bool:
    fits = event.what == PINNED if isinstance(event, Wanted) else True
    return event.conversation == back.conversation and fits and isinstance(event, Wanted) == back.what.of_pins


def _deadline(since: float, faults: Sequence[tuple[float, float, float]]) -> float:
    """Returns the end of the bound: faults that begin before it put it off until they must be recovered from.

    Later ones do not: faults that follow one another would put it off for ever.
    """
    deadline = bound = since + BACK_S
    for began, healed, limit_s in faults:
        if began <= bound:
            deadline = max(deadline, healed + limit_s)
    return deadline


def _returns(events: Iterable[Event]) -> Iterator[_Return]:
    out: set[tuple[_What, str, str]] = set()
    back: dict[tuple[_What, str, str], float] = {}
    for event in sorted((event for event in events if isinstance(event, _Turn)), key=lambda event: event.at):
        what, shuts_out, is_answer = _read(event)
        whose = what, event.conversation, event.user_id
        if shuts_out:
            if whose in back:
                yield _Return(*whose, back.pop(whose), event.at)
            out.add(whose)
        elif is_answer and whose in out:
            out.remove(whose)
            back[whose] = event.at
    for whose, at in back.items():
        yield _Return(*whose, at, _NEVER)


def _read(event: _Turn) -> tuple[_What, bool, bool]:
    """Returns what an event is about, whether it shuts the person out, and whether it is an answer, not a request."""
    if isinstance(event, Changing | Changed):
        return _MEMBER, not event.active, isinstance(event, Changed)
    if isinstance(event, Blocking | Blocked):
        return _BLOCK, event.on, isinstance(event, Blocked)
    return _ROLE, event.role != _ADMIN, isinstance(event, RoleChanged)
