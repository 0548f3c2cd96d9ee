"""The feed answers senders and pushes to everybody else, as every other gateway that reads the same log (D4, D9)."""

import json

import msgspec

from klatsch.core.clock import timestamp
from klatsch.core.metrics import DELIVERED
from klatsch.eventlog.log import Record
from klatsch.records.header import judged_id
from klatsch.records.messages import digest
from tests.support.records import (
    ANA,
    BOB,
    CLEO,
    NOW_MS,
    TEA,
    added,
    change_of,
    entry_of,
    fresh_client_id,
    in_group,
    message,
    posted,
    records_of,
    removed,
)
from tests.unit.feed_parts import Gateway, codes, message_id


def test_the_sender_gets_ok_and_no_push_and_another_connection_gets_the_push() -> None:
    gateway = Gateway()
    ana, also_ana, bob = (gateway.connect(p) for p in (ANA, ANA, BOB))
    said = message(in_group(ANA), "hi")
    gateway.await_answer(ana, said, re=7)
    gateway.read(records_of(said))

    assert ana.read() == [{"re": 7, "ok": {"id": message_id(said), "position": "1:0:0", "duplicate": False}}]
    for other in (also_ana, bob):
        [push] = other.read()
        assert (push["t"], push["pos"], push["d"]["content"]) == ("message", "1:0:0", "hi")


def test_a_copy_is_answered_with_the_originals_position_and_pushed_to_nobody() -> None:
    gateway = Gateway()
    ana, bob = gateway.connect(ANA), gateway.connect(BOB)
    said = message(in_group(ANA), "hi")
    original, other, copy = records_of(said, message(in_group(BOB), "ho"), said)
    gateway.read([original, other])
    ana.read()
    bob.read()
    gateway.await_answer(ana, said, re=8)
    gateway.read([copy])

    assert ana.read() == [{"re": 8, "ok": {"id": message_id(said), "position": "1:0:0", "duplicate": True}}]
    assert bob.read() == []


def test_a_retry_that_waits_when_another_process_original_comes_is_told_that_it_is_a_duplicate() -> None:
    gateway = Gateway()
    ana, bob = gateway.connect(ANA), gateway.connect(BOB)
    first = posted(in_group(ANA), "hi", client_id="one")
    again = entry_of(msgspec.structs.replace(first, sent_at=timestamp(NOW_MS + 1_000)))
    original, copy = records_of(entry_of(first), again)
    gateway.await_answer(ana, again, re=8)
    gateway.read([original])

    assert ana.read() == [{"re": 8, "ok": {"id": first.id, "position": "1:0:0", "duplicate": True}}]
    gateway.read([copy])
    assert ana.read() == []
    assert len(bob.read()) == 1


def test_another_body_under_the_same_id_is_a_conflict_for_everybody_alike() -> None:
    gateway = Gateway()
    ana, bob = gateway.connect(ANA), gateway.connect(BOB)
    first = message(in_group(ANA), "stands", client_id="one")
    second = message(in_group(ANA), "falls", client_id="one")
    gateway.await_answer(ana, second, re=9)
    records = records_of(first, second)
    gateway.read(records[:1])

    push, answer = ana.read()  # whose body fell is shown the one that stands
    assert (push["t"], push["d"]["content"]) == ("message", "stands")
    assert (answer["re"], codes([answer])) == (9, ["conflict"])
    gateway.read(records[1:])
    assert ana.read() == []
    assert [push["d"]["content"] for push in bob.read()] == ["stands"]


def test_another_body_that_comes_after_the_original_is_a_conflict_too() -> None:
    gateway = Gateway()
    ana = gateway.connect(ANA)
    first, second = (message(in_group(ANA), body, client_id="one") for body in ("stands", "falls"))
    original, copy = records_of(first, second)
    gateway.read([original])
    ana.read()
    gateway.await_answer(ana, second)
    gateway.read([copy])

    assert codes(ana.read()) == ["conflict"]


def test_a_removed_sender_is_rejected_and_nobody_sees_it() -> None:
    gateway = Gateway()
    ana, bob = gateway.connect(ANA), gateway.connect(BOB)
    late = message(in_group(ANA), "late")
    records = records_of(removed(ANA), late)
    gateway.read(records[:1])
    ana.read()
    bob.read()
    gateway.await_answer(ana, late)
    gateway.read(records[1:])

    assert codes(ana.read()) == ["not_a_member"]
    assert bob.read() == []


def test_a_void_message_that_is_sent_again_by_a_member_is_no_copy() -> None:
    gateway = Gateway()
    bob = gateway.connect(BOB)
    said = message(in_group(ANA), "hi")
    gateway.read(records_of(removed(ANA), said, added(ANA, 3), said))

    assert [frame["pos"] for frame in bob.read() if frame["t"] == "message"] == ["1:0:3"]


def test_a_rejection_goes_to_the_append_that_is_void_and_a_retry_that_stands_later_is_ok() -> None:
    gateway = Gateway()
    bob = gateway.connect(BOB)
    name = fresh_client_id()
    first, again = (
        entry_of(posted(in_group(BOB), "hi", client_id=name, now_ms=NOW_MS + after_ms)) for after_ms in (0, 3_000)
    )
    gateway.await_answer(bob, again, re=7)  # the connection that sent it first is gone
    gateway.read(records_of(removed(BOB), first, added(BOB, 3), again))

    [answer] = [frame for frame in bob.read() if "re" in frame]
    assert (answer["re"], answer["ok"]["position"], answer["ok"]["duplicate"]) == (7, "1:0:3", False)


def test_a_change_is_pushed_to_everybody_who_sees_the_conversation() -> None:
    gateway = Gateway()
    ana, cleo = gateway.connect(ANA), gateway.connect(CLEO, member=False)
    original = posted(in_group(ANA), "hi", client_id="one")
    gateway.read(records_of(entry_of(original), change_of(original, "ho", position="1:0:0")))

    _, push = ana.read()
    assert (push["t"], push["pos"], push["d"]["content"]) == ("message_changed", "1:0:1", "ho")
    assert cleo.read() == []


def test_a_change_by_somebody_who_was_removed_is_void() -> None:
    gateway = Gateway()
    bob = gateway.connect(BOB)
    original = posted(in_group(ANA), "hi", client_id="one")
    gateway.read(records_of(removed(ANA), change_of(original, "ho", position="1:0:0")))

    assert [frame["t"] for frame in bob.read()] == ["members"]


def test_the_same_send_twice_in_a_row_is_answered_twice_and_counted_never_below_nothing() -> None:
    gateway = Gateway()
    ana = gateway.connect(ANA)
    said = message(in_group(ANA), "hi")
    for re in (1, 2):
        gateway.await_answer(ana, said, re=re)
    delivered = DELIVERED._value.get()
    gateway.read(records_of(said, said))

    assert [(frame["re"], frame["ok"]["duplicate"]) for frame in ana.read()] == [(1, False), (2, True)]
    assert DELIVERED._value.get() == delivered


def test_a_sender_who_has_left_is_no_reason_to_count_less() -> None:
    gateway = Gateway()
    ana, bob = gateway.connect(ANA), gateway.connect(BOB)
    said = message(in_group(ANA), "hi")
    gateway.await_answer(ana, said)
    gateway.hub.leave(ana.person, ana.outbox)
    delivered = DELIVERED._value.get()
    gateway.read(records_of(said))

    assert len(bob.read()) == 1
    assert DELIVERED._value.get() == delivered + 1


def test_after_unknown_the_message_is_a_push_like_any_other() -> None:
    gateway = Gateway()
    ana = gateway.connect(ANA)
    said = message(in_group(ANA), "hi")
    gateway.await_answer(ana, said)
    gateway.pending.take(judged_id(said.judge))  # as Sending.give_up does
    gateway.read(records_of(said))

    assert [frame["t"] for frame in ana.read()] == ["message"]


def test_offsets_are_the_next_ones_to_read_in_every_partition() -> None:
    gateway = Gateway({0: 5, 1: 0, 2: 7})
    said = message(in_group(ANA))
    gateway.read(
        [Record(0, 5, said.key, said.value, said.judge), Record(2, 9, b"", b"", b"")]
    )  # 7 and 8 are no records

    assert gateway.feed.offsets == [6, 0, 10]
    assert gateway.feed.has_reached({0: 6, 1: 0})
    assert not gateway.feed.has_reached({1: 1})


def test_a_batch_is_written_to_each_socket_once() -> None:
    gateway = Gateway()
    bob = gateway.connect(BOB)
    gateway.read(records_of(*(message(in_group(ANA), str(n)) for n in range(20))))

    assert bob.peer.writes == 1
    assert [frame["d"]["content"] for frame in bob.read()] == [str(n) for n in range(20)]


def test_a_record_is_forwarded_verbatim() -> None:
    gateway = Gateway()
    bob = gateway.connect(BOB)
    said = message(in_group(ANA), 'quote " backslash \\ tea 🫖\nnew line')
    gateway.read(records_of(said))

    shown = bob.read()[0]["d"]
    for name, value in json.loads(said.value).items():
        assert shown[name] == value


def test_a_digest_of_another_reply_is_another_body() -> None:
    gateway = Gateway()
    ana = gateway.connect(ANA)
    said = message(in_group(ANA), "hi")
    gateway.await_answer(ana, said, body=digest("hi", str(TEA)))
    gateway.read(records_of(said))

    assert [frame.get("t") or frame["err"]["code"] for frame in ana.read()] == ["message", "conflict"]
