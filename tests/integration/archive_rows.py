"""Messages in the archive, for tests: rows as the persister would have made them."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import connection

from klatsch.accounts.models import User
from klatsch.accounts.queries import Person
from klatsch.archive.models import ConversationState, LogOffset, Message
from klatsch.conversations.access import Access
from klatsch.core.ids import message_id
from klatsch.eventlog.models import Epoch
from klatsch.eventlog.partitions import partition_of
from klatsch.records.messages import digest

BEGINNING = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
PARTITIONS = 12


_KEEP_ACTIVE = """
    INSERT INTO messaging_marker (conversation_id, user_id, active_at)
    SELECT conversation_id, user_id, %s FROM conversations_member WHERE conversation_id = %s
    ON CONFLICT (conversation_id, user_id) DO UPDATE
    SET active_at = greatest(messaging_marker.active_at, excluded.active_at)"""


def as_sender(person: User) -> Person:
    return Person(person.pk, person.username)


def open_epoch() -> None:
    Epoch.objects.create(epoch=1, topic_id="first", partitions=PARTITIONS)


def archive(
    access: Access, content: str, *, offset: int, client_id: str | None = None, sent_at: datetime | None = None
) -> Message:
    """Stores what `access` says at an offset of its conversation's partition, a second for each offset."""
    partition = partition_of(access.key, PARTITIONS)
    name = client_id or f"m{offset}"
    time = sent_at or BEGINNING + timedelta(seconds=offset)
    state = ConversationState.objects.filter(conversation_id=access.conversation).first()
    seq = state.last_seq + 1 if state else 1
    message = Message.objects.create(
        id=UUID(bytes=message_id(access.conversation_bytes, access.sender_bytes, name)),
        client_id=name,
        conversation_id=access.conversation,
        sender_id=access.sender_id,
        receiver_id=access.receiver_id,
        content=content,
        sent_at=time,
        epoch=1,
        partition=partition,
        offset=offset,
        changed_epoch=1,
        changed_offset=offset,
        seq=seq,
        digest=digest(content, None),
    )
    ConversationState.objects.update_or_create(
        conversation_id=access.conversation,
        defaults={
            "last_seq": seq,
            "last_message": message.pk,
            "last_sent_at": time,
            "epoch": 1,
            "partition": partition,
            "last_offset": offset,
        },
    )
    with connection.cursor() as cursor:
        cursor.execute(_KEEP_ACTIVE, [time + timedelta(minutes=1), access.conversation])
    archive_up_to(partition, offset + 1)
    return message


def archive_up_to(partition: int, next_offset: int) -> None:
    """Says how far the archive is, whatever it holds."""
    LogOffset.objects.update_or_create(epoch=1, partition=partition, defaults={"next_offset": next_offset})
