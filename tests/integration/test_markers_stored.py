"""Markers in the archive, through the persister on the real PostgreSQL: up to, monotonic, and exact (D19)."""

from uuid import UUID

import pytest

from klatsch.archive.models import DeadLetter, Marker
from tests.integration.shelf import Shelf
from tests.support.records import ANA, BOB, CLEO, TEA, added, in_group, marked, message, removed

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("ana_and_bob_in_tea")]


def marker(user_id: UUID = BOB.id) -> Marker:
    return Marker.objects.get(conversation_id=TEA, user_id=user_id)


def read(user_id: UUID = BOB.id) -> tuple[int, int]:
    """Returns offset and number of the last read message."""
    found = marker(user_id)
    return found.read_offset, found.read_seq


def test_a_marker_is_stored_and_a_lower_one_changes_nothing(shelf: Shelf) -> None:
    shelf.put(added(BOB), *(message(in_group(ANA)) for _ in range(3)))
    shelf.put(marked(BOB, read="1:0:2", delivered="1:0:3"))
    assert (read(), marker().delivered_offset, marker().changed_offset) == ((2, 2), 3, 4)
    shelf.put(marked(BOB, read="1:0:1", delivered="1:0:1"))
    assert (read(), marker().delivered_offset, marker().changed_offset) == ((2, 2), 3, 4)


def test_of_one_batch_the_highest_of_each_counts(shelf: Shelf) -> None:
    shelf.put(added(BOB), *(message(in_group(ANA)) for _ in range(3)))
    shelf.put(marked(BOB, read="1:0:3"), marked(BOB, read="1:0:1", delivered="1:0:2"), marked(BOB, delivered="1:0:1"))
    assert (read(), marker().delivered_offset) == ((3, 3), 2)


def test_a_position_beyond_the_last_message_is_that_of_the_last_message(shelf: Shelf) -> None:
    shelf.put(added(BOB), message(in_group(ANA)), marked(BOB, read="1:0:900"), message(in_group(ANA)))
    assert read() == (3, 2)


def test_a_position_between_two_messages_reads_up_to_the_first(shelf: Shelf) -> None:
    shelf.put(added(BOB), message(in_group(ANA)), added(CLEO), message(in_group(ANA)), marked(BOB, read="1:0:2"))
    assert read() == (2, 1)


def test_who_is_added_late_begins_at_the_record_that_added_them(shelf: Shelf) -> None:
    shelf.put(added(ANA), message(in_group(ANA)), message(in_group(ANA)), added(BOB), message(in_group(ANA)))
    assert (read(ANA.id), read()) == ((-1, 0), (-1, 2))


def test_who_is_added_again_begins_there_and_a_new_role_begins_nothing(shelf: Shelf) -> None:
    shelf.put(added(BOB), message(in_group(ANA)), removed(BOB), message(in_group(ANA)))
    assert (marker().active, marker().read_seq) == (False, 0)
    shelf.put(message(in_group(ANA)), added(BOB, 3), message(in_group(ANA)), added(BOB, 4), message(in_group(ANA)))
    assert (marker().active, marker().read_seq) == (True, 3)


def test_a_removed_persons_marker_is_void(shelf: Shelf) -> None:
    shelf.put(added(BOB), message(in_group(ANA)), removed(BOB), marked(BOB, read="1:0:1"))
    assert read() == (-1, 0)


def test_a_marker_of_somebody_who_was_never_a_member_is_left_out(shelf: Shelf) -> None:
    shelf.put(message(in_group(ANA)), marked(CLEO, read="1:0:0"), marked(BOB, read="1:0:0"))
    assert not Marker.objects.filter(user_id=CLEO.id).exists()
    assert (read(), DeadLetter.objects.count()) == ((0, 1), 0)


def test_unread_from_here_stays_until_the_next_higher_read_or_until_it_is_taken_back(shelf: Shelf) -> None:
    shelf.put(added(BOB), *(message(in_group(ANA)) for _ in range(4)), marked(BOB, read="1:0:3"))
    shelf.put(marked(BOB, unread_from="1:0:2", own_only=True))
    assert (marker().unread_offset, marker().unread_seq, marker().read_seq) == (2, 2, 3)
    shelf.put(marked(BOB, read="1:0:3", delivered="1:0:4"))
    assert marker().unread_offset == 2
    shelf.put(marked(BOB, read="1:0:4"))
    assert (marker().unread_offset, marker().unread_seq) == (None, None)
    shelf.put(marked(BOB, unread_from="1:0:1"), marked(BOB, unread_from=None))
    assert marker().unread_offset is None


def test_within_a_batch_the_flag_and_the_read_count_in_their_order(shelf: Shelf) -> None:
    shelf.put(added(BOB), *(message(in_group(ANA)) for _ in range(4)))
    shelf.put(marked(BOB, read="1:0:3"), marked(BOB, unread_from="1:0:2"))
    assert marker().unread_offset == 2
    shelf.put(marked(BOB, unread_from="1:0:1"), marked(BOB, read="1:0:4"))
    assert marker().unread_offset is None


def test_the_bound_of_activity_is_never_before_the_last_message(shelf: Shelf) -> None:
    shelf.put(added(ANA), added(BOB), message(in_group(ANA)))
    bounds = Marker.objects.values_list("active_at", flat=True)
    assert len(bounds) == 2
    assert all(bound.isoformat() >= "2026-11-23T20:00:00" for bound in bounds)
