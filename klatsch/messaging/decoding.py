"""What a record says, or why it is none of ours (D5). Persisters make dead letters by these rules, and gateways skip by
them, so that nobody is shown what nobody stores.
"""

import re
from collections.abc import Callable
from typing import Any, Final, Union, get_args

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
    if event.sender_id.replace("-", "") != judged_sender(judge).hex():
        raise BadRecord("mismatch", "header and value do not name the same sender")
    if judged_digest(judge) != digest(event.content, event.reply_to):
        raise BadRecord("mismatch", "the digest in the header is not that of the content")


# A gateway asks of every message of the log whether it is one. Most of what decoding it takes is its patterns, tried
# one after the other: so it is decoded without them, and they are tried in one go.


def is_sound_message(record: Record) -> bool:
    """Whether `decode` would return the MessagePosted of this record, which is one by its key and header."""
    try:
        event = _decode_plain(record.value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    if type(event) is not _Plain:
        return False
    judge, mid, sender, conversation = record.judge, event.id, event.sender_id, event.conversation
    texts, count = f"{event.client_id}\0{conversation}\0{event.sent_at}", 0
    for one in (event.receiver_id, event.reply_to):
        if one is not None:
            texts, count = f"{texts}\0{one}", count + 1
    return (
        _PATTERNS[count].fullmatch(texts) is not None
        and conversation.encode("ascii") == record.key
        # Both are hexadecimal, as they equal the header, and have their four dashes where these belong.
        and (mid + sender).replace("-", "") == judge[1:33].hex()
        and len(mid) == len(sender) == _UUID_LENGTH
        and mid[8:24:5] == sender[8:24:5] == "----"
        and judged_digest(judge) == digest(event.content, event.reply_to)
    )


def _pattern_of(kind: Any) -> str:
    """The pattern of a field's type, which may be optional; empty where it has none."""
    metas = [meta for one in (kind, *get_args(kind)) for meta in getattr(one, "__metadata__", ())]
    return next((meta.pattern for meta in metas if meta.pattern), "")


def _bare(field: msgspec.structs.FieldInfo) -> tuple[str, Any, Any]:
    """The field without its pattern."""
    kind: Any = field.type
    if _pattern_of(kind):
        kind = Union[str, None] if type(None) in get_args(kind) else str  # noqa: UP007 - it is a value here
    return field.name, kind, field.default


def _whole(name: str) -> str:
    """The pattern of a field, to stand beside others: `$` also matches before a last line end."""
    pattern = _pattern_of(_FIELDS[name].type)
    return f"(?:{pattern.removeprefix('^').removesuffix('$').replace('(-', '(?:-')})\n?"


_UUID_LENGTH: Final = 36
_FIELDS: Final = {field.name: field for field in msgspec.structs.fields(MessagePosted)}
_Plain: Any = msgspec.defstruct(
    "_Plain", [_bare(field) for field in _FIELDS.values()], frozen=True, tag_field="t", tag="message", gc=False
)
_decode_plain: Callable[[bytes], Any] = msgspec.json.Decoder(
    Union[_Plain, MessageChanged, MembersChanged, UserChanged]  # noqa: UP007 - a type that is made here
).decode
# None of them matches a NUL, so the number of texts is that of the fields.
_PATTERNS: Final = [
    re.compile("\0".join([_whole("client_id"), _whole("conversation"), _whole("sent_at"), *ids]))
    for ids in ([_whole("reply_to")] * count for count in range(3))
]
