"""Markers in any order and any batches: clients and the archive have the highest of each, which never falls (D19)."""

import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faults.bugs.planting import plant
from faults.bugs.replacing import put_back
from klatsch.eventlog.log import Entry, Record
from klatsch.persister.batch import MarkerRow
from klatsch.persister.marker_statements import merge_markers
from klatsch.records.decoding import decode
from klatsch.records.header import MARKER
from klatsch.records.markers import MarkerMoved
from tests.support.records import ANA, BOB, CLEO, Somebody, in_group, marked, message, records_of
from tests.unit.feed_parts import Gateway

_MESSAGES: Final = 8
Marks = list[tuple[Somebody, int | None, int | None]]
Highest = dict[tuple[str, str], int]
places = st.none() | st.integers(0, _MESSAGES - 1)
marks = st.lists(st.tuples(st.sampled_from([ANA, BOB]), places, places), max_size=20)


def log_of(said: Marks) -> list[Record]:
    entries: list[Entry] = [message(in_group(ANA)) for _ in range(_MESSAGES)]
    for who, read, delivered in said:
        if read is not None or delivered is not None:
            entries.append(marked(who, read=_text(read), delivered=_text(delivered)))
    return records_of(*entries)


def _text(offset: int | None) -> str | None:
    return None if offset is None else f"1:0:{offset}"


def highest(said: Marks) -> Highest:
    """Returns the documented outcome: of each position, the highest."""
    found: Highest = {}
    for who, read, delivered in said:
        for name, offset in (("read", read), ("delivered", delivered)):
            if offset is not None:
                found[who.user_id, name] = max(offset, found.get((who.user_id, name), -1))
    return found


def raised(held: Highest, user_id: str, told: Iterable[tuple[str, str | None]]) -> bool:
    """Takes the positions of a push; returns whether any is higher than the known one."""
    higher = False
    for name, position in told:
        offset = -1 if position is None else int(position.split(":")[2])
        if offset > held.get((user_id, name), -1):
            held[user_id, name], higher = offset, True
    return higher


def shown(records: Sequence[Record], size: int) -> Highest:
    """Returns what a client of a feed has, which is told nothing that it knows."""
    gateway, held = Gateway(), Highest()
    listener = gateway.connect(CLEO)
    for first in range(0, len(records), size):
        gateway.read(records[first : first + size])
    for frame in listener.read():
        if frame.get("t") == "marker":
            body = frame["d"]
            told = [(name, body.get(name)) for name in ("read", "delivered")]
            assert raised(held, body["user_id"], told), "a push that says nothing new"
    return held


def stored(records: Sequence[Record], size: int) -> Highest:
    """Returns what the archive has after batches of that size; a row changes only by what is higher."""
    held: Highest = {}
    for first in range(0, len(records), size):
        rows = [row for record in records[first : first + size] if (row := _row(record)) is not None]
        for one in merge_markers(rows):
            for name, position in (("read", one.read), ("delivered", one.delivered)):
                if position.offset >= 0:
                    held[one.user_id, name] = max(position.offset, held.get((one.user_id, name), -1))
    return held


def _row(record: Record) -> MarkerRow | None:
    event = decode(record)
    return MarkerRow(record, event) if record.judge[0] == MARKER and isinstance(event, MarkerMoved) else None


@given(marks, st.integers(1, 20))
def test_everybody_has_the_highest_of_each(said: Marks, size: int) -> None:
    records = log_of(said)
    assert stored(records, size) == highest(said)
    assert shown(records, size) == highest(said)


@pytest.fixture
def bug() -> Iterator[None]:
    """Plants a marker that moves back, which is gone afterwards."""
    plant("marker_moves_back")
    yield
    put_back()


@pytest.mark.usefixtures("bug")
def test_a_marker_that_moves_back_is_found() -> None:
    numbers = random.Random(1)
    for _ in range(50):
        said: Marks = [(ANA, numbers.randrange(_MESSAGES), None) for _ in range(6)]
        if stored(log_of(said), 6) != highest(said):
            return
    pytest.fail("not found in 50 logs")
