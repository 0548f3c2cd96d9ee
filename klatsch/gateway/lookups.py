"""What a gateway asks PostgreSQL when its own memory has no answer; blocking, so always through `DatabaseThreads`."""

from uuid import UUID

from klatsch.conversations.access import Access
from klatsch.conversations.queries import get_standing, no_such_conversation
from klatsch.conversations.services import ensure_direct_conversation
from klatsch.core.errors import Conflict, Forbidden
from klatsch.eventlog.log import LogWriter
from klatsch.gateway.hub import Person
from klatsch.messaging.archive_progress import Progress
from klatsch.messaging.lookup import LogEnds, find_earlier
from klatsch.messaging.services import SentMessage


class Lookups:
    """`log` is a writer that reports: membership records must be in the log before anything is said there.

    `wait_s` is how long an old `client_id` may wait for the archive to reach the log's end.
    """

    def __init__(self, log: LogWriter, ends: LogEnds, progress: Progress, wait_s: float) -> None:
        self._log = log
        self._ends = ends
        self._progress = progress
        self._wait_s = wait_s

    def find_earlier(self, access: Access, sent: SentMessage) -> str | None:
        """The position of the archived message of that id, None if there is none; raises Conflict, Unavailable."""
        earlier = find_earlier(
            ends=self._ends, progress=self._progress, key=access.key, message_id=sent.id, wait_s=self._wait_s
        )
        if earlier is None:
            return None
        if earlier.digest != sent.digest:
            raise Conflict("Another message has this client_id.")
        return earlier.position

    def find_access(self, person: Person, conversation: str | None, to: str | None) -> tuple[Access, int]:
        """The right to write and its version; raises NotFound, Forbidden, BadRequest, Unavailable."""
        user_id = UUID(person.user_id)
        if to is not None:
            access = ensure_direct_conversation(sender=(user_id, person.username), receiver_username=to, log=self._log)
            return access, 1  # a direct conversation's members never change
        try:
            conversation_id = UUID(conversation or "")
        except ValueError as error:
            raise no_such_conversation() from error
        standing = get_standing(user_id=user_id, conversation_id=conversation_id, log=self._log)
        if not standing.peer_active:
            raise Forbidden("This person can no longer be written to.")
        return standing.access(user_id, person.username), standing.version
