"""Dead letters: records that could not be stored, and their retry once the cause is fixed (D5)."""

from dataclasses import dataclass

import msgspec
import psycopg
from django.db import connection, transaction
from django.utils import timezone

from klatsch.archive.models import DeadLetter, MembershipInterval
from klatsch.archive.targets import MODERATION
from klatsch.core.errors import Blocked, Conflict, InvalidContent, NotAMember, NotFound
from klatsch.eventlog.log import Record
from klatsch.eventlog.outbox import promise_record
from klatsch.eventlog.places import Position
from klatsch.persister import state_statements, statements
from klatsch.persister.batch import MessageRow
from klatsch.persister.folding import insert_mentions
from klatsch.persister.marker_statements import keep_active
from klatsch.records.decoding import BadRecord, decode
from klatsch.records.header import WHOLE_MESSAGE, judged_id, make_header
from klatsch.records.messages import MessageChanged, MessagePosted
from klatsch.records.values import encode


@dataclass(frozen=True, slots=True)
class Retried:
    """A dead letter that a retry has stored as a message."""

    position: Position
    message_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that could not be stored, with the number of its dead letter."""

    number: int
    position: Position
    reason: str
    detail: str


def list_dead_letters(*, stored_too: bool) -> list[Refused]:
    """Returns the dead letters that wait for a retry, in the log's order; with `stored_too`, also stored ones."""
    letters = DeadLetter.objects.order_by("epoch", "partition", "offset")
    if not stored_too:
        letters = letters.filter(retried_at=None)
    rows = letters.values_list("pk", "epoch", "partition", "offset", "reason", "detail")
    return [Refused(pk, Position(*place), reason, detail) for pk, *place, reason, detail in rows]


def retry_dead_letter(pk: int) -> Retried:
    """Stores a dead letter's message at its own position, and queues a change record that tells so.

    Harmless when repeated. Raises NotFound, and InvalidContent with the reason when it still cannot be stored. Raises
    Conflict when another message has its id, and NotAMember or Blocked when its sender was not allowed to send it.
    """
    with transaction.atomic():
        letter = DeadLetter.objects.select_for_update().filter(pk=pk).first()
        if letter is None:
            raise NotFound("There is no such dead letter.")
        position = Position(letter.epoch, letter.partition, letter.offset)
        row = _decode(letter)
        if letter.retried_at is None:
            _check_in_force(letter, row.event)
            _store(letter, row)
            DeadLetter.objects.filter(pk=pk).update(retried_at=timezone.now())
    return Retried(position, row.event.id)


def _decode(letter: DeadLetter) -> MessageRow:
    record = Record(letter.partition, letter.offset, bytes(letter.key), bytes(letter.value), bytes(letter.judge))
    try:
        event = decode(record)
    except BadRecord as error:
        raise InvalidContent(f"It still cannot be read: {error.args[-1]}.") from error
    if not isinstance(event, MessagePosted):
        raise InvalidContent("Only messages can be tried again.")
    return MessageRow(record, event)


def _check_in_force(letter: DeadLetter, event: MessagePosted) -> None:
    """Raises NotAMember or Blocked for a message that was void when it was appended."""
    standing = (
        MembershipInterval.objects.filter(
            conversation_id=event.conversation, user_id=event.sender_id, epoch=letter.epoch, offset__lt=letter.offset
        )
        .order_by("-version")
        .first()
    )
    if standing is not None and not standing.active:
        raise NotAMember("Its sender had been removed from the conversation before it was appended.")
    if standing is not None and standing.blocked:
        raise Blocked("The other person had blocked its sender before it was appended.")


def _store(letter: DeadLetter, row: MessageRow) -> None:
    event, judge = row.event, row.record.judge
    connection.ensure_connection()
    archive = connection.connection  # psycopg's own connection, for which the archive's SQL is written
    if not state_statements.last_seqs(archive, [event.conversation]) or not statements.known_people(
        archive, [event.sender_id]
    ):
        raise InvalidContent("Its conversation or its sender does not exist.")
    try:
        with transaction.atomic():
            seq = state_statements.count_late_message(archive, letter.epoch, row)
            if statements.insert_messages(archive, letter.epoch, [row], [seq]).rowcount != 1:
                raise Conflict("Another message with this id is in the archive already.")
            insert_mentions(archive, [row])
            keep_active(archive, {event.conversation: event.sent_at})
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        raise InvalidContent(f"PostgreSQL still refuses it: {error}") from error
    place = event.conversation.encode("ascii")
    # In nobody's name: its sender may have left since, and what they announce would be void.
    header = make_header(WHOLE_MESSAGE, judged_id(judge), MODERATION.bytes)
    promise_record(key=place, value=_change(letter, event), place=place, judge=header)


def _change(letter: DeadLetter, event: MessagePosted) -> bytes:
    position = str(Position(letter.epoch, letter.partition, letter.offset))
    return encode(MessageChanged(**msgspec.structs.asdict(event), position=position))
