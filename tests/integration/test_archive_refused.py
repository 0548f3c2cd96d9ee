"""Rows that PostgreSQL refuses: each is found in its batch and set aside, and its neighbours are stored (D5)."""

from typing import Any

import msgspec
import pytest

from klatsch.archive.models import LogOffset
from klatsch.eventlog.log import Entry
from klatsch.persister.statements import Fenced
from tests.integration.shelf import NO_DATA, NO_ROW, Shelf, contents, letters, next_offset, said
from tests.support.records import (
    ANA,
    BOB,
    change_of,
    entry_of,
    in_group,
    posted,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("picky")]

ORIGINAL = posted(in_group(ANA), "hi", client_id="one")
REFUSED = [
    ("data", said(NO_DATA), "sqlstate_22012"),
    ("a row", said(NO_ROW), "sqlstate_23514"),
    ("data of somebody else", said(NO_DATA, BOB), "sqlstate_22012"),
    ("a row of somebody else", said(NO_ROW, BOB), "sqlstate_23514"),
]


@pytest.mark.parametrize(("bad", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
@pytest.mark.parametrize("around", [0, 1, 7])
def test_a_row_that_postgresql_refuses_is_found_and_its_neighbours_are_stored_with_it(
    shelf: Shelf, bad: Entry, reason: str, around: int
) -> None:
    before, after = ([said(f"{side} {n}") for n in range(around)] for side in ("before", "after"))
    assert shelf.put(*before, bad, *after) == 2 * around

    assert [seq for seq, _ in contents()] == list(range(1, 2 * around + 1))
    assert letters() == [(around, reason)]
    assert next_offset() == 2 * around + 1
    assert shelf.put(said("and on")) == 1


def test_every_refused_row_of_a_batch_is_found(shelf: Shelf) -> None:
    bad = [entry for _, entry, _ in REFUSED]
    assert shelf.put(bad[0], said("1"), bad[3], bad[1], said("2"), bad[2]) == 2

    assert contents() == [(1, "1"), (2, "2")]
    assert [offset for offset, _ in letters()] == [0, 2, 3, 5]


def test_refused_rows_and_copies_in_one_batch_are_each_what_they_are(shelf: Shelf) -> None:
    known = said("1")
    shelf.put(known)
    assert shelf.put(known, REFUSED[0][1], said("2"), known) == 1

    assert contents() == [(1, "1"), (2, "2")]
    assert letters() == [(2, "sqlstate_22012")]


def test_a_fenced_batch_with_a_refused_row_leaves_no_dead_letter(shelf: Shelf) -> None:
    LogOffset.objects.update(next_offset=9)
    with pytest.raises(Fenced):
        shelf.put(said("1"), REFUSED[0][1])

    assert (contents(), letters()) == ([], [])


def damaged_change(**fields: Any) -> Entry:
    change = change_of(ORIGINAL, "ho", position="1:0:0")
    value = msgspec.json.encode(msgspec.json.decode(change.value) | fields)
    return msgspec.structs.replace(change, value=value)


@pytest.mark.parametrize(
    "bad",
    [
        damaged_change(content=NO_DATA),
        damaged_change(content=NO_ROW),
    ],
    ids=["data", "a row"],
)
def test_a_change_that_postgresql_refuses_is_found_and_its_neighbours_are_stored_with_it(
    shelf: Shelf, bad: Entry
) -> None:
    other = posted(in_group(BOB), "2", client_id="two")
    shelf.put(entry_of(ORIGINAL))
    assert shelf.put(bad, entry_of(other), change_of(other, "2 changed", position="1:0:2")) == 1

    assert contents() == [(1, "hi"), (2, "2 changed")]
    assert [offset for offset, _ in letters()] == [1]
    assert letters()[0][1].startswith("sqlstate_2")
    assert next_offset() == 4


def test_a_refused_change_does_not_hide_the_one_before_it(shelf: Shelf) -> None:
    good = change_of(ORIGINAL, "good", position="1:0:0")
    shelf.put(entry_of(ORIGINAL))
    shelf.put(good, damaged_change(content=NO_DATA))

    assert (contents(), letters()) == ([(1, "good")], [(2, "sqlstate_22012")])


def test_a_refused_message_and_a_refused_change_are_both_found(shelf: Shelf) -> None:
    shelf.put(entry_of(ORIGINAL))
    assert shelf.put(REFUSED[0][1], damaged_change(content=NO_DATA), said("2")) == 1

    assert [offset for offset, _ in letters()] == [1, 2]
