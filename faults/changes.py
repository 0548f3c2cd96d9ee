"""The times of membership changes: additions hold from their request, removals from their record."""

from collections.abc import Iterable, Sequence

from faults.history import Changed, Changing, Event

_NEVER = float("inf")


class Changes:
    """A person's removals and additions in turn: the first makes version 2, the next 3."""

    def __init__(self, histories: Iterable[Sequence[Event]]) -> None:
        events = [event for events in histories for event in events if isinstance(event, Changing | Changed)]
        events.sort(key=lambda event: event.at)
        self._asked = _turns(event for event in events if isinstance(event, Changing))
        self._made = _turns(event for event in events if isinstance(event, Changed))

    def asked_at(self, conversation: str, user_id: str, version: int) -> float:
        """Returns when the change that made this version began; infinity where none was requested."""
        return _at(self._asked, conversation, user_id, version)

    def made_at(self, conversation: str, user_id: str, version: int) -> float:
        """Returns when the change held everywhere, at the latest."""
        return _at(self._made, conversation, user_id, version)


_Turns = dict[tuple[str, str], list[Changing | Changed]]


def _turns(events: Iterable[Changing | Changed]) -> _Turns:
    turns: _Turns = {}
    for event in events:
        earlier = turns.setdefault((event.conversation, event.user_id), [])
        if not earlier or earlier[-1].active != event.active:  # else it was asked for again
            earlier.append(event)
    return turns


def _at(turns: _Turns, conversation: str, user_id: str, version: int) -> float:
    of_them = turns.get((conversation, user_id), ())
    return of_them[version - 2].at if 2 <= version < len(of_them) + 2 else _NEVER  # noqa: PLR2004 - see Changes
