"""Changed messages that come whole, as of a dead letter that was stored late: the newest state stands (D6)."""

import pytest

from klatsch.archive.models import Message
from klatsch.persister.batch import sort_records
from klatsch.persister.storing import Archive
from klatsch.records.judge import Memberships
from tests.integration.shelf import EPOCH, Shelf, contents, next_offset
from tests.support.kinds import WITH_REWRITTEN, rewrite
from tests.support.records import (
    ANA,
    change_of,
    entry_of,
    in_group,
    posted,
    records_of,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("world")]

ORIGINAL = posted(in_group(ANA), "hi", client_id="one")


def test_a_change_makes_the_message_what_it_says(shelf: Shelf) -> None:
    shelf.put(entry_of(ORIGINAL))
    shelf.put(change_of(ORIGINAL, "ho", position="1:0:0"))

    stored = Message.objects.get()
    assert (stored.content, stored.offset, stored.seq) == ("ho", 0, 1)
    assert (stored.changed_epoch, stored.changed_offset) == (EPOCH, 1)
    assert stored.edited_at is not None


def test_a_kind_that_the_table_has_since_today_is_stored_by_what_its_row_says(archive: Archive) -> None:
    said, first, other, last = records_of(
        entry_of(ORIGINAL),
        rewrite(ORIGINAL, "1", ANA, "one"),
        change_of(ORIGINAL, "whole", position="1:0:0"),
        rewrite(ORIGINAL, "2", ANA, "two"),
    )
    archive.store(sort_records([said], Memberships(), WITH_REWRITTEN), {0: 0})
    archive.store(sort_records([first, other, last], Memberships(), WITH_REWRITTEN), {0: 1})

    stored = Message.objects.get()
    assert (stored.content, stored.changed_offset, stored.seq) == ("2", 3, 1)


def test_a_change_is_applied_only_when_it_is_newer(shelf: Shelf) -> None:
    shelf.put(entry_of(ORIGINAL), change_of(ORIGINAL, "late", position="1:0:0"))
    Message.objects.update(changed_offset=99)
    shelf.put(change_of(ORIGINAL, "overtaken", position="1:0:0"))
    assert contents() == [(1, "late")]

    Message.objects.update(changed_epoch=0, changed_offset=99)
    shelf.put(change_of(ORIGINAL, "newest", position="1:0:0"))
    assert contents() == [(1, "newest")]


def test_of_several_changes_in_a_batch_the_last_one_stands(shelf: Shelf) -> None:
    shelf.put(entry_of(ORIGINAL), *(change_of(ORIGINAL, text, position="1:0:0") for text in ("1", "2", "3")))

    assert (contents(), Message.objects.get().changed_offset) == ([(1, "3")], 3)


def test_a_change_of_nothing_that_is_archived_is_nothing(shelf: Shelf) -> None:
    shelf.put(change_of(ORIGINAL, "ho", position="1:0:0"))

    assert (contents(), next_offset()) == ([], 1)
