"""Asks PostgreSQL and the log when a gateway's own memory has no answer, on threads of its own.

Sign-in and hello use other threads: a lookup that waits for the log does not delay new connections.
"""

import asyncio
from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

from klatsch.accounts.queries import Person
from klatsch.archive.markers import StoredMarker, find_markers
from klatsch.archive.progress import ReachableProgress
from klatsch.conversations.access import Access
from klatsch.conversations.acquaintances import Acquaintance, NamesAsked, find_acquaintances
from klatsch.conversations.queries import Standing, get_standing, no_such_conversation
from klatsch.conversations.services import open_direct
from klatsch.core.caps import AtOnce
from klatsch.core.errors import Conflict, Unavailable
from klatsch.core.ids import is_uuid
from klatsch.eventlog.log import LogWriter
from klatsch.eventlog.places import Position
from klatsch.gateway.database import DatabaseThreads
from klatsch.gateway.hub import ConnectedPerson
from klatsch.messaging.lookup import LogEnds, behind, find_last, read_earlier
from klatsch.messaging.mentions import Mention, find_mentions, mentions_in_direct, naming_of
from klatsch.messaging.sending import SentMessage

AT_ONCE_MOST: Final = 4
"""The most lookups of a person at once: each of their connections can have one."""
MENTIONS_WAIT_S: Final = 1.0
"""The wait for the members whom a message mentions. Afterwards it is sent without mentions."""


class Lookups:
    """`log` is a writer with delivery reports: membership records must be in the log before any message of theirs.

    `wait_s` bounds how long the lookup of an old `client_id` waits for the archive to reach the log's end. Further
    lookups of a person beyond `AT_ONCE_MOST` are refused with Unavailable.
    """

    def __init__(
        self, threads: DatabaseThreads, log: LogWriter, ends: LogEnds, progress: ReachableProgress, wait_s: float
    ) -> None:
        self._threads = threads
        self._log = log
        self._ends = ends
        self._progress = progress
        self._wait_s = wait_s
        self._at_once = AtOnce(
            AT_ONCE_MOST,
            cap="lookups",
            refusal=Unavailable,
            detail="Several of your requests are being looked up already. Try again later.",
        )

    async def find_earlier(self, person: ConnectedPerson, access: Access, sent: SentMessage) -> str | None:
        """Returns the position of the archived message of that id, or None; raises Conflict, Unavailable."""
        with self._at_once.enter(person.user_id):
            # Concurrent lookups share a few requests to the log.
            last = await self._threads.run_together(self._find_last, access.key)
            assert last is not None
            if last.offset >= 0 and not await self._progress.reach(last.partition, last.offset, self._wait_s):
                raise behind()
            earlier = await self._threads.run(lambda: read_earlier(sent.id, last))
        if earlier is None:
            return None
        if earlier.digest != sent.digest:
            raise Conflict("Another message has this client_id.")
        return earlier.position

    def _find_last(self, keys: Collection[bytes]) -> dict[bytes, Position]:
        return find_last(self._ends, self._progress.epoch, keys)

    async def find_access(
        self, person: ConnectedPerson, conversation: str | None, to: str | None
    ) -> tuple[Access, int]:
        """Returns the right to write and its version.

        Raises NotFound, Forbidden, Blocked, BadRequest and Unavailable.
        """
        conversation_id = None if conversation is None else parse_conversation_id(conversation)
        with self._at_once.enter(person.user_id):
            return await self._threads.run(lambda: self._ask_access(person, conversation_id, to))

    async def find_marker(self, person: ConnectedPerson, conversation: str) -> StoredMarker:
        """Returns the person's marker in a conversation; raises NotFound, Unavailable."""
        whose = (UUID(person.user_id), parse_conversation_id(conversation))
        with self._at_once.enter(person.user_id):
            found = await self._threads.run_together(find_markers, whose)
        if found is None:
            raise no_such_conversation()
        return found

    def _ask_access(self, person: ConnectedPerson, conversation: UUID | None, to: str | None) -> tuple[Access, int]:
        user_id = UUID(person.user_id)
        if conversation is None:
            return open_direct(sender=Person(user_id, person.username), receiver_username=to or "", log=self._log)
        standing = get_standing(user_id=user_id, conversation_id=conversation, log=self._log)
        standing.check_may_write()
        return standing.access(user_id, person.username), standing.version

    async def find_standing(self, person: ConnectedPerson, conversation: str) -> Standing:
        """Returns the membership of a person who may read the conversation; raises NotFound, Unavailable."""
        user_id, conversation_id = UUID(person.user_id), parse_conversation_id(conversation)
        with self._at_once.enter(person.user_id):
            return await self._threads.run(
                lambda: get_standing(user_id=user_id, conversation_id=conversation_id, log=self._log)
            )

    async def find_acquaintances(self, person: ConnectedPerson, names: Sequence[str]) -> list[Acquaintance]:
        """Returns who of these lower-cased names shares a conversation with the person; raises Unavailable."""
        asked = NamesAsked(UUID(person.user_id), tuple(names))
        with self._at_once.enter(person.user_id):
            return await self._threads.run_together(find_acquaintances, asked) or []

    async def find_mentions(self, access: Access, content: str) -> tuple[Mention, ...]:
        """Returns the members whom a text mentions.

        Returns none while PostgreSQL does not answer: sends go on without it (D13).
        """
        if access.receiver is not None:
            return mentions_in_direct(content, access)
        naming = naming_of(content, conversation=access.conversation, author_id=access.sender_id)
        if naming is None:
            return ()
        try:
            async with asyncio.timeout(MENTIONS_WAIT_S):
                return await self._threads.run_together(find_mentions, naming) or ()
        except (TimeoutError, Unavailable):
            return ()

    def close(self) -> None:
        self._threads.close()


def parse_conversation_id(text: str) -> UUID:
    """Returns the id that a client has given; raises NotFound for any other text, such as an id in upper case."""
    if not is_uuid(text):
        raise no_such_conversation()
    return UUID(text)
