"""What a record says, or why it is none of ours (D5). Persisters make dead letters by these rules, and gateways skip by
them, so that nobody is shown what nobody stores.
"""

import msgspec

from klatsch.core.ids import uuid_text
from klatsch.eventlog.log import Record
from klatsch.records.messages import (
    CONVERSATION_KEY_LENGTH,
    MEMBERS_PREFIX,
    USER_PREFIX,
    BadRecord,
    Event,
    MembersChanged,
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
    if event.sender_id != uuid_text(judged_sender(judge)):
        raise BadRecord("mismatch", "header and value do not name the same sender")
    if judged_digest(judge) != digest(event.content, event.reply_to):
        raise BadRecord("mismatch", "the digest in the header is not that of the content")


def is_sound_message(record: Record) -> bool:
    """Returns whether `decode` finds a new message in this record."""
    try:
        return isinstance(decode(record), MessagePosted)
    except BadRecord:
        return False
