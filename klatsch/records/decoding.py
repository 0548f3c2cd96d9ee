"""Decodes records, or says why a record is not one of Klatsch's (D5).

Persisters make dead letters by these rules and gateways skip by them, so that no client is shown a record that is not
stored.
"""

from typing import Any, Final

import msgspec

from klatsch.eventlog.log import Record
from klatsch.records.kind import Header, Kinds, RecordKind
from klatsch.records.kinds import KINDS
from klatsch.records.values import is_time

_NUL: Final = b"\\u0000"
_BACKSLASH: Final = b"\\\\"
"""JSON's escaped backslash: it is removed first, as the text after it is no escape."""


class BadRecord(ValueError):
    """A record that is not one of Klatsch's: a stable reason, and a sentence."""


def decode(record: Record, kinds: Kinds = KINDS) -> Any:
    """Returns the struct of the record's kind; raises BadRecord(reason, sentence)."""
    _check_shape(record, kinds)
    try:
        event = kinds.decode(record.value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRecord(_reason(record, error), str(error)) from error
    kind = kinds.of(event)
    if kind.header is not None:
        if kinds.find(record) is not kind:
            raise BadRecord("no_judge", f"a record of this kind ({kind.name}) needs its header judge")
        _check_header(record, kind, kind.header, event)
        _check_storable(record, kind, event)
    elif record.key != kind.key.of(getattr(event, kind.key.field)):
        raise BadRecord("wrong_key", f"the key is not {kind.key.prefix.decode()}<{kind.key.field}>")
    return event


def is_sound(record: Record, kind: RecordKind, kinds: Kinds = KINDS) -> bool:
    """Returns whether `decode` finds a record of that kind."""
    try:
        return kinds.of(decode(record, kinds)) is kind
    except BadRecord:
        return False


def _check_shape(record: Record, kinds: Kinds) -> None:
    if not record.key:
        raise BadRecord("no_key", "a record needs the key of its conversation")
    if not record.value:
        raise BadRecord("empty", "the record has no value")
    if not kinds.is_known_key(record.key):
        raise BadRecord(
            "unknown_key", "the key is neither a conversation's nor members:<id>, user:<id> or invitations:<id>"
        )


def _check_header(record: Record, kind: RecordKind, header: Header, event: Any) -> None:
    if record.key != kind.key.of(getattr(event, kind.key.field)):
        raise BadRecord("mismatch", f"key and value do not name the same {kind.key.field}")
    for name, (part, value_of) in header.parts.items():
        if record.judge[part] != value_of(event):
            raise BadRecord("mismatch", f"header and value do not have the same {name}")


def _check_storable(record: Record, kind: RecordKind, event: Any) -> None:
    """Refuses values that pass the schema but that PostgreSQL cannot store as they were written."""
    if _NUL in record.value and _NUL in record.value.replace(_BACKSLASH, b""):
        raise BadRecord("bad_record", "a text has the character NUL, which cannot be stored")
    for name in kind.times:
        value = getattr(event, name)
        if value is not None and not is_time(value):
            raise BadRecord("bad_record", f"{name} is no time")


def _reason(record: Record, error: Exception) -> str:
    if not isinstance(error, msgspec.ValidationError):
        return "bad_json"
    try:
        version = msgspec.json.decode(record.value, type=dict[str, msgspec.Raw]).get("v")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "bad_record"
    return "bad_record" if version is not None and bytes(version) == b"1" else "unknown_version"
