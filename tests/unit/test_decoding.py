"""Gateways skip what persisters refuse, and nothing else, whatever stands in the log (D4, D5)."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from klatsch.eventlog.log import Record
from klatsch.messaging.decoding import decode, is_sound_message
from klatsch.messaging.events import BadRecord, MessagePosted, is_message
from tests.contract.talk import (
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


def is_sound(record: Record) -> bool:
    """By the rules of the persister."""
    try:
        return isinstance(decode(record), MessagePosted)
    except BadRecord:
        return False


def with_value(record: Record, value: bytes) -> Record:
    return Record(record.partition, record.offset, record.key, value, record.judge)


def changed(record: Record, **fields: Any) -> Record:
    return with_value(record, json.dumps(json.loads(record.value) | fields).encode())


records = st.builds(
    record_of,
    to_bob=st.booleans(),
    reply_to=st.none() | st.just(REPLY),
    content=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50),
)
names = st.sampled_from([*MessagePosted.__struct_fields__, "t", "unknown"])
ids = st.sampled_from([REPLY, ANA.user_id, BOB.user_id])
odd = st.sampled_from(["", "-", "\n", "\0", "٣", "é", "A"])
values = st.one_of(
    st.none(),
    st.integers(0, 2),
    st.booleans(),
    st.text(max_size=5),
    ids,
    st.builds(lambda one, end: one + end, ids, odd),
    st.builds(lambda one, two: f"{one}\0{two}", ids, ids),
    st.just("2026-11-23T20:00:00.000Z\n"),
    st.just("٢٠٢٦-11-23T20:00:00.000Z"),
    st.just("2026-11-23T20:00:00.000Z\0" + REPLY),
    st.just("x" * 4_001),
    st.lists(st.none(), max_size=1),
)
mutations = st.one_of(
    st.tuples(st.just("set"), names, values),
    st.tuples(st.just("drop"), names, st.none()),
    st.tuples(st.just("append"), names, odd),
    st.tuples(st.just("move dash"), st.sampled_from(["id", "sender_id", "conversation"]), st.integers(0, 35)),
    st.tuples(st.just("upper"), names, st.none()),
)


def mutate(record: Record, how: str, name: str, value: Any) -> Record:
    fields = json.loads(record.value)
    old = fields.get(name)
    if how == "set":
        fields[name] = value
    elif how == "drop":
        fields.pop(name, None)
    elif isinstance(old, str) and how == "append":
        fields[name] = old + value
    elif isinstance(old, str) and how == "upper":
        fields[name] = old.upper()
    elif isinstance(old, str) and how == "move dash":
        bare = old.replace("-", "", 1)
        fields[name] = f"{bare[:value]}-{bare[value:]}"
    return with_value(record, json.dumps(fields).encode())


@given(records, st.lists(mutations, max_size=3))
def test_a_gateway_takes_for_a_message_what_a_persister_does(record: Record, steps: list[tuple[str, str, Any]]) -> None:
    for how, name, value in steps:
        record = mutate(record, how, name, value)
    assert is_message(record)
    assert is_sound_message(record) == is_sound(record)


@given(records, st.binary(max_size=60))
@example(record_of(), b"\xff{}")
@example(record_of(), b"[" * 5_000)
@example(record_of(), b"")
@example(record_of(), b"null")
def test_a_value_of_any_bytes_is_judged_alike(record: Record, value: bytes) -> None:
    assert is_sound_message(with_value(record, value)) == is_sound(with_value(record, value))


@given(records, st.integers(0, 400), st.integers(0, 255))
def test_a_byte_that_is_another_is_judged_alike(record: Record, at: int, byte: int) -> None:
    value = bytearray(record.value)
    value[at % len(value)] = byte
    broken = with_value(record, bytes(value))
    assert is_sound_message(broken) == is_sound(broken)


@given(records, st.integers(1, 48), st.integers(1, 255))
def test_a_header_that_is_another_is_judged_alike(record: Record, at: int, flip: int) -> None:
    judge = bytearray(record.judge)
    judge[at] ^= flip
    other = Record(0, 0, record.key, record.value, bytes(judge))
    assert is_sound_message(other) == is_sound(other)
    assert not is_sound_message(other)


@given(records)
def test_what_we_write_is_sound(record: Record) -> None:
    assert is_sound_message(record)
    assert is_sound(record)


@pytest.mark.parametrize("key", [b"members:" + b"0" * 28, b"7EA00000-0000-4000-8000-000000000001", bytes(36)])
def test_a_key_of_the_right_length_alone_makes_no_message(key: bytes) -> None:
    sound = record_of()
    text = key.decode()
    record = Record(0, 0, key, changed(sound, conversation=text).value, sound.judge)
    assert is_message(record)
    assert is_sound_message(record) == is_sound(record) == False  # noqa: E712 - both


def test_another_kind_of_record_under_a_messages_key_is_none() -> None:
    for value in (removed(BOB).value, message(in_group(BOB)).value.replace(b'"t":"message",', b"")):
        other = with_value(record_of(), value)
        assert is_sound_message(other) == is_sound(other) == False  # noqa: E712 - both
