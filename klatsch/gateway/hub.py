"""The connections of this process by conversation, and the people behind them (D9, D10)."""

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final, Literal

from klatsch.conversations.access import Access
from klatsch.gateway import audiences
from klatsch.gateway.language.protocol import Close
from klatsch.gateway.outbox import Outbox
from klatsch.gateway.turns import in_turns

_ENDINGS_MOST: Final = 10_000


@dataclass(slots=True, eq=False)
class ConnectedPerson:
    """A person with a connection here: their conversations, where they may write, and the membership versions.

    `writable` (and `direct`, by the peer's lower-cased name) caches the right to write (D9). PostgreSQL or a record
    adds to it, and a record revokes it. It equals `access`, except for deactivated peers.
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


class Endings:
    """The last ended credentials, for connections that have signed in but not joined yet.

    It holds `_ENDINGS_MOST`. If more end while a connection signs in, `Recheck` closes the connection a minute later.
    """

    def __init__(self) -> None:
        self.count = 0
        self._last: deque[tuple[int, str, Literal["all"] | Collection[str]]] = deque(maxlen=_ENDINGS_MOST)

    def add(self, user_id: str, credentials: Literal["all"] | Collection[str]) -> None:
        self.count += 1
        self._last.append((self.count, user_id, credentials))

    def has_ended(self, since: int, user_id: str, credential: str) -> bool:
        """Returns whether that credential of the person ended after the first `since` endings."""
        for number, whose, credentials in reversed(self._last):
            if number <= since:
                break
            if whose == user_id and (credentials == "all" or credential in credentials):
                return True
        return False


class Hub:
    """Maps conversations and people to the connections that get their pushes.

    `audiences` maps a conversation's key to its connected members, and `member_counts` to its number of members.
    `writers` maps a lower-cased name to the people with a cached right to write to that person.

    Further connections of a person change no audience, so their cost does not depend on the person. A person's last
    disconnect removes them from their audiences in turns. Without an outbox they get nothing meanwhile.
    """

    def __init__(self) -> None:
        self.audiences: dict[bytes, AbstractSet[ConnectedPerson]] = {}
        self.member_counts: dict[bytes, int] = {}
        self.people: dict[str, ConnectedPerson] = {}
        self.dirty: list[Outbox] = []
        self.endings = Endings()
        self.writers: dict[str, AbstractSet[ConnectedPerson]] = {}
        self._alone: dict[ConnectedPerson, frozenset[ConnectedPerson]] = {}
        self._loading: set[ConnectedPerson] = set()

    def join(self, user_id: str, username: str, outbox: Outbox) -> ConnectedPerson:
        """Adds a connection, which then gets the pushes of its person's known conversations."""
        person = self.people.get(user_id)
        if person is None:
            person = self.people[user_id] = ConnectedPerson(user_id, username)
            self._alone[person] = frozenset([person])
            self._loading.add(person)
        person.outboxes.add(outbox)
        return person

    def finish_loading(self, person: ConnectedPerson) -> None:
        """Notes that the person's memberships are complete: from now on only records change them."""
        person.loaded = True
        self._loading.discard(person)

    def leave(self, person: ConnectedPerson, outbox: Outbox) -> None:
        """Removes a connection, and its person with the last connection."""
        person.outboxes.discard(outbox)
        if not person.outboxes and self._alone.pop(person, None) is not None:
            del self.people[person.user_id]
            self._loading.discard(person)
            in_turns(_taken_from(person), lambda some: self._drop(some, person))

    def admit(self, person: ConnectedPerson, access: Access, version: int) -> None:
        """Adds the person to a conversation's audience; ignored when a higher version is known."""
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
        """Notes a conversation's number of members, connected or not."""
        if key in self.audiences:
            self.member_counts[key] = member_count

    def expel(self, person: ConnectedPerson, key: bytes, version: int) -> None:
        """Removes the person from a conversation's audience; ignored when a higher version is known."""
        if version < person.versions.get(key, 0):
            return
        person.versions[key] = version
        access = person.access.pop(key, None)
        if access is not None:
            self.ask_again(person, access)
            self._drop([access], person)

    def ask_again(self, person: ConnectedPerson, access: Access) -> None:
        """Drops the cached right to write there, so that PostgreSQL is asked again. Pushes continue."""
        person.writable.pop(access.key, None)
        if access.receiver is not None:
            person.direct.pop(access.receiver.lower(), None)
            audiences.remove(self.writers, access.receiver.lower(), person)

    def close_to_writing(self, person: ConnectedPerson, peer: str) -> None:
        """Drops the cached right to write to `peer`."""
        access = person.direct.get(peer.lower())
        if access is not None:
            self.ask_again(person, access)

    def part(self, username: str) -> None:
        """Drops every cached right to write to a person; beyond the first people, in later turns of the loop."""
        for person in self._loading:  # rows that are being read may be older than this
            person.departed.add(username)
        writers = self.writers.pop(username.lower(), ())
        in_turns(list(writers), lambda some: self._close_all_to_writing(some, username))

    def _close_all_to_writing(self, people: Iterable[ConnectedPerson], peer: str) -> None:
        for person in people:
            self.close_to_writing(person, peer)

    def end(self, user_id: str, credentials: Literal["all"] | Collection[str], reason: str) -> None:
        """Closes a person's connections with these credentials, including those that are signing in."""
        self.endings.add(user_id, credentials)
        person = self.people.get(user_id)
        if person is not None:
            for outbox in list(person.outboxes):
                if credentials == "all" or outbox.credential in credentials:
                    outbox.close(Close.NOT_AUTHENTICATED, reason)

    def flush(self) -> None:
        """Flushes each socket once for the whole batch."""
        dirty = self.dirty
        for outbox in dirty:
            outbox.flush()
        dirty.clear()

    def connections(self) -> Iterator[tuple[ConnectedPerson, Outbox]]:
        """Yields all connections; closed ones are included until their sockets have ended."""
        for person in list(self.people.values()):
            for outbox in list(person.outboxes):
                yield person, outbox

    def close_all(self, code: Close, reason: str) -> None:
        def close(connections: Iterable[tuple[ConnectedPerson, Outbox]]) -> None:
            for _, outbox in connections:
                outbox.close(code, reason)

        in_turns(list(self.connections()), close)

    def _drop(self, some: Iterable[Access], person: ConnectedPerson) -> None:
        for access in some:
            audiences.remove(self.audiences, access.key, person)
            if access.key not in self.audiences:
                self.member_counts.pop(access.key, None)
            if access.receiver is not None:
                audiences.remove(self.writers, access.receiver.lower(), person)


def _taken_from(person: ConnectedPerson) -> Iterator[Access]:
    """Takes the conversations of a person who has left one by one: freeing all at once would block the loop."""
    while person.access:
        key, access = person.access.popitem()
        person.writable.pop(key, None)
        person.versions.pop(key, None)
        if access.receiver is not None:
            person.direct.pop(access.receiver.lower(), None)
        yield access
