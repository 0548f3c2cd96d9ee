"""Sorts records into what is to be stored, judged in the log's order; no I/O (D5)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from klatsch.core.ids import uuid_text
from klatsch.eventlog.log import Record
from klatsch.messaging.events import (
    CONVERSATION_KEY_LENGTH,
    MEMBERS_PREFIX,
    USER_PREFIX,
    BadRecord,
    Event,
    MembersChanged,
    Membership,
    MessageChanged,
    MessagePosted,
    UserChanged,
    decode_record,
    digest,
    is_change,
    is_message,
    judged_digest,
    judged_id,
    judged_sender,
    members_key,
    user_key,
)
from klatsch.messaging.judge import Memberships


class MessageRow(msgspec.Struct, frozen=True, gc=False):
    """A message in force, unless the archive has its id already."""

    record: Record
    event: MessagePosted


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """What a message has become, unless a later change is stored."""

    record: Record
    event: MessageChanged


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """That a person's standing changed at that record."""

    record: Record
    conversation: str
    change: Membership


@dataclass(frozen=True, slots=True)
class DeadRow:
    """A record that cannot be stored: a stable reason, and a sentence."""

    record: Record
    reason: str
    detail: str


@dataclass(slots=True)
class Batch:
    """What a run of records comes to. `next_offsets` is where each of its partitions goes on."""

    messages: list[MessageRow] = field(default_factory=list)
    changes: list[ChangeRow] = field(default_factory=list)
    intervals: list[IntervalRow] = field(default_factory=list)
    dead: list[DeadRow] = field(default_factory=list)
    void: int = 0
    copies: int = 0
    next_offsets: dict[int, int] = field(default_factory=dict)


def sort_records(records: Sequence[Record], memberships: Memberships) -> Batch:
    """Applies the membership records among them to `memberships`, and leaves void messages out."""
    batch = Batch()
    ids: set[str] = set()
    for record in records:
        batch.next_offsets[record.partition] = record.offset + 1
        try:
            event = decode(record)
        except BadRecord as error:
            batch.dead.append(DeadRow(record, *error.args))
            continue
        if isinstance(event, UserChanged):
            continue  # for gateways: PostgreSQL knew before the log did
        if isinstance(event, MembersChanged):
            batch.intervals += [IntervalRow(record, event.conversation, m) for m in memberships.apply(event)]
        elif memberships.is_removed(record.key, judged_sender(record.judge)):
            batch.void += 1
        elif isinstance(event, MessageChanged):
            batch.changes.append(ChangeRow(record, event))
        elif event.id in ids:
            batch.copies += 1
        else:
            ids.add(event.id)
            batch.messages.append(MessageRow(record, event))
    return batch


def decode(record: Record) -> Event:
    """The record's event; raises BadRecord(reason, sentence) for what no gateway would show either."""
    _check_shape(record)
    try:
        event = decode_record(record.value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRecord(_reason(record, error), str(error)) from error
    if isinstance(event, MembersChanged):
        if record.key != members_key(event.conversation):
            raise BadRecord("wrong_key", "the key is not members:<the conversation's id>")
        return event
    if isinstance(event, UserChanged):
        if record.key != user_key(event.user_id):
            raise BadRecord("wrong_key", "the key is not user:<the person's id>")
        return event
    _check_message(record, event)
    return event


def _check_shape(record: Record) -> None:
    if not record.key:
        raise BadRecord("no_key", "a record needs the key of its conversation")
    if not record.value:
        raise BadRecord("empty", "the record has no value")
    if len(record.key) != CONVERSATION_KEY_LENGTH and not record.key.startswith((MEMBERS_PREFIX, USER_PREFIX)):
        raise BadRecord("unknown_key", "the key is neither a conversation's nor members:<id> nor user:<id>")


def _reason(record: Record, error: Exception) -> str:
    if not isinstance(error, msgspec.ValidationError):
        return "bad_json"
    try:
        version = msgspec.json.decode(record.value, type=dict[str, msgspec.Raw]).get("v")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "bad_record"
    return "bad_record" if version is not None and bytes(version) == b"1" else "unknown_version"


def _check_message(record: Record, event: MessagePosted | MessageChanged) -> None:
    if not (is_message(record) if isinstance(event, MessagePosted) else is_change(record)):
        raise BadRecord("no_judge", "a message needs its header judge, version 1")
    judge = record.judge
    if (event.conversation.encode("ascii"), event.id) != (record.key, uuid_text(judged_id(judge))):
        raise BadRecord("mismatch", "key, header and value do not name the same message")
    if isinstance(event, MessageChanged):
        return
    if event.sender_id.replace("-", "") != judged_sender(judge).hex():
        raise BadRecord("mismatch", "header and value do not name the same sender")
    if judged_digest(judge) != digest(event.content, event.reply_to):
        raise BadRecord("mismatch", "the digest in the header is not that of the content")
