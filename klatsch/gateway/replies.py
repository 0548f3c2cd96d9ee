"""Checks the messages that replies name: in the feed's memory, or else in the archive."""

from klatsch.archive.originals import Original, find_originals
from klatsch.archive.progress import ReachableProgress
from klatsch.conversations.access import Access
from klatsch.core.ids import uuid_bytes
from klatsch.eventlog.partitions import partition_of
from klatsch.gateway.database import DatabaseThreads
from klatsch.gateway.feed.feed import Feed
from klatsch.messaging.replies import check_original, not_archived_yet


class Replies:
    """Finds the original of a reply. `wait_s` bounds the wait for the archive to reach what the feed has read."""

    def __init__(self, feed: Feed, database: DatabaseThreads, progress: ReachableProgress, wait_s: float) -> None:
        self._feed = feed
        self._database = database
        self._progress = progress
        self._wait_s = wait_s

    async def check(self, access: Access, reply_to: str) -> None:
        """Raises NotFound or Gone unless that message is of the conversation and not deleted.

        A message that the feed remembers costs no question. Raises NotArchivedYet and Unavailable for others.
        """
        partition = partition_of(access.key, len(self._feed.offsets))
        target = uuid_bytes(reply_to)
        gone = self._feed.is_deleted(partition, target)
        if not gone and self._feed.has_message(access.key, partition, target):
            return
        deleted = await self._find(Original(access.conversation, reply_to), partition)
        check_original(deleted=deleted if deleted is None else deleted or gone)

    async def _find(self, original: Original, partition: int) -> bool | None:
        """Returns whether the archived message is deleted; None if the archive certainly does not have it."""
        read = self._feed.offsets[partition]
        deleted = await self._database.run_together(find_originals, original)
        if deleted is None and read > 0:
            if not await self._progress.reach(partition, read - 1, self._wait_s):
                raise not_archived_yet()
            deleted = await self._database.run_together(find_originals, original)
        return deleted
