"""Sorting records into what is stored: what cannot be read is a dead letter, copies and voids are left out (D5)."""

import itertools
from collections.abc import Sequence
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from klatsch.eventlog.log import Entry, Record
from klatsch.persister.batch import Batch, sort_records
from klatsch.records.decoding import BadRecord, decode
from klatsch.records.header import NEW_MESSAGE, make_header
from klatsch.records.judge import Memberships
from klatsch.records.messages import digest
from tests.support.records import (
    ANA,
    BOB,
    CLEO,
    COFFEE,
    TEA,
    added,
    change_of,
    direct,
    ended,
    entry_of,
    in_group,
    members,
    message,
    place,
    posted,
    records_of,
    removed,
    standing,
)

EVENT = posted(in_group(ANA), "hi", client_id="one")
GOOD = entry_of(EVENT)


def sort(*entries: Entry, memberships: Memberships | None = None) -> Batch:
    return sort_records(records_of(*entries), memberships or Memberships())


def contents(batch: Batch) -> list[str]:
    return [row.event.content for row in batch.messages]


def with_value(entry: Entry, **fields: object) -> Entry:
    value = msgspec.json.encode(msgspec.json.decode(entry.value) | fields)
    return msgspec.structs.replace(entry, value=value)


def with_judge(entry: Entry, judge: bytes) -> Entry:
    return msgspec.structs.replace(entry, judge=judge)


def with_key(entry: Entry, key: bytes) -> Entry:
    return msgspec.structs.replace(entry, key=key)


def said(content: str, **fields: str) -> Entry:
    """Returns a message that only a foreign producer can have written: its header, key and digest are right."""
    event = posted(in_group(ANA), content, client_id="foreign", reply_to=fields.get("reply_to"))
    return entry_of(msgspec.structs.replace(event, **fields))


SENDER = ANA.id.bytes
ID = UUID(EVENT.id).bytes
CHANGE = change_of(EVENT, "ho", position="1:0:0")

POISON = [
    (with_key(GOOD, b""), "no_key"),
    (msgspec.structs.replace(GOOD, value=b""), "empty"),
    (with_key(GOOD, b"somewhere"), "unknown_key"),
    (with_key(GOOD, b"user:" + ANA.user_id.encode()), "no_judge"),
    (msgspec.structs.replace(GOOD, value=b"\xff\xfe\0\0"), "bad_json"),
    (msgspec.structs.replace(GOOD, value=b'{"t":"message"'), "bad_json"),
    (msgspec.structs.replace(GOOD, value=b'{"x":' + b"[" * 100_000), "bad_json"),
    (msgspec.structs.replace(GOOD, value=GOOD.value + b"x"), "bad_json"),
    (msgspec.structs.replace(GOOD, value=GOOD.value.replace(b'"hi"', b'"\\ud800"')), "bad_json"),
    (msgspec.structs.replace(GOOD, value=b"null"), "bad_record"),
    (with_value(GOOD, content=7), "bad_record"),
    (with_value(GOOD, content=""), "bad_record"),
    (with_value(GOOD, id="one"), "bad_record"),
    (with_value(GOOD, t="dance"), "bad_record"),
    (said("before\0after"), "bad_record"),
    (said("\0"), "bad_record"),
    (said("hi", sent_at="2026-13-45T00:00:00.000Z"), "bad_record"),
    (said("hi", sent_at="2026-02-30T00:00:00.000Z"), "bad_record"),
    (said("hi", sent_at="0000-01-01T00:00:00.000Z"), "bad_record"),
    (said("hi", sent_at="2026-11-23T20:00:60.000Z"), "bad_record"),
    (said("hi", sent_at="2026-11-23T20:00:00.000Z\n"), "bad_record"),
    (said("hi", sent_at="٢٠٢٦-11-23T20:00:00.000Z"), "bad_record"),
    (said("hi", reply_to=f"{TEA}\n"), "bad_record"),
    (said("hi", receiver_id=f"{BOB.user_id}\n"), "bad_record"),
    (with_value(CHANGE, content="before\0after"), "bad_record"),
    (with_value(CHANGE, reactions={"\0": ["ana"]}), "bad_record"),
    (with_value(CHANGE, edited_at="2026-13-45T00:00:00.000Z"), "bad_record"),
    (with_value(GOOD, v=2), "unknown_version"),
    (with_value(GOOD, v=2, t="dance"), "unknown_version"),
    (with_judge(GOOD, b""), "no_judge"),
    (with_judge(GOOD, GOOD.judge[:-1]), "no_judge"),
    (with_judge(GOOD, b"\x09" + GOOD.judge[1:]), "no_judge"),
    (with_judge(GOOD, CHANGE.judge), "no_judge"),
    (with_judge(CHANGE, GOOD.judge), "no_judge"),
    (with_key(GOOD, str(COFFEE).encode()), "mismatch"),
    (with_value(GOOD, conversation=str(COFFEE)), "mismatch"),
    (with_value(GOOD, id=str(TEA)), "mismatch"),
    (with_value(GOOD, sender_id=BOB.user_id), "mismatch"),
    (with_value(GOOD, content="other"), "mismatch"),
    (with_value(GOOD, reply_to=str(TEA)), "mismatch"),
    (with_judge(GOOD, make_header(NEW_MESSAGE, ID, BOB.id.bytes, digest("hi", None))), "mismatch"),
    (with_judge(GOOD, make_header(NEW_MESSAGE, SENDER, SENDER, digest("hi", None))), "mismatch"),
    (with_value(CHANGE, conversation=str(COFFEE)), "mismatch"),
    (with_key(added(ANA), str(TEA).encode()), "wrong_key"),
    (with_key(added(ANA), b"members:" + str(COFFEE).encode()), "wrong_key"),
    (with_key(added(ANA), b"members:"), "wrong_key"),
    (with_value(added(ANA), v=3), "unknown_version"),
    (with_value(added(ANA), members=[{}]), "bad_record"),
    (with_key(GOOD, b"members:" + str(TEA).encode()), "no_judge"),
    (with_key(ended(ANA, "phone"), b"user:" + BOB.user_id.encode()), "wrong_key"),
    (with_key(ended(ANA, "phone"), ANA.user_id.encode()), "wrong_key"),
    (with_value(ended(ANA, "phone"), v=2), "unknown_version"),
    (with_value(ended(ANA, "phone"), credentials="some"), "bad_record"),
]


@pytest.mark.parametrize(("entry", "reason"), POISON, ids=[f"{n}-{reason}" for n, (_, reason) in enumerate(POISON)])
def test_a_record_that_cannot_be_read_is_a_dead_letter_with_its_reason(entry: Entry, reason: str) -> None:
    before, after = message(in_group(ANA), "before"), message(in_group(ANA), "after")
    batch = sort(before, entry, after)

    assert [(row.record.offset, row.reason) for row in batch.dead] == [(1, reason)]
    assert batch.dead[0].detail
    assert len(reason) <= 40
    assert contents(batch) == ["before", "after"]
    assert batch.next_offsets == {0: 3}


@given(st.binary(max_size=60), st.binary(max_size=200), st.binary(max_size=60))
def test_any_bytes_are_an_event_or_a_bad_record(key: bytes, value: bytes, judge: bytes) -> None:
    with pytest.raises(BadRecord):
        decode(Record(0, 0, key, value, judge))


@given(st.data())
def test_any_damage_to_a_record_is_a_bad_record_or_none(data: st.DataObject) -> None:
    record = place(data.draw(st.sampled_from([GOOD, CHANGE, added(ANA)])), 0)
    field = data.draw(st.sampled_from(["key", "value", "judge"]))
    raw: bytes = getattr(record, field)
    at = data.draw(st.integers(0, len(raw)))
    damaged = raw[:at] + data.draw(st.binary(max_size=3)) + raw[at + data.draw(st.integers(0, 3)) :]
    try:
        decode(msgspec.structs.replace(record, **{field: damaged}))
    except BadRecord as bad:
        reason, sentence = bad.args
        assert reason
        assert sentence


def test_messages_are_sorted_in_the_order_of_the_log() -> None:
    batch = sort(message(in_group(ANA), "1"), message(direct(ANA, BOB), "2"), message(in_group(BOB), "3"))
    assert contents(batch) == ["1", "2", "3"]
    assert batch.dead == []


def test_a_copy_in_the_same_batch_is_left_out_even_with_another_body() -> None:
    again = message(in_group(ANA), "original", client_id="one")
    batch = sort(again, again, message(in_group(ANA), "other body", client_id="one"))

    assert contents(batch) == ["original"]
    assert batch.next_offsets == {0: 3}


def test_what_a_removed_person_appends_is_void_from_the_removal_on() -> None:
    batch = sort(
        message(in_group(ANA), "before"),
        removed(ANA),
        message(in_group(ANA), "void"),
        message(in_group(BOB), "another's"),
        message(in_group(ANA, COFFEE), "elsewhere"),
        change_of(EVENT, "void too", position="1:0:0", actor=ANA),
        added(ANA, 3),
        message(in_group(ANA), "back"),
    )

    assert contents(batch) == ["before", "another's", "elsewhere", "back"]
    assert batch.void == 2
    assert batch.changes == []


def test_a_void_message_does_not_make_the_one_sent_again_a_copy() -> None:
    batch = sort(
        removed(ANA),
        message(in_group(ANA), "hi", client_id="one"),
        added(ANA, 3),
        message(in_group(ANA), "hi", client_id="one"),
    )
    assert [row.record.offset for row in batch.messages] == [3]


def test_a_removal_in_one_batch_holds_in_the_next() -> None:
    memberships = Memberships()
    sort(removed(ANA), memberships=memberships)

    assert contents(sort(message(in_group(ANA)), message(in_group(BOB), "ho"), memberships=memberships)) == ["ho"]


def test_each_standing_that_is_not_overtaken_is_an_interval() -> None:
    memberships = Memberships()
    sort(removed(BOB, 4), memberships=memberships)
    several = members(standing(ANA, 1, active=True), standing(BOB, 3, active=True), standing(CLEO, 2, active=False))
    batch = sort(several, memberships=memberships)

    assert [(row.change.user, row.change.version, row.change.active) for row in batch.intervals] == [
        ("ana", 1, True),
        ("cleo", 2, False),
    ]
    assert {row.conversation for row in batch.intervals} == {str(TEA)}


def test_what_concerns_a_persons_credentials_is_passed_over() -> None:
    batch = sort(ended(ANA, "phone"), ended(ANA))
    assert (batch.messages, batch.intervals, batch.dead, batch.void) == ([], [], [], 0)
    assert list(batch.next_offsets.values()) == [2]


def test_changes_are_kept_with_their_records() -> None:
    batch = sort(GOOD, CHANGE)
    assert [(row.record.offset, row.event.content) for row in batch.changes] == [(1, "ho")]


def test_each_partition_goes_on_after_its_last_record() -> None:
    records = [
        *(Record(0, 5, b"", b"", b""), Record(2, 9, b"", b"", b"")),
        *(Record(0, 6, b"", b"", b""), Record(1, 0, b"", b"", b"")),
    ]
    assert sort_records(records, Memberships()).next_offsets == {0: 7, 1: 1, 2: 10}


entries = st.lists(
    st.sampled_from(
        [
            *(message(in_group(p), f"{p.name} {n}", client_id=str(n)) for p in (ANA, BOB) for n in range(3)),
            *(removed(ANA, 2), added(ANA, 3), removed(ANA, 4), removed(BOB, 2), added(BOB, 3)),
            *(entry for entry, _ in POISON[:3]),
        ]
    ),
    max_size=20,
)


def in_force(batches: Sequence[Batch]) -> list[str]:
    """Returns the contents of all batches, with what the archive would know as copies left out."""
    return list(dict.fromkeys(row.event.content for batch in batches for row in batch.messages))


@given(entries, st.lists(st.integers(0, 20), max_size=3))
def test_where_the_log_is_cut_into_batches_makes_no_difference(taken: list[Entry], cuts: list[int]) -> None:
    records = records_of(*taken)
    whole = sort_records(records, Memberships())
    memberships = Memberships()
    edges = [0, *sorted(min(cut, len(records)) for cut in cuts), len(records)]
    parts = [sort_records(records[a:b], memberships) for a, b in itertools.pairwise(edges)]

    assert in_force(parts) == in_force([whole])
    assert sum(part.void for part in parts) == whole.void
    assert sum(len(part.dead) for part in parts) == len(whole.dead)
