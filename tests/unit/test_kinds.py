"""A kind of record is one row: with it, it is judged, answered, pushed, stored and documented (D21)."""

import pytest

from klatsch.core.ids import uuid_text
from klatsch.eventlog.log import Record
from klatsch.gateway.language.asyncapi.document import async_document
from klatsch.persister.batch import ChangeRow, sort_records
from klatsch.records.decoding import BadRecord, decode, is_sound
from klatsch.records.header import DIGEST, judged_id
from klatsch.records.judge import Memberships
from klatsch.records.kind import Fold
from klatsch.records.kinds import KINDS
from klatsch.records.schemas import record_schemas
from tests.support.documents import asyncapi_errors
from tests.support.kinds import BYTE, REWRITTEN, WITH_REWRITTEN, rewrite
from tests.support.records import ANA, BOB, entry_of, fresh_client_id, in_group, posted, records_of, removed
from tests.unit.feed_parts import Gateway

SAID = posted(in_group(ANA), "hi", client_id=fresh_client_id())


def test_its_sender_is_answered_everybody_else_gets_the_push_and_a_copy_gets_the_first_place() -> None:
    gateway = Gateway(kinds=WITH_REWRITTEN)
    ana, bob = gateway.connect(ANA), gateway.connect(BOB)
    change = rewrite(SAID, "Hi!", ANA, "first")
    gateway.await_answer(ana, change, re=7)
    gateway.read(records_of(entry_of(SAID), change))

    own_id = uuid_text(judged_id(change.judge))
    assert ana.read()[1:] == [{"re": 7, "ok": {"id": own_id, "position": "1:0:1", "duplicate": False}}]
    [_, push] = bob.read()
    assert (push["t"], push["pos"], push["d"]["id"], push["d"]["content"]) == (
        "message_rewritten", "1:0:1", SAID.id, "Hi!"
    )  # fmt: skip

    gateway.await_answer(ana, change, re=8)
    gateway.read([Record(0, 2, change.key, change.value, change.judge)])
    assert ana.read() == [{"re": 8, "ok": {"id": own_id, "position": "1:0:1", "duplicate": True}}]
    assert bob.read() == []


def test_two_changes_of_one_message_are_two_and_another_body_under_one_name_is_a_conflict() -> None:
    gateway = Gateway(kinds=WITH_REWRITTEN)
    ana, bob = gateway.connect(ANA), gateway.connect(BOB)
    first, second, other = (
        rewrite(SAID, content, ANA, name) for content, name in (("1", "one"), ("2", "two"), ("3", "one"))
    )
    gateway.await_answer(ana, other, re=9)
    gateway.read(records_of(first, second, other))

    assert [push["d"]["content"] for push in bob.read()] == ["1", "2"]
    assert [frame["err"]["code"] for frame in ana.read() if "re" in frame] == ["conflict"]


def test_after_its_actors_removal_it_is_void_for_gateways_and_persister_alike() -> None:
    gateway = Gateway(kinds=WITH_REWRITTEN)
    ana, bob = gateway.connect(ANA), gateway.connect(BOB)
    change = rewrite(SAID, "Hi!", ANA, "first")
    records = records_of(entry_of(SAID), removed(ANA), change)
    gateway.await_answer(ana, change, re=7)
    gateway.read(records)

    assert [frame["err"]["code"] for frame in ana.read() if "re" in frame] == ["not_a_member"]
    assert [push["t"] for push in bob.read()] == ["message", "members"]
    batch = sort_records(records, Memberships(), WITH_REWRITTEN)
    assert (batch.void, batch.changes) == (1, [])


def test_the_persister_folds_it_into_the_message_that_it_names_and_counts_a_copy_once() -> None:
    change = rewrite(SAID, "Hi!", ANA, "first")
    records = records_of(entry_of(SAID), change, change)
    batch = sort_records(records, Memberships(), WITH_REWRITTEN)
    assert isinstance(REWRITTEN.storing, Fold)
    assert batch.changes == [ChangeRow(records[1], REWRITTEN.storing, decode(records[1], WITH_REWRITTEN))]
    assert (batch.copies, batch.dead) == (1, [])


@pytest.mark.parametrize("at", [1, 17, 33, 49, 64], ids=["id", "actor", "digest", "target", "last byte"])
def test_only_what_the_value_says_too_is_held_against_the_header(at: int) -> None:
    change = rewrite(SAID, "Hi!", ANA, "first")
    judge = bytearray(change.judge)
    judge[at] ^= 1
    record = Record(0, 0, change.key, change.value, bytes(judge))
    is_named_in_the_value = at >= DIGEST.start
    assert is_sound(record, REWRITTEN, WITH_REWRITTEN) is not is_named_in_the_value


def test_without_its_target_it_is_none() -> None:
    change = rewrite(SAID, "Hi!", ANA, "first")
    for judge in (change.judge[:49], change.judge + b"!", b""):
        with pytest.raises(BadRecord, match="no_judge"):
            decode(Record(0, 0, change.key, change.value, judge), WITH_REWRITTEN)


def test_who_does_not_know_it_skips_it_and_makes_it_a_dead_letter() -> None:
    gateway = Gateway()
    bob = gateway.connect(BOB)
    records = records_of(entry_of(SAID), rewrite(SAID, "Hi!", ANA, "first"))
    gateway.read(records)
    assert [push["t"] for push in bob.read()] == ["message"]
    [dead] = sort_records(records, Memberships()).dead
    assert dead.record == records[1]


def test_its_push_its_record_and_its_schema_are_in_the_documents() -> None:
    document = async_document(WITH_REWRITTEN)
    assert asyncapi_errors(document) == []
    messages = document["components"]["messages"]
    assert messages["message_rewritten"]["payload"]["$ref"].endswith("/MessageRewrittenPush")
    [example] = messages["record_message_rewritten"]["examples"]
    assert example["headers"]["judge"].startswith(f"{BYTE:02x}")
    assert {"$ref": "#/channels/socket/messages/message_rewritten"} in document["operations"]["push"]["messages"]
    assert set(record_schemas(WITH_REWRITTEN)) - set(record_schemas(KINDS)) == {"message_rewritten.v1"}
