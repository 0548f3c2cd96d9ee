"""Checks I6 of blocks: what a blocked person sends while the block holds is answered `blocked`.

The log alone cannot show it: a block whose record is missing voids nothing there. So the times of requests count. What
is void by the log is never shown nor archived: `faults.strangers` and `faults.archived` see to that.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from faults.contradiction import Contradiction
from faults.evidence import About
from faults.history import Answered, Blocked, Blocking, Event, Invoked, Refused

_NEVER = float("inf")


class _Block(NamedTuple):
    """A block of a person in a conversation: it held everywhere from `since` on, and its lifting began at `until`."""

    conversation: str
    user_id: str
    since: float
    until: float


def while_blocked(histories: Mapping[str, Sequence[Event]], about: About) -> Iterator[Contradiction]:
    """Yields each answer other than `blocked` to a message that was sent and answered while its sender was blocked.

    A temporary refusal says nothing. Nor does an answer after the lifting: the message may have come later than that.
    """
    blocks = list(_blocks(event for events in histories.values() for event in events))
    for client, events in histories.items():
        user_id = about.user_id_of(client)
        mine = [block for block in blocks if block.user_id == user_id]
        if mine:
            yield from _answers(client, mine, events)


def _blocks(events: Iterable[Event]) -> Iterator[_Block]:
    since: dict[tuple[str, str], float] = {}
    turns = [event for event in events if isinstance(event, Blocking | Blocked)]
    for event in sorted(turns, key=lambda event: event.at):
        whose = event.conversation, event.user_id
        if isinstance(event, Blocked) and event.on:
            since[whose] = event.at
        elif isinstance(event, Blocking) and not event.on and whose in since:
            yield _Block(*whose, since.pop(whose), event.at)
    for whose, at in since.items():
        yield _Block(*whose, at, _NEVER)


def _answers(client: str, blocks: Sequence[_Block], events: Sequence[Event]) -> Iterator[Contradiction]:
    first: dict[str, Invoked] = {}
    for event in events:
        if isinstance(event, Invoked):
            first.setdefault(event.client_id, event)
        elif isinstance(event, Answered | Refused) and _is_within(blocks, first.get(event.client_id), event.at):
            if isinstance(event, Answered):
                yield Contradiction("I6", "strangers", f"{client}: sent while blocked, and acknowledged: {event}")
            elif event.code != "blocked" and not event.temporary:
                yield Contradiction("I3", "mixed up", f"{client}: sent while blocked, and answered: {event}")


def _is_within(blocks: Sequence[_Block], asked: Invoked | None, answered_at: float) -> bool:
    return asked is not None and any(
        b.conversation == asked.conversation and b.since < asked.at and answered_at < b.until for b in blocks
    )
