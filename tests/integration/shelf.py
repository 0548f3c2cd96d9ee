"""An archive on the real PostgreSQL, filled in batches as a persister fills it. Its fixtures are in conftest."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import msgspec

from klatsch.archive.histories import list_messages
from klatsch.archive.models import DeadLetter, LogOffset, Message
from klatsch.eventlog.log import Entry, Record
from klatsch.persister.batch import sort_records
from klatsch.persister.past import changes_in
from klatsch.persister.storing import Archive
from klatsch.records.judge import Memberships
from klatsch.records.messages import MessagePosted
from tests.support.records import ANA, BOB, NOW_MS, TEA, Somebody, entry_of, in_group, posted, records_of

EPOCH = 1
NO_DATA, NO_ROW = "no data", "no row"
"""Contents that PostgreSQL refuses under the fixture `picky`, as data (class 22) and as a row (class 23)."""
SAID = posted(in_group(ANA), "hi", client_id="one")
OTHER = posted(in_group(BOB), "yes", client_id="two")


class Shelf:
    """Puts entries into one partition of a log, and batches of them into the archive, from the log's beginning."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.memberships = Memberships()
        self.next_offset = 0

    def records(self, *entries: Entry, at_ms: int = NOW_MS) -> list[Record]:
        """Returns the records that the log holds next after these entries."""
        first = self.next_offset
        return [msgspec.structs.replace(r, offset=first + r.offset, time_ms=at_ms) for r in records_of(*entries)]

    def put(self, *entries: Entry, at_ms: int = NOW_MS) -> int:
        """Stores the entries as the next batch, and returns how many messages were stored."""
        return self.store(self.records(*entries, at_ms=at_ms))

    def store(self, records: Sequence[Record]) -> int:
        changes = changes_in(records)
        past = self.archive.read_past(changes) if changes else None
        batch = sort_records(records, self.memberships, past=past)
        stored = self.archive.store(batch, {0: self.next_offset})
        self.next_offset = batch.next_offsets[0]
        return len(stored.rows)


def open_epoch(epoch: int) -> None:
    """Opens an epoch whose log has three partitions that nothing was read of."""
    LogOffset.objects.bulk_create(LogOffset(epoch=epoch, partition=p, next_offset=0) for p in range(3))


def put_two_messages(shelf: Shelf) -> Shelf:
    """Stores two messages in the group, one of Ana's and one of Bob's."""
    shelf.put(entry_of(SAID), entry_of(OTHER))
    return shelf


def view(message: MessagePosted = SAID) -> dict[str, Any]:
    """Returns a message of the group as a history shows it."""
    [found] = [one for one in list_messages(conversation_id=TEA, limit=50) if one.id == message.id]
    body: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(found))
    return body


def contents(conversation: UUID = TEA) -> list[tuple[int, str]]:
    """Returns number and content of what the archive has of a conversation."""
    rows = Message.objects.filter(conversation=conversation).order_by("seq")
    return list(rows.values_list("seq", "content"))


def next_offset(partition: int = 0, epoch: int = EPOCH) -> int:
    return LogOffset.objects.get(epoch=epoch, partition=partition).next_offset


def letters() -> list[tuple[int, str]]:
    """Returns offset and reason of every dead letter."""
    return list(DeadLetter.objects.order_by("offset").values_list("offset", "reason"))


def said(content: str, sender: Somebody = ANA, group: UUID = TEA, **fields: Any) -> Entry:
    """Returns a message, or one that no gateway would have let pass."""
    event = posted(in_group(sender, group), content, client_id=uuid4().hex)
    return entry_of(msgspec.structs.replace(event, **fields))
