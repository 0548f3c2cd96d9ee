"""Tells connections of the presence of the people whom they show: at most once a second each, newest state only."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from klatsch.conversations.access import Access
from klatsch.core.errors import Unavailable
from klatsch.core.ids import uuid_bytes
from klatsch.core.metrics import CAPPED, PEOPLE_WATCHED, SIGNALS_DROPPED, SIGNALS_PUSHED
from klatsch.gateway.hub import ConnectedPerson
from klatsch.gateway.language import protocol
from klatsch.gateway.signals.listener import Listener, WatchedPerson
from klatsch.gateway.signals.visibility import Judge, may_see
from klatsch.gateway.turns import gently

SHOWN_MOST: Final = 500_000
"""The people whom all connections of a process show together, about 150 bytes each."""
PUSH_EVERY_S: Final = 1.0
CHANGES_AT_ONCE: Final = 500
REMOVALS_AT_ONCE: Final = 50
"""The watches that are looked at again in one go: finding another shared conversation takes up to 10 µs."""
PUSHES_AT_ONCE: Final = 10
"""A push with 200 names and its write take about 100 µs, so a slice takes about 1 ms of the loop."""
LOOKED_AT_MOST: Final = 500
"""The connections that one call of `tell` looks at, 2,000 a second: further ones are due in the next call.

When thousands come back at once, each connection has changes to be told in each second. Their pushes take this share of
the process at most, and tell of more changes each.
"""
_CONVERSATIONS_MOST: Final = 8
"""The conversations that are known of a person who is shown."""


Changes = tuple[tuple[str, ...], tuple[str, ...]]
"""The names to be told online, and those to be told offline."""


class Visible(NamedTuple):
    """A person whom a viewer may see, with the key of a conversation that they share."""

    user_id: str
    username: str
    shared: bytes


class Watching:
    """The people whom the connections of one process show. `is_online` returns True if any gateway has the person.

    `find_shared` returns the key of another conversation that a viewer shares with a person, as far as memory knows.
    """

    def __init__(
        self,
        *,
        is_online: Callable[[str], bool],
        find_shared: Callable[[ConnectedPerson, WatchedPerson], bytes | None],
        judge: Judge,
        clock: Callable[[], float],
        shown_most: int = SHOWN_MOST,
    ) -> None:
        self._is_online = is_online
        self._find_shared = find_shared
        self._judge = judge
        self._clock = clock
        self._shown_most = shown_most
        self._people: dict[str, WatchedPerson] = {}
        self._names: dict[str, WatchedPerson] = {}  # by the lower-cased name
        self._viewers: dict[str, set[Listener]] = {}
        self._changed: set[str] = set()
        self._flipped: set[WatchedPerson] = set()
        """Those whose change is being noted for all connections that show them."""
        self._removed: dict[tuple[bytes, str], None] = {}
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
            watched = self._people.get(one.user_id) or self._add(one)
            watched.listeners.add(listener)
            listener.shown[watched] = one.shared
            if one.shared not in watched.conversations:
                self._learn(watched, listener.person.access.get(one.shared))
        self.shown += len(wanted)
        if wanted:
            self._viewers.setdefault(listener.person.user_id, set()).add(listener)
        listener.told_s = self._clock()
        PEOPLE_WATCHED.set(len(self._people))
        return list(listener.shown)

    def find(self, name: str) -> WatchedPerson | None:
        """Returns the person of that lower-cased name, if a connection shows them."""
        return self._names.get(name)

    def _add(self, one: Visible) -> WatchedPerson:
        person = WatchedPerson(one.user_id, uuid_bytes(one.user_id), one.username, self._is_online(one.user_id))
        self._people[one.user_id] = self._names[one.username.lower()] = person
        return person

    def _learn(self, person: WatchedPerson, access: Access | None) -> None:
        """Notes a group by which a connection shows the person: others in it need not ask PostgreSQL."""
        if access is not None and access.kind == "group" and len(person.conversations) < _CONVERSATIONS_MOST:
            person.conversations.add(access.key)

    def forget(self, listener: Listener) -> None:
        """Makes the connection show nobody."""
        for watched in listener.shown:
            self._drop(watched, listener)
        self.shown -= len(listener.shown)
        listener.shown.clear()
        listener.pending.clear()
        listener.lost.clear()
        self._due.pop(listener, None)
        viewers = self._viewers.get(listener.person.user_id)
        if viewers is not None:
            viewers.discard(listener)
            if not viewers:
                del self._viewers[listener.person.user_id]

    def note(self, user_ids: Iterable[str]) -> None:
        """Notes that these people's presence may have changed."""
        self._changed.update(user_id for user_id in user_ids if user_id in self._people)

    def note_removal(self, key: bytes, user_id: str) -> None:
        """Notes that a person is no member of that conversation any more: who may see whom is looked at again."""
        person = self._people.get(user_id)
        if person is not None:
            person.conversations.discard(key)
        if person is not None or user_id in self._viewers:
            self._removed[key, user_id] = None

    def hide(self, user_id: str, viewer_id: str) -> None:
        """Ends at once what a viewer, who was blocked, is told of a person."""
        person = self._people.get(user_id)
        if person is not None:
            for listener in tuple(self._viewers.get(viewer_id, ())):
                if person in listener.shown:
                    self._lose(listener, person)

    async def tell(self) -> None:
        """Pushes what has changed. Connections that are not free, or were told just now, are due again next time."""
        removed, self._removed = self._removed, {}
        async for watches in gently(self._watches_of(removed), REMOVALS_AT_ONCE):
            for listener, person in watches:
                self._look_again(listener, person)
        changed, self._changed = self._changed, set()
        async for user_ids in gently(changed, CHANGES_AT_ONCE):
            self._flipped.update(self._flip(user_ids))
        async for shown in gently(_watches(self._flipped), CHANGES_AT_ONCE):
            for person, listener in shown:
                if person in listener.shown:
                    listener.pending.setdefault(person, not person.online)
                    self._due[listener] = None
        self._flipped.clear()
        due = list(islice(self._due, LOOKED_AT_MOST))
        frames: dict[Changes, bytes] = {}
        async for listeners in gently(due, PUSHES_AT_ONCE):
            pushed = sum(self._push(listener, frames) for listener in listeners)
            SIGNALS_PUSHED.labels("presence").inc(pushed)

    def _watches_of(self, removed: Iterable[tuple[bytes, str]]) -> Iterator[tuple[Listener, WatchedPerson]]:
        """Yields the watches that rest on a membership that has ended, the person's own and those of others."""
        for key, user_id in removed:
            for listener in tuple(self._viewers.get(user_id, ())):
                yield from ((listener, person) for person, shared in tuple(listener.shown.items()) if shared == key)
            one = self._people.get(user_id)
            if one is not None:
                yield from ((listener, one) for listener in tuple(one.listeners) if listener.shown.get(one) == key)

    def _look_again(self, listener: Listener, person: WatchedPerson) -> None:
        """Keeps a watch that another shared conversation allows, and ends any other."""
        shared = listener.shown.get(person)
        if shared is None or self._may_see(listener, person):
            return  # it was ended meanwhile, or the person is a member again
        other = self._find_shared(listener.person, person)
        if other is None:
            self._lose(listener, person)
        else:
            listener.shown[person] = other

    def _lose(self, listener: Listener, person: WatchedPerson) -> None:
        """Ends a watch for good. A connection that was told online is told offline with its next push, then nothing."""
        del listener.shown[person]
        self.shown -= 1
        if listener.pending.pop(person, person.online or person in self._flipped):
            listener.lost.add(person.username)
            self._due[listener] = None
        self._drop(person, listener)

    def _flip(self, user_ids: Iterable[str]) -> list[WatchedPerson]:
        flipped = []
        for user_id in user_ids:
            person = self._people.get(user_id)
            if person is not None and person.online != self._is_online(user_id):
                person.online = not person.online
                flipped.append(person)
        return flipped

    def _push(self, listener: Listener, frames: dict[Changes, bytes]) -> bool:
        """Tells a connection what has changed, unless it is busy. Connections with equal changes share a frame."""
        self._due.pop(listener, None)
        if listener.outbox.closed:
            return False
        now_s = self._clock()
        if now_s - listener.told_s < PUSH_EVERY_S or not listener.is_free():
            self._due[listener] = None  # the last in turn
            return False
        changes = self._changes_for(listener)
        if not any(changes):
            return False
        frame = frames.get(changes)
        if frame is None:
            frame = frames[changes] = protocol.wire(protocol.push_presence(*changes))
        if not listener.tell(frame):
            SIGNALS_DROPPED.labels("busy").inc()
            self._due[listener] = None
            return False
        listener.told_s = now_s
        listener.pending.clear()
        listener.lost.clear()
        return True

    def _changes_for(self, listener: Listener) -> Changes:
        """Returns who is to be told online, and who offline."""
        changed = [person for person, told_online in listener.pending.items() if person.online != told_online]
        if self._removed:  # they will be looked at by the next `tell`, and nothing is told of them before
            for person in changed:
                if person.online and not self._may_see(listener, person):
                    self._lose(listener, person)
            changed = [person for person in changed if person in listener.shown]
        online = tuple([person.username for person in changed if person.online])
        return online, (*[person.username for person in changed if not person.online], *listener.lost)

    def _may_see(self, listener: Listener, person: WatchedPerson) -> bool:
        return may_see(listener.person, person.actor, listener.shown[person], self._judge)

    def _drop(self, watched: WatchedPerson, listener: Listener) -> None:
        watched.listeners.discard(listener)
        if not watched.listeners:
            self._people.pop(watched.user_id, None)
            self._names.pop(watched.username.lower(), None)


def _watches(people: Iterable[WatchedPerson]) -> Iterable[tuple[WatchedPerson, Listener]]:
    """Yields each person with each connection that shows them, which may end between two slices."""
    for person in people:
        for listener in tuple(person.listeners):
            yield person, listener
