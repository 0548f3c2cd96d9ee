"""Markers in the feed: pushed where they are higher, told again on resume, and shown only to whom they may be (D19)."""

from typing import Any

import msgspec

from klatsch.archive.markers import StoredMarker
from klatsch.core.metrics import SKIPPED, VOID
from klatsch.eventlog.log import Record
from klatsch.messaging.marks import Whose
from klatsch.records.keys import PERSON
from tests.support.gateway_parts import Parts
from tests.support.records import (
    ANA,
    BOB,
    CLEO,
    TEA,
    added,
    in_group,
    marked,
    members,
    message,
    records_of,
    removed,
    standing,
)
from tests.unit.feed_parts import Connection, Gateway


def told(connection: Connection) -> list[tuple[str, str | None, str | None]]:
    """Returns person and positions of the markers that a connection was pushed."""
    pushes: list[dict[str, Any]] = [frame["d"] for frame in connection.read() if frame.get("t") == "marker"]
    return [(push["user"], push["delivered"], push["read"]) for push in pushes]


def remembered(gateway: Gateway, key: bytes) -> list[int]:
    return sorted(record.offset for _, records in gateway.feed.recent.since({key}, [0]) for record in records)


def test_a_marker_is_pushed_to_every_member_and_to_the_persons_own_devices() -> None:
    gateway = Gateway()
    everybody = [gateway.connect(person) for person in (ANA, BOB, BOB)]
    gateway.read(records_of(message(in_group(ANA)), marked(BOB, read="1:0:0", delivered="1:0:0")))
    assert [told(connection) for connection in everybody] == [[("bob", "1:0:0", "1:0:0")]] * 3


def test_a_lower_marker_is_not_pushed_and_not_remembered() -> None:
    gateway = Gateway()
    ana = gateway.connect(ANA)
    said = [message(in_group(ANA)) for _ in range(3)]
    gateway.read(records_of(*said, marked(BOB, read="1:0:2"), marked(BOB, read="1:0:1")))
    assert told(ana) == [("bob", None, "1:0:2")]
    assert remembered(gateway, said[0].key) == [0, 1, 2, 3]


def test_what_only_the_person_may_see_goes_to_their_own_devices_and_is_remembered_for_these() -> None:
    gateway = Gateway()
    ana, bob, also_bob = (gateway.connect(person) for person in (ANA, BOB, BOB))
    said = message(in_group(ANA))
    gateway.read(records_of(said, marked(BOB, read="1:0:0", own_only=True)))
    assert [told(connection) for connection in (ana, bob, also_bob)] == [[], *[[("bob", None, "1:0:0")]] * 2]
    assert remembered(gateway, said.key) == [0]
    assert remembered(gateway, PERSON.of(BOB.user_id)) == [1]


def test_a_flag_goes_to_the_persons_own_devices() -> None:
    gateway = Gateway()
    bob = gateway.connect(BOB)
    gateway.read(records_of(message(in_group(ANA)), marked(BOB, unread_from="1:0:0", own_only=True)))
    assert [frame["d"].get("unread_from") for frame in bob.read()] == [None, "1:0:0"]
    assert remembered(gateway, PERSON.of(BOB.user_id)) == [1]


def test_a_removed_persons_marker_is_void() -> None:
    gateway = Gateway()
    ana = gateway.connect(ANA)
    before = VOID._value.get()
    gateway.read(records_of(message(in_group(ANA)), removed(BOB), marked(BOB, read="1:0:0")))
    assert (told(ana), VOID._value.get() - before) == ([], 1)


def test_a_blocked_persons_marker_goes_to_nobody_else() -> None:
    gateway = Gateway()
    ana, bob = gateway.connect(ANA), gateway.connect(BOB)
    blocked = standing(BOB, 2, active=True)
    blocked = type(blocked)(user="bob", user_id=BOB.user_id, active=True, role="member", version=2, blocked=True)
    gateway.read(records_of(message(in_group(ANA)), members(blocked), marked(BOB, read="1:0:0")))
    assert (told(ana), told(bob)) == ([], [("bob", None, "1:0:0")])


def test_a_marker_of_what_is_not_written_yet_or_of_another_partition_or_epoch_is_ignored() -> None:
    gateway = Gateway()
    ana = gateway.connect(ANA)
    gateway.read(
        records_of(
            message(in_group(ANA)), marked(BOB, read="1:0:7"), marked(BOB, read="1:1:0"), marked(BOB, read="2:0:0")
        )
    )
    assert told(ana) == []


def test_a_marker_whose_header_says_something_else_is_skipped_and_never_replayed() -> None:
    gateway = Gateway()
    said, mark, other = records_of(
        message(in_group(ANA)), marked(BOB, read="1:0:0"), marked(BOB, read="1:0:0", delivered="1:0:0")
    )
    forged = Record(0, 1, mark.key, mark.value, other.judge)
    gateway.read([said, forged])  # nobody listens yet
    assert gateway.feed.frames([forged]) == []
    ana = gateway.connect(ANA)
    gateway.read([Record(0, 2, mark.key, mark.value, other.judge)])
    assert told(ana) == []


def test_a_replay_tells_markers_again() -> None:
    gateway = Gateway()
    said = message(in_group(ANA))
    gateway.read(records_of(said, added(CLEO), marked(BOB, read="1:0:0")))
    [(_, records)] = gateway.feed.recent.since({said.key}, [2])
    [frame] = gateway.feed.frames(records)
    assert b'"t":"marker","pos":"1:0:2"' in frame


def test_a_marker_that_is_no_json_is_skipped_though_only_the_process_itself_holds_that_marker() -> None:
    """Nobody is connected any more. The marker stays held, and is told of what other gateways append."""
    parts = Parts()
    said, mark = records_of(message(in_group(ANA)), marked(BOB, read="1:0:0", delivered="1:0:0"))
    whose = Whose(str(TEA), BOB.name, BOB.user_id)
    parts.marking.load(whose, StoredMarker(BOB.name, 2, True, 1, 1, None, None, None, None))
    before = SKIPPED._value.get()
    parts.apply([said, Record(0, 1, mark.key, b"\xff{", mark.judge), Record(0, 2, mark.key, b"[" * 9_000, mark.judge)])
    assert SKIPPED._value.get() - before == 2

    parts.apply([msgspec.structs.replace(mark, offset=3)])
    held = parts.marking.find(whose)
    assert held is not None
    assert str(held.read) == "1:0:0"
