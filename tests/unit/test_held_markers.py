"""Markers in a gateway's memory: those that it keeps of a person, and a client that is told them (D19)."""

from collections.abc import Iterable, Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from klatsch.eventlog.log import Entry, Record
from klatsch.gateway.feed.held_markers import HeldMarkers, whose_marker
from klatsch.records.keys import PERSON
from klatsch_client.events import Marker
from klatsch_client.positions import Position as Place
from klatsch_client.view import View
from tests.support.records import ANA, BOB, TEA, in_group, marked, message, records_of
from tests.unit.feed_parts import Gateway

Shown = tuple[Place | None, Place | None, Place | None]


def shown(records: Iterable[Record]) -> Shown:
    """Returns delivered, read and flag of Ana's marker, as a client shows them after these records in this order."""
    view = View()
    for record in records:
        if b'"t":"marker"' in record.value:
            view.apply(Marker.parse(msgspec.json.decode(record.value)))
    marker = view.markers(str(TEA)).get(ANA.name)
    return (None, None, None) if marker is None else (marker.delivered, marker.read, marker.unread_from)


def remembered(gateway: Gateway, since: int) -> list[Record]:
    """Returns what a replay from there tells Ana, in its order."""
    keys = {str(TEA).encode(), PERSON.of(ANA.user_id)}
    found = [record for _, records in gateway.feed.recent.since(keys, [since]) for record in records]
    return sorted(found, key=lambda record: record.offset)


def held_offsets(*entries: Entry) -> list[int]:
    held, said = HeldMarkers(), [message(in_group(BOB)) for _ in range(10)]
    for record in records_of(*said, *entries)[len(said) :]:
        held.put(record.key, whose_marker(record), record)
    return [record.offset - len(said) for record in held.of(str(TEA).encode())]


def test_the_first_marker_of_the_highest_read_stays_beside_that_of_the_highest_delivered() -> None:
    first = marked(ANA, read="1:0:4", delivered="1:0:4")
    later = [marked(ANA, read="1:0:4", delivered=f"1:0:{offset}") for offset in (5, 6, 7)]
    assert held_offsets(first, *later) == [0, 3]
    assert held_offsets(first, *later, marked(ANA, read="1:0:8", delivered="1:0:8")) == [4]


def test_no_more_than_two_markers_of_a_person_are_held() -> None:
    marks = [marked(ANA, read=f"1:0:{8 - n}", delivered=f"1:0:{n}") for n in range(1, 8)]
    assert held_offsets(*marks) == [0, 6]


def test_a_flag_stays_where_a_marker_after_it_repeats_the_read() -> None:
    gateway = Gateway()
    said = [message(in_group(BOB)) for _ in range(5)]
    marks = [
        marked(ANA, read="1:0:3"),
        marked(ANA, unread_from="1:0:2", own_only=True),
        marked(ANA, read="1:0:3", delivered="1:0:4"),
    ]
    gateway.read(records_of(*said, *marks))
    assert shown(remembered(gateway, 5)) == (Place(1, 4, 0), Place(1, 3, 0), Place(1, 2, 0))


_READS, _DELIVERED, _FLAGS = (None, "1:0:1", "1:0:2"), ("1:0:2", "1:0:3", "1:0:4"), (None, "1:0:0", "1:0:1")
_MARKS = [marked(ANA, read=r, delivered=d, own_only=own) for r in _READS for d in _DELIVERED for own in (True, False)]
_MARKS += [marked(ANA, unread_from=flag, own_only=True) for flag in _FLAGS] * 4


@settings(max_examples=300)
@given(st.lists(st.sampled_from(_MARKS), min_size=3, max_size=8))
def test_a_client_that_resumes_anywhere_in_memory_shows_what_a_client_shows_that_stayed(marks: Sequence[Entry]) -> None:
    records = records_of(*[message(in_group(BOB)) for _ in range(5)], *marks)
    gateway = Gateway()
    gateway.read(records)
    for left in range(len(records) + 1):
        assert shown([*records[:left], *remembered(gateway, left)]) == shown(records)
