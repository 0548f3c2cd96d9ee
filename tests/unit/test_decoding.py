"""A record is a message only if key, header and value agree, whatever stands in the log (D4, D5)."""

import functools
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from klatsch.eventlog.log import Record
from klatsch.records.decoding import BadRecord, decode, is_sound
from klatsch.records.kinds import KINDS, MESSAGE
from tests.support.records import (
    ANA,
    BOB,
    TEA,
    direct,
    entry_of,
    fresh_client_id,
    in_group,
    message,
    place,
    posted,
    removed,
)

REPLY = str(TEA)


def record_of(*, to_bob: bool = False, reply_to: str | None = None, content: str = "hi") -> Record:
    access = direct(ANA, BOB) if to_bob else in_group(ANA)
    event = posted(access, content, client_id=fresh_client_id(), reply_to=reply_to)
    return place(entry_of(event), 0)


def with_value(record: Record, value: bytes) -> Record:
    return Record(record.partition, record.offset, record.key, value, record.judge)


def changed(record: Record, **fields: Any) -> Record:
    return with_value(record, json.dumps(json.loads(record.value) | fields).encode())


records = st.builds(
    record_of,
    to_bob=st.booleans(),
    reply_to=st.none() | st.just(REPLY),
    content=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=50),
)
ids = st.sampled_from(["id", "conversation", "sender_id"])


@given(records)
def test_what_we_write_is_sound(record: Record) -> None:
    assert KINDS.find(record) is MESSAGE
    assert is_sound(record, MESSAGE)


@given(records, st.binary(max_size=60))
@example(record_of(), b"\xff{}")
@example(record_of(), b"[" * 5_000)
@example(record_of(), b"")
@example(record_of(), b"null")
def test_a_value_of_any_bytes_is_refused(record: Record, value: bytes) -> None:
    assert not is_sound(with_value(record, value), MESSAGE)


@given(records, ids, st.sampled_from(["", "-", "\n", "\0", "é", "7ea00000-0000-4000-8000-00000000ffff"]))
def test_a_value_that_names_another_message_conversation_or_sender_is_refused(
    record: Record, name: str, other: str
) -> None:
    assert not is_sound(changed(record, **{name: other}), MESSAGE)
    assert not is_sound(changed(record, **{name: json.loads(record.value)[name] + other + "-"}), MESSAGE)


@pytest.mark.parametrize("lengthen", [["conversation"], ["members", 0, "user_id"]], ids=str)
def test_a_membership_record_whose_id_has_a_line_end_is_refused(lengthen: list[Any]) -> None:
    event = json.loads(removed(BOB).value)
    inner = functools.reduce(lambda value, name: value[name], lengthen[:-1], event)
    inner[lengthen[-1]] += "\n"
    record = Record(0, 0, b"members:" + event["conversation"].encode(), json.dumps(event).encode(), b"")
    with pytest.raises(BadRecord, match="bad_record"):
        decode(record)


@given(records, st.integers(1, 48), st.integers(1, 255))
def test_a_header_that_is_another_is_refused(record: Record, at: int, flip: int) -> None:
    judge = bytearray(record.judge)
    judge[at] ^= flip
    assert not is_sound(Record(0, 0, record.key, record.value, bytes(judge)), MESSAGE)


@pytest.mark.parametrize("key", [b"members:" + b"0" * 28, b"7EA00000-0000-4000-8000-000000000001", bytes(36)])
def test_a_key_of_the_right_length_alone_makes_no_message(key: bytes) -> None:
    sound = record_of()
    record = Record(0, 0, key, changed(sound, conversation=key.decode()).value, sound.judge)
    assert KINDS.find(record) is MESSAGE
    assert not is_sound(record, MESSAGE)


def test_another_kind_of_record_under_a_messages_key_is_none() -> None:
    for value in (removed(BOB).value, message(in_group(BOB)).value.replace(b'"t":"message",', b"")):
        assert not is_sound(with_value(record_of(), value), MESSAGE)
