"""Tells connections of the presence of the people whom they show: at most once a second each, newest state only."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from klatsch.core.errors import Unavailable
from klatsch.core.ids import uuid_bytes
from klatsch.core.metrics import CAPPED, PEOPLE_WATCHED, SIGNALS_DROPPED, SIGNALS_PUSHED
from klatsch.gateway.language import protocol
from klatsch.gateway.signals.listener import Listener, WatchedPerson
from klatsch.gateway.signals.visibility import Judge, may_see
from klatsch.gateway.turns import gently

SHOWN_MOST: Final = 500_000
"""The people whom all connections of a process show together, about 150 bytes each."""
PUSH_EVERY_S: Final = 1.0
_MARKS_AT_ONCE: Final = 500
_PUSHES_AT_ONCE: Final = 10
"""A push with 200 names and its write take about 100 µs, so a slice takes about 1 ms of the loop."""


@dataclass(frozen=True, slots=True)
class Visible:
    """A person whom a viewer may see, with the key of a conversation that they share."""

    user_id: str
    username: str
    shared: bytes


class Watching:
    """The people whom the connections of one process show. `is_online` returns True if any gateway has the person."""

    def __init__(
        self,
        *,
        is_online: Callable[[str], bool],
        judge: Judge,
        clock: Callable[[], float],
        shown_most: int = SHOWN_MOST,
    ) -> None:
        self._is_online = is_online
        self._judge = judge
        self._clock = clock
        self._shown_most = shown_most
        self._people: dict[str, WatchedPerson] = {}
        self._changed: set[str] = set()
        self._due: dict[Listener, None] = {}
        self.shown = 0
        """The number of people that all connections show together."""

    def show(self, listener: Listener, people: Iterable[Visible]) -> list[WatchedPerson]:
        """Makes the connection show these people and no others; returns them.

        Raises Unavailable at the bound: the connection then shows those of before.
        """
        wanted = {person.user_id: person for person in people}
        if self.shown - len(listener.shown) + len(wanted) > self._shown_most:
            CAPPED.labels("presence").inc()
            raise Unavailable("This gateway shows too many people already. Try again later.", retry_after=30)
        self.forget(listener)
        for one in wanted.values():
            watched = self._people.get(one.user_id)
            if watched is None:
                online = self._is_online(one.user_id)
                watched = self._people[one.user_id] = WatchedPerson(
                    one.user_id, uuid_bytes(one.user_id), one.username, online
                )
            watched.listeners.add(listener)
            listener.shown[watched] = one.shared
        self.shown += len(wanted)
        listener.told_s = self._clock()
        PEOPLE_WATCHED.set(len(self._people))
        return list(listener.shown)

    def forget(self, listener: Listener) -> None:
        """Makes the connection show nobody."""
        for watched in listener.shown:
            self._drop(watched, listener)
        self.shown -= len(listener.shown)
        listener.shown.clear()
        listener.pending.clear()
        self._due.pop(listener, None)

    def note(self, user_ids: Iterable[str]) -> None:
        """Notes that these people's presence may have changed."""
        self._changed.update(user_id for user_id in user_ids if user_id in self._people)

    async def tell(self) -> None:
        """Pushes what has changed. Connections that are not free, or were told just now, are due again next time."""
        changed, self._changed = self._changed, set()
        flipped: list[WatchedPerson] = []
        async for user_ids in gently(changed, _MARKS_AT_ONCE):
            flipped += self._flip(user_ids)
        async for marks in gently(_marks(flipped), _MARKS_AT_ONCE):
            for person, listener in marks:
                if person in listener.shown:
                    listener.pending.add(person)
                    self._due[listener] = None
        due, self._due = self._due, {}
        async for listeners in gently(due, _PUSHES_AT_ONCE):
            pushed = sum(self._push(listener) for listener in listeners)
            SIGNALS_PUSHED.labels("presence").inc(pushed)

    def _flip(self, user_ids: Iterable[str]) -> list[WatchedPerson]:
        flipped = []
        for user_id in user_ids:
            person = self._people.get(user_id)
            if person is not None and person.online != self._is_online(user_id):
                person.online = not person.online
                flipped.append(person)
        return flipped

    def _push(self, listener: Listener) -> bool:
        if listener.outbox.closed or not listener.pending:
            return False
        now_s = self._clock()
        if now_s - listener.told_s < PUSH_EVERY_S or not listener.is_free():
            self._due[listener] = None
            return False
        online: list[str] = []
        offline: list[str] = []
        viewer, me, shown = listener.person, uuid_bytes(listener.person.user_id), listener.shown
        for person in listener.pending:
            is_told = person.online and may_see(viewer, (me, person.actor), shown[person], self._judge)
            (online if is_told else offline).append(person.username)
        if not listener.tell(protocol.wire(protocol.push_presence(online, offline))):
            SIGNALS_DROPPED.labels("busy").inc()
            self._due[listener] = None
            return False
        listener.told_s = now_s
        listener.pending.clear()
        return True

    def _drop(self, watched: WatchedPerson, listener: Listener) -> None:
        watched.listeners.discard(listener)
        if not watched.listeners:
            self._people.pop(watched.user_id, None)


def _marks(people: Iterable[WatchedPerson]) -> Iterable[tuple[WatchedPerson, Listener]]:
    """Yields each person with each connection that shows them, which may end between two slices."""
    for person in people:
        for listener in tuple(person.listeners):
            yield person, listener
