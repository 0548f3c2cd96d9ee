"""Markers that have moved since a place in the log, read from the archive (D7) on the real PostgreSQL."""

from uuid import UUID, uuid4

import pytest
from msgspec import UNSET

from klatsch.accounts.models import User
from klatsch.archive.marker_changes import MARKERS_MOST
from klatsch.archive.models import LogOffset, Marker
from klatsch.conversations.models import Conversation
from tests.integration.changes_told import Told, make_world, read
from tests.support.records import ANA, BOB, COFFEE, TEA, Somebody

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def world() -> None:
    make_world()


def move(somebody: Somebody, *, changed: int, read: int, group: UUID = TEA) -> None:
    Marker.objects.update_or_create(
        conversation_id=group,
        user_id=somebody.id,
        defaults={
            "active_at": "2026-11-23T20:00:00Z",
            "read_epoch": 1,
            "read_offset": read,
            "changed_epoch": 1,
            "changed_offset": changed,
        },
    )


def told_markers(told: Told) -> list[tuple[str, str | None]]:
    return [(marker.user, marker.read) for page in told.pages for marker in page.markers]


def test_moved_markers_are_told_as_they_are_now_ones_own_and_others() -> None:
    move(ANA, changed=20, read=5)
    move(BOB, changed=30, read=7)
    move(BOB, changed=8, read=7, group=COFFEE)
    assert told_markers(read(10, groups=(TEA, COFFEE))) == [("ana", "1:0:5"), ("bob", "1:0:7")]
    assert told_markers(read(21)) == [("bob", "1:0:7")]
    assert told_markers(read(10, until=30)) == [("ana", "1:0:5")]
    assert told_markers(read(10, left=True)) == []


def test_others_markers_are_told_only_where_they_are_shown() -> None:
    move(ANA, changed=20, read=5)
    move(BOB, changed=30, read=7)
    User.objects.filter(pk=BOB.id).update(read_receipts=False)
    assert told_markers(read(10)) == [("ana", "1:0:5")]
    User.objects.filter(pk=BOB.id).update(read_receipts=True)
    Conversation.objects.filter(pk=TEA).update(member_count=21)
    assert told_markers(read(10)) == [("ana", "1:0:5")]


def test_only_ones_own_marker_tells_the_flag() -> None:
    move(ANA, changed=20, read=5)
    move(BOB, changed=30, read=7)
    Marker.objects.update(unread_epoch=1, unread_partition=0, unread_offset=3)
    [page] = read(10).pages
    assert [marker.unread_from for marker in page.markers] == ["1:0:3", UNSET]


def test_many_moved_markers_are_told_in_pages() -> None:
    people = [Somebody(uuid4(), f"p{number}") for number in range(MARKERS_MOST + 5)]
    User.objects.bulk_create(User(id=p.id, username=p.name, email=f"{p.name}@chat.example") for p in people)
    Marker.objects.bulk_create(
        Marker(
            conversation_id=TEA,
            user_id=person.id,
            active_at="2026-11-23T20:00:00Z",
            read_epoch=1,
            read_offset=1,
            changed_epoch=1,
            changed_offset=number,
        )
        for number, person in enumerate(people)
    )
    LogOffset.objects.update(next_offset=10_000)
    told = read(0, until=10_000)
    assert len(told.pages) == 2
    assert sorted(told_markers(told)) == sorted((person.name, "1:0:1") for person in people)
