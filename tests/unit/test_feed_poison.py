"""Poison in the feed: records that the persister would refuse are skipped, and displace no good record."""

import json

import msgspec
import pytest

from klatsch.core.metrics import SKIPPED
from klatsch.eventlog.log import Entry, Record
from klatsch.gateway.language.protocol import unwire
from tests.support.records import ANA, BOB, change_of, entry_of, in_group, message, posted, records_of
from tests.unit.feed_parts import POISON, Gateway, message_id


@pytest.mark.parametrize("poison", POISON)
def test_poison_between_good_records_is_skipped(poison: Entry) -> None:
    gateway = Gateway()
    bob = gateway.connect(BOB)
    before, after = message(in_group(ANA), "before"), message(in_group(ANA), "after")
    bad = Record(0, 1, poison.key, poison.value, poison.judge)
    first, _, last = records_of(before, before, after)
    gateway.read([first, bad, last])

    assert [frame["d"]["content"] for frame in bob.read()] == ["before", "after"]
    assert gateway.feed.offsets == [3]


@pytest.mark.parametrize("value", [b"", b"no JSON", b"{}", b'{"t":"message","v":1}'])
def test_what_the_persister_would_refuse_is_shown_to_nobody_and_takes_nobodys_place(value: bytes) -> None:
    gateway = Gateway()
    ana, bob = gateway.connect(ANA), gateway.connect(BOB)
    said = message(in_group(ANA), "hi")
    gateway.await_answer(ana, said)
    before = SKIPPED._value.get()
    gateway.read(records_of(Entry(said.key, value, said.judge), said))

    assert ana.read() == [{"re": 1, "ok": {"id": message_id(said), "position": "1:0:1", "duplicate": False}}]
    assert [frame["pos"] for frame in bob.read()] == ["1:0:1"]
    assert [r.offset for _, found in gateway.feed.recent.since({said.key}, [0]) for r in found] == [1]
    assert SKIPPED._value.get() == before + 1


@pytest.mark.parametrize("value", [b"", b"no JSON", b"{}", b'{"t":"message","v":1}'])
def test_a_refused_record_that_nobody_heard_takes_nobodys_place_and_is_not_replayed(value: bytes) -> None:
    gateway = Gateway()
    said = message(in_group(ANA), "hi")
    bad, good = records_of(Entry(said.key, value, said.judge), said)
    gateway.read([bad])
    found = [record for _, records in gateway.feed.recent.since({said.key}, [0]) for record in records]
    assert gateway.feed.frames(found) == []

    bob = gateway.connect(BOB)
    gateway.read([good])
    assert [frame["pos"] for frame in bob.read()] == ["1:0:1"]
    found = [record for _, records in gateway.feed.recent.since({said.key}, [0]) for record in records]
    told = b"".join(gateway.feed.frames(found))
    assert [json.loads(payload)["pos"] for payload in unwire(told)] == ["1:0:1"]


@pytest.mark.parametrize("fields", [{"content": "before\0after"}, {"sent_at": "2026-13-45T00:00:00.000Z"}])
def test_a_text_or_a_time_that_the_archive_cannot_hold_is_shown_to_nobody(fields: dict[str, str]) -> None:
    gateway = Gateway()
    bob = gateway.connect(BOB)
    written = posted(in_group(ANA), fields.get("content", "hi"), client_id="foreign")
    gateway.read(records_of(entry_of(msgspec.structs.replace(written, **fields)), message(in_group(ANA), "hi")))

    assert [frame["pos"] for frame in bob.read()] == ["1:0:1"]


def test_what_this_process_appended_is_not_decoded_again() -> None:
    gateway = Gateway()
    ana = gateway.connect(ANA)
    odd = Entry(message(in_group(ANA), "hi").key, b"as it was appended", message(in_group(ANA), "hi").judge)
    gateway.await_answer(ana, odd)
    gateway.read(records_of(odd))

    assert [frame["ok"]["duplicate"] for frame in ana.read()] == [False]


def test_a_change_that_the_persister_would_refuse_is_shown_to_nobody() -> None:
    gateway = Gateway()
    bob = gateway.connect(BOB)
    edit = change_of(posted(in_group(ANA), "hi", client_id="one"), "ho", position="1:0:0")
    gateway.read(records_of(Entry(edit.key, b"no JSON", edit.judge), edit))

    assert [frame["pos"] for frame in bob.read()] == ["1:0:1"]
