"""Checks that the message which a reply names is in the same conversation and not deleted."""

from klatsch.archive.originals import Original, find_originals
from klatsch.archive.progress import Progress
from klatsch.core.errors import FieldError, Gone, NotArchivedYet, NotFound
from klatsch.messaging.lookup import LogEnds, find_last


def check_reply(*, ends: LogEnds, progress: Progress, key: bytes, original: Original, wait_s: float) -> None:
    """Raises NotFound or Gone unless the original can be replied to; blocks for about `wait_s`.

    A message that the archive does not have is only missing once the archive has what its partition held at the call.
    `key` is that of the conversation. Raises NotArchivedYet or Unavailable when this cannot be seen.
    """
    deleted = find_originals([original]).get(original)
    if deleted is None:
        last = find_last(ends, progress.epoch, [key])[key]
        if last.offset >= 0 and not progress.wait_for(last.partition, last.offset, wait_s):
            raise not_archived_yet()
        deleted = find_originals([original]).get(original)
    check_original(deleted=deleted)


def check_original(*, deleted: bool | None) -> None:
    """Raises NotFound for an original that is not there (None), and Gone for a deleted one."""
    if deleted is None:
        field = FieldError("reply_to", "not_found", "Use the id of a message of this conversation.")
        raise NotFound("There is no such message in this conversation.", fields=(field,))
    if deleted:
        field = FieldError("reply_to", "gone", "This message was deleted.")
        raise Gone("The message that this one replies to was deleted.", fields=(field,))


def not_archived_yet() -> NotArchivedYet:
    """Returns the answer to a reply whose original may still come into the archive."""
    detail = "The archive is behind, so the message that this one replies to cannot be looked up. Try again."
    return NotArchivedYet(detail, retry_after=1)
