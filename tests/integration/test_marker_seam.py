"""A person's flag "unread from here", told partly by the archive and partly by a gateway's memory (D7, D19)."""

import random
from collections.abc import Iterable, Iterator, Sequence

import msgspec
import pytest

from klatsch.archive.changes import Asked, Place, find_changes, read_page
from klatsch.archive.models import Marker
from klatsch.eventlog.log import Entry, Record
from klatsch.records.keys import PERSON
from klatsch_client.events import Marker as ClientMarker
from klatsch_client.positions import Position
from klatsch_client.view import View
from tests.integration.shelf import EPOCH, Shelf
from tests.support.records import ANA, BOB, TEA, added, in_group, marked, message
from tests.unit.feed_parts import Gateway

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("ana_and_bob_in_tea")]

KEYS = {str(TEA).encode(), PERSON.of(ANA.user_id)}
Shown = tuple[str | None, str | None]


def shown(told: Iterable[ClientMarker]) -> Shown:
    """Returns read and flag of Ana's marker, as a client shows them that was told these markers in this order."""
    view = View()
    for one in told:
        view.apply(one)
    marker = view.markers(str(TEA))[ANA.name]
    read, flag = marker.read, marker.unread_from
    return (None if read is None else f"1:0:{read.offset}", None if flag is None else f"1:0:{flag.offset}")


def markers_in(records: Iterable[Record]) -> list[ClientMarker]:
    return [
        ClientMarker.parse(msgspec.json.decode(record.value), Position(EPOCH, record.offset, record.partition))
        for record in records
        if b'"t":"marker"' in record.value
    ]


def archived(since: int, until: int) -> list[ClientMarker]:
    """Returns what the archive tells Ana of her marker where memory begins at `until`."""
    asked = [Asked(str(TEA), 0, since, until)]
    found = find_changes(user_id=ANA.id, epoch=EPOCH, asked=asked, each_most=500, most=500)
    if not found.asked:
        return []
    page = read_page(user_id=ANA.id, epoch=EPOCH, asked=found.asked, after=Place(-1, -1))
    return [ClientMarker.parse(msgspec.json.decode(msgspec.json.encode(marker))) for marker in page.markers]


def remembered(records: Sequence[Record], begins: int) -> list[ClientMarker]:
    """Returns what the memory of a gateway tells Ana that began to read the log there."""
    gateway = Gateway({0: begins})
    gateway.read(records[begins:])
    found = [one for _, kept in gateway.feed.recent.since(KEYS, [begins]) for one in kept]
    return markers_in(sorted(found, key=lambda record: record.offset))


def in_archive() -> Shown:
    stored = Marker.objects.get(conversation_id=TEA, user_id=ANA.id)
    read = None if stored.read_offset < 0 else f"1:0:{stored.read_offset}"
    return read, None if stored.unread_offset is None else f"1:0:{stored.unread_offset}"


def put(shelf: Shelf, *entries: Entry) -> list[Record]:
    records = shelf.records(*entries)
    shelf.store(records)
    return records


def told_in_every_split(shelf: Shelf, records: list[Record], entries: Iterable[Entry]) -> set[Shown]:
    """Returns what clients show that resumed after the entries, which are put one by one.

    A client left before `left`, and memory begins at `begins`. The archive is read whenever it has come at least there.
    """
    first, answers = len(records), []
    for entry in entries:
        records += put(shelf, entry)
        for begins in range(first + 1, len(records) + 1):
            answers += [(left, begins, archived(left, begins)) for left in range(first, begins)]
    memory = {begins: remembered(records, begins) for begins in range(first + 1, len(records) + 1)}
    return {shown([*markers_in(records[:left]), *told, *memory[begins]]) for left, begins, told in answers}


def test_after_read_flag_and_delivered_every_split_tells_the_flag(shelf: Shelf) -> None:
    said = put(shelf, added(ANA), added(BOB), *(message(in_group(BOB)) for _ in range(6)))
    marks = (
        marked(ANA, read="1:0:4", delivered="1:0:4"),
        marked(ANA, unread_from="1:0:3", own_only=True),
        marked(ANA, read="1:0:4", delivered="1:0:7"),
    )
    assert told_in_every_split(shelf, said, marks) == {in_archive()} == {("1:0:4", "1:0:3")}


def test_a_flag_that_was_taken_back_and_the_read_before_it_are_told_in_every_split(shelf: Shelf) -> None:
    said = put(shelf, added(ANA), added(BOB), *(message(in_group(BOB)) for _ in range(6)))
    marks = (
        marked(ANA, unread_from="1:0:3", own_only=True),
        marked(ANA, read="1:0:4", delivered="1:0:4"),
        marked(ANA, unread_from="1:0:2", own_only=True),
        marked(ANA, unread_from=None, own_only=True),
        marked(ANA, read="1:0:4", delivered="1:0:7"),
    )
    assert told_in_every_split(shelf, said, marks) == {in_archive()} == {("1:0:4", None)}


def test_a_flag_that_a_newer_message_was_read_after_stays_cleared_in_every_split(shelf: Shelf) -> None:
    said = put(shelf, added(ANA), added(BOB), *(message(in_group(BOB)) for _ in range(2)))
    flagged = marked(ANA, unread_from="1:0:2", own_only=True)
    entries = (flagged, message(in_group(BOB)), marked(ANA, read="1:0:5", delivered="1:0:5"))
    assert told_in_every_split(shelf, said, entries) == {in_archive()} == {("1:0:5", None)}


def test_a_flag_that_reading_an_older_message_cleared_stays_cleared_in_every_split(shelf: Shelf) -> None:
    said = put(shelf, added(ANA), added(BOB), *(message(in_group(BOB)) for _ in range(6)))
    marks = (
        marked(ANA, read="1:0:3", delivered="1:0:7"),
        marked(ANA, unread_from="1:0:2", own_only=True),
        marked(ANA, read="1:0:5", delivered="1:0:7"),
    )
    assert told_in_every_split(shelf, said, marks) == {in_archive()} == {("1:0:5", None)}


def as_people_do(chance: random.Random, last: int) -> Iterator[Entry]:
    """Yields what people do: they flag what they have read, so a read that rises after a flag is of a newer message."""
    read, offset = last, last + 1  # the record of that read
    for _ in range(7):
        offset += 1
        act = chance.choice(("said", "read", "delivered", "flag", "flag", "unflag"))
        if act == "said":
            last = offset
            yield message(in_group(BOB))
        elif act == "unflag" or (act == "flag" and read == last):
            yield marked(ANA, unread_from=f"1:0:{last}" if act == "flag" else None, own_only=True)
        else:
            read = read if act == "delivered" else last
            yield marked(ANA, read=f"1:0:{read}", delivered=f"1:0:{last}")


@pytest.mark.parametrize("seed", range(6))
def test_after_any_order_of_read_flag_and_delivered_every_split_tells_the_archives_flag(
    shelf: Shelf, seed: int
) -> None:
    before = put(
        shelf, added(ANA), added(BOB), message(in_group(BOB)), marked(ANA, read="1:0:2"), message(in_group(BOB))
    )
    before += put(shelf, marked(ANA, read="1:0:4", delivered="1:0:4"))
    assert told_in_every_split(shelf, before, as_people_do(random.Random(seed), 4)) == {in_archive()}


def anyhow(chance: random.Random, last: int) -> Iterator[Entry]:
    """Reads and flags of any message, of what was read before or not."""
    offset = last + 1
    for _ in range(7):
        offset += 1
        act = chance.choice(("said", "read", "delivered", "flag", "flag", "unflag"))
        place = f"1:0:{chance.randint(2, last)}"
        if act == "said":
            last = offset
            yield message(in_group(BOB))
        elif act in ("flag", "unflag"):
            yield marked(ANA, unread_from=place if act == "flag" else None, own_only=True)
        else:
            yield marked(ANA, read=place if act == "read" else None, delivered=f"1:0:{last}")


@pytest.mark.parametrize("seed", range(6))
def test_after_any_reads_and_flags_every_split_tells_the_archives_flag(shelf: Shelf, seed: int) -> None:
    before = put(shelf, added(ANA), added(BOB), *(message(in_group(BOB)) for _ in range(3)))
    before += put(shelf, marked(ANA, read="1:0:3", delivered="1:0:4"))
    assert told_in_every_split(shelf, before, anyhow(random.Random(seed), 4)) == {in_archive()}
