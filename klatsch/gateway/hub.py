"""The connections of this process by conversation, and the people behind them (D9, D10)."""

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from klatsch.conversations.access import Access
from klatsch.gateway import audiences
from klatsch.gateway.language.protocol import Close
from klatsch.gateway.outbox import Outbox
from klatsch.gateway.turns import in_turns

_ENDINGS_MOST: Final = 10_000


@dataclass(slots=True, eq=False)
class Person:
    """Somebody with at least one connection here: what they hear, where they may write, and each standing's version.

    `writable` (and `direct`, by the other's name in lower case) is the cached "yes" of D9: it is made from PostgreSQL
    or a record, and ended by a record. It is `access`, but for those whose peer has left.
    """

    user_id: str
    username: str
    access: dict[bytes, Access] = field(default_factory=dict)
    writable: dict[bytes, Access] = field(default_factory=dict)
    direct: dict[str, Access] = field(default_factory=dict)
    versions: dict[bytes, int] = field(default_factory=dict)
    outboxes: set[Outbox] = field(default_factory=set)
    departed: set[str] = field(default_factory=set)
    loaded: bool = False


class Standing(Protocol):
    """One person's standing in one conversation, whoever tells it: PostgreSQL or a record."""

    @property
    def version(self) -> int: ...
    @property
    def active(self) -> bool: ...


class Endings:
    """The last credentials that ended, for those who were found to be somebody before and have not joined yet.

    It holds `_ENDINGS_MOST`; should more end while one connection signs in, it is found by `Recheck` a minute later.
    """

    def __init__(self) -> None:
        self.count = 0
        self._last: deque[tuple[int, str, Literal["all"] | Collection[str]]] = deque(maxlen=_ENDINGS_MOST)

    def add(self, user_id: str, credentials: Literal["all"] | Collection[str]) -> None:
        self.count += 1
        self._last.append((self.count, user_id, credentials))

    def has_ended(self, since: int, user_id: str, credential: str) -> bool:
        """Whether that credential of theirs ended after there had been `since` endings."""
        for number, whose, credentials in reversed(self._last):
            if number <= since:
                break
            if whose == user_id and (credentials == "all" or credential in credentials):
                return True
        return False


class Hub:
    """Holds who is to get what.

    `audiences` maps a conversation's key to its connected members, `member_counts` to how many it has, connected
    or not. `writers` maps a name in lower case to those with a cached "yes" to write to that person.

    A connection more or less changes no audience, so it costs the same for every person. Somebody's last one does: they
    are taken out of their audiences in turns, and get nothing meanwhile, as they have no outbox.
    """

    def __init__(self) -> None:
        self.audiences: dict[bytes, AbstractSet[Person]] = {}
        self.member_counts: dict[bytes, int] = {}
        self.people: dict[str, Person] = {}
        self.dirty: list[Outbox] = []
        self.endings = Endings()
        self.writers: dict[str, AbstractSet[Person]] = {}
        self._alone: dict[Person, frozenset[Person]] = {}
        self._loading: set[Person] = set()

    def join(self, user_id: str, username: str, outbox: Outbox) -> Person:
        """Adds a connection: from here on it gets what its person is known to belong to."""
        person = self.people.get(user_id)
        if person is None:
            person = self.people[user_id] = Person(user_id, username)
            self._alone[person] = frozenset([person])
            self._loading.add(person)
        person.outboxes.add(outbox)
        return person

    def finish_loading(self, person: Person) -> None:
        """From here on all is known of this person, and records alone change it."""
        person.loaded = True
        self._loading.discard(person)

    def leave(self, person: Person, outbox: Outbox) -> None:
        """Removes a connection, and its person with the last one."""
        person.outboxes.discard(outbox)
        if not person.outboxes and self._alone.pop(person, None) is not None:
            del self.people[person.user_id]
            self._loading.discard(person)
            in_turns(_taken_from(person), lambda some: self._drop(some, person))

    def admit(self, person: Person, access: Access, version: int) -> None:
        """From here on this person gets that conversation; ignored when a higher version is known."""
        if version < person.versions.get(access.key, 0):
            return
        person.versions[access.key] = version
        person.access[access.key] = person.writable[access.key] = access
        if access.receiver is not None:
            person.direct[access.receiver.lower()] = access
        if person.outboxes:
            alone = self._alone[person]
            audiences.add(self.audiences, access.key, alone)
            self.member_counts[access.key] = access.member_count
            if access.receiver is not None:
                audiences.add(self.writers, access.receiver.lower(), alone)

    def resize(self, key: bytes, member_count: int) -> None:
        """Notes how many members a conversation has, here or elsewhere."""
        if key in self.audiences:
            self.member_counts[key] = member_count

    def expel(self, person: Person, key: bytes, version: int) -> None:
        """From here on this person gets nothing of that conversation; ignored when a higher version is known."""
        if version < person.versions.get(key, 0):
            return
        person.versions[key] = version
        access = person.access.pop(key, None)
        if access is not None:
            self.ask_again(person, access)
            self._drop([access], person)

    def ask_again(self, person: Person, access: Access) -> None:
        """From here on a "yes" to write there is to be asked of PostgreSQL; what comes is heard as before."""
        person.writable.pop(access.key, None)
        if access.receiver is not None:
            person.direct.pop(access.receiver.lower(), None)
            audiences.remove(self.writers, access.receiver.lower(), person)

    def close_to_writing(self, person: Person, peer: str) -> None:
        """The same for what goes to `peer`."""
        access = person.direct.get(peer.lower())
        if access is not None:
            self.ask_again(person, access)

    def part(self, username: str) -> None:
        """Ends every cached "yes" to write to a person; where thousands have one, those of most in later turns."""
        for person in self._loading:  # what is being read may be older than this
            person.departed.add(username)
        writers = self.writers.pop(username.lower(), ())
        in_turns(list(writers), lambda some: self._close_all_to_writing(some, username))

    def _close_all_to_writing(self, people: Iterable[Person], peer: str) -> None:
        for person in people:
            self.close_to_writing(person, peer)

    def end(self, user_id: str, credentials: Literal["all"] | Collection[str], reason: str) -> None:
        """Closes the connections of a person that came with these credentials, and those that are on their way."""
        self.endings.add(user_id, credentials)
        person = self.people.get(user_id)
        if person is not None:
            for outbox in list(person.outboxes):
                if credentials == "all" or outbox.credential in credentials:
                    outbox.close(Close.NOT_AUTHENTICATED, reason)

    def flush(self) -> None:
        """Writes what a batch has queued, each socket once."""
        dirty = self.dirty
        for outbox in dirty:
            outbox.flush()
        dirty.clear()

    def connections(self) -> Iterator[tuple[Person, Outbox]]:
        """Everybody's; closed ones are here until their sockets have ended."""
        for person in list(self.people.values()):
            for outbox in list(person.outboxes):
                yield person, outbox

    def close_all(self, code: Close, reason: str) -> None:
        def close(connections: Iterable[tuple[Person, Outbox]]) -> None:
            for _, outbox in connections:
                outbox.close(code, reason)

        in_turns(list(self.connections()), close)

    def _drop(self, some: Iterable[Access], person: Person) -> None:
        for access in some:
            audiences.remove(self.audiences, access.key, person)
            if access.key not in self.audiences:
                self.member_counts.pop(access.key, None)
            if access.receiver is not None:
                audiences.remove(self.writers, access.receiver.lower(), person)


def _taken_from(person: Person) -> Iterator[Access]:
    """Takes from somebody who has left what is kept for each conversation: freed at once it would hold the loop."""
    while person.access:
        key, access = person.access.popitem()
        person.writable.pop(key, None)
        person.versions.pop(key, None)
        if access.receiver is not None:
            person.direct.pop(access.receiver.lower(), None)
        yield access
