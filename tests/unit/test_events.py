"""The records: what is encoded is decoded alike, what the schema forbids is refused, and headers say who and what."""

import string
import tracemalloc
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from klatsch.eventlog.log import Record
from klatsch.eventlog.places import Position
from klatsch.records.decoding import BadRecord, decode
from klatsch.records.header import NEW_MESSAGE, judged_actor, judged_digest, judged_id, make_header
from klatsch.records.keys import MEMBERS
from klatsch.records.kinds import KINDS, MEMBERS_CHANGED, MESSAGE, MESSAGE_CHANGED
from klatsch.records.members import MembersChanged, Membership
from klatsch.records.messages import MessageChanged, MessagePosted, digest
from klatsch.records.values import encode
from tests.support.records import ANA, BOB, TEA, added, change_of, direct, entry_of, in_group, message, place, posted

uuids = st.uuids().map(str)
client_ids = st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=64)
usernames = st.text(min_size=1, max_size=30)
contents = st.text(min_size=1, max_size=200)
times = st.datetimes().map(lambda time: time.isoformat(timespec="milliseconds") + "Z")
said = {
    "id": uuids,
    "client_id": client_ids,
    "conversation": uuids,
    "sender": usernames,
    "sender_id": uuids,
    "receiver": st.none() | usernames,
    "receiver_id": st.none() | uuids,
    "content": contents,
    "sent_at": times,
    "reply_to": st.none() | uuids,
}
messages = st.builds(MessagePosted, **said)
changes = st.builds(
    MessageChanged,
    **said,
    position=st.builds(Position, st.integers(0, 99), st.integers(0, 99), st.integers(0, 2**63 - 1)).map(str),
    edited_at=st.none() | times,
    deleted=st.booleans(),
    reactions=st.dictionaries(usernames, st.lists(usernames, max_size=3), max_size=3),
)
standings = st.builds(
    Membership,
    user=usernames,
    user_id=uuids,
    active=st.booleans(),
    role=st.sampled_from(["owner", "admin", "member"]),
    version=st.integers(1, 2**31 - 1),
)
memberships = st.builds(
    MembersChanged,
    conversation=uuids,
    kind=st.sampled_from(["direct", "group"]),
    title=st.text(max_size=200),
    members=st.lists(standings, max_size=4),
)


@given(messages | changes | memberships)
def test_what_is_encoded_is_decoded_alike(event: msgspec.Struct) -> None:
    assert KINDS.decode(encode(event)) == event


@given(messages)
def test_a_value_is_one_json_object_that_ends_with_its_brace(event: MessagePosted) -> None:
    value = encode(event)

    assert (value[:1], value[-1:]) == (b"{", b"}")
    assert msgspec.json.decode(value)["t"] == "message"


GOOD: dict[str, Any] = msgspec.json.decode(encode(posted(in_group(ANA), "hi", client_id="one", reply_to=str(TEA))))


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("id", "1"),
        ("id", GOOD["id"].upper()),
        ("id", None),
        ("client_id", ""),
        ("client_id", "a b"),
        ("client_id", "x" * 65),
        ("conversation", "tea"),
        ("sender", 1),
        ("sender_id", None),
        ("receiver_id", ""),
        ("content", ""),
        ("content", "x" * 4001),
        ("content", ["hi"]),
        ("sent_at", "2026-11-23T20:00:00Z"),
        ("sent_at", "2026-11-23T20:00:00.000+01:00"),
        ("sent_at", 1_795_464_000_000),
        ("reply_to", "that one"),
        ("v", 2),
        ("v", "1"),
        ("t", "msg"),
    ],
)
def test_a_value_outside_the_schema_is_refused(field: str, bad: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        KINDS.decode(msgspec.json.encode(GOOD | {field: bad}))


@pytest.mark.parametrize(
    "field", ["id", "client_id", "conversation", "sender_id", "receiver_id", "sent_at", "reply_to"]
)
def test_a_refused_value_is_not_remembered(field: str) -> None:
    tracemalloc.start()
    try:
        for number in range(100):
            with pytest.raises(msgspec.ValidationError):
                KINDS.decode(msgspec.json.encode(GOOD | {field: f"{number} " + "x" * 100_000}))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000


@pytest.mark.parametrize("field", ["id", "client_id", "conversation", "sender", "sender_id", "content", "sent_at"])
def test_a_value_without_a_field_that_it_needs_is_refused(field: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        KINDS.decode(msgspec.json.encode({name: value for name, value in GOOD.items() if name != field}))


def test_fields_that_a_later_version_may_add_are_ignored() -> None:
    assert KINDS.decode(msgspec.json.encode(GOOD | {"mood": "good"})) == KINDS.decode(msgspec.json.encode(GOOD))


@given(st.uuids(), st.uuids(), st.binary(min_size=16, max_size=16))
def test_the_judge_header_gives_back_id_sender_and_digest(message_id: UUID, sender: UUID, body: bytes) -> None:
    header = make_header(NEW_MESSAGE, message_id.bytes, sender.bytes, body)

    assert len(header) == 49
    assert judged_id(header) == message_id.bytes
    assert judged_actor(header) == sender.bytes
    assert judged_digest(header) == body


def test_message_change_and_membership_are_told_apart_by_key_and_header_alone() -> None:
    original = posted(in_group(ANA), "hi", client_id="one")
    said_record = place(entry_of(original), 0)
    changed_record = place(change_of(original, "ho", position="1:0:0"), 1)
    members_record = place(added(ANA), 2)

    found = [KINDS.find(record) for record in (said_record, changed_record, members_record)]
    assert found == [MESSAGE, MESSAGE_CHANGED, MEMBERS_CHANGED]


@given(st.binary(max_size=60), st.binary(max_size=70))
def test_a_record_of_any_bytes_is_of_a_kind_only_with_its_key_and_header(key: bytes, judge: bytes) -> None:
    kind = KINDS.find(Record(0, 0, key, b"{}", judge))
    assert kind is None or key.startswith(kind.key.prefix)
    assert kind is None or kind.header is None or (judge[0], len(judge)) == (kind.header.byte, kind.header.length)


@given(contents, contents, st.none() | uuids, st.none() | uuids)
def test_digests_are_alike_exactly_where_the_bodies_are(
    one: str, other: str, reply_to: str | None, other_reply_to: str | None
) -> None:
    same_body = (one, reply_to) == (other, other_reply_to)
    assert (digest(one, reply_to) == digest(other, other_reply_to)) == same_body
    assert len(digest(one, reply_to)) == 16


def test_a_direct_message_names_its_receiver_and_a_group_message_none() -> None:
    to_bob = KINDS.decode(message(direct(ANA, BOB)).value)
    to_tea = KINDS.decode(message(in_group(ANA)).value)

    assert isinstance(to_bob, MessagePosted)
    assert isinstance(to_tea, MessagePosted)
    assert (to_bob.receiver, to_bob.receiver_id) == ("bob", BOB.user_id)
    assert (to_tea.receiver, to_tea.receiver_id) == (None, None)


def test_membership_records_live_in_the_partition_of_their_conversation() -> None:
    said_record, members_record = place(message(in_group(ANA)), 0, partitions=12), place(added(BOB), 1, partitions=12)
    assert said_record.partition == members_record.partition


@given(memberships)
def test_a_membership_record_is_read_under_the_key_of_its_own_conversation(event: MembersChanged) -> None:
    assert decode(Record(0, 0, MEMBERS.of(event.conversation), encode(event), b"")) == event


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"members:somewhere", added(ANA).value),
        (str(TEA).encode(), added(ANA).value),
        (MEMBERS.of(str(TEA)), b""),
        (MEMBERS.of(str(TEA)), b"{}"),
        (MEMBERS.of(str(TEA)), b"\xff\xfe"),
        (MEMBERS.of(str(TEA)), b"[" * 100_000),
        (MEMBERS.of(str(TEA)), message(in_group(ANA)).value),
        (MEMBERS.of(str(TEA)), added(ANA).value.replace(b'"v":1', b'"v":2')),
        (MEMBERS.of(str(TEA)), added(ANA).value.replace(b'"version":1', b'"version":0')),
    ],
)
def test_any_other_record_is_a_bad_membership_record(key: bytes, value: bytes) -> None:
    with pytest.raises(BadRecord):
        decode(Record(0, 0, key, value, b""))
