"""Unread counts and the order of conversations, from what the persister stored on the real PostgreSQL (D19)."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from pytest_django import DjangoAssertNumQueries

from klatsch.archive.activity import page_sql
from klatsch.archive.models import Marker, Message
from klatsch.archive.overview import ConversationView, get_conversation, list_conversations
from klatsch.conversations.models import Conversation, Member
from klatsch.core.clock import timestamp
from klatsch.core.keyset import Way
from klatsch.persister.statements import Connection
from klatsch.persister.storing import Archive
from klatsch.processes.wiring import connect_archive
from tests.integration.shelf import EPOCH, Shelf
from tests.support.records import (
    ANA,
    BOB,
    CLEO,
    NOW_MS,
    TEA,
    added,
    entry_of,
    fresh_client_id,
    in_group,
    marked,
    message,
    posted,
    removed,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("ana_and_bob_in_tea")]


def tea(user_id: UUID = BOB.id) -> ConversationView:
    return get_conversation(user_id=user_id, conversation_id=TEA)


def unread(user_id: UUID = BOB.id) -> int | str:
    return tea(user_id).unread


def delete(*offsets: int) -> None:
    """Marks messages as deleted, as the persister leaves them."""
    Message.objects.filter(conversation=TEA, offset__in=offsets).update(deleted=True, content="")


def test_messages_of_others_after_the_marker_are_unread_and_ones_own_are_not(shelf: Shelf) -> None:
    shelf.put(added(ANA), added(BOB), *(message(in_group(ANA)) for _ in range(3)), message(in_group(BOB)))
    assert (unread(), unread(ANA.id)) == (3, 1)
    shelf.put(marked(BOB, read="1:0:3"))
    assert (unread(), unread(ANA.id)) == (1, 1)
    assert (tea().markers.read, tea().markers.delivered) == ("1:0:3", None)


def test_sending_does_not_mark_as_read(shelf: Shelf) -> None:
    shelf.put(added(ANA), added(BOB), message(in_group(ANA)), message(in_group(BOB)))
    assert unread() == 1


def test_deleted_messages_are_not_unread_whoever_wrote_them(shelf: Shelf) -> None:
    shelf.put(added(ANA), added(BOB), *(message(in_group(ANA)) for _ in range(3)), message(in_group(BOB)))
    delete(3, 5)
    assert unread() == 2


def test_who_joins_late_begins_at_zero_and_who_comes_back_begins_anew(shelf: Shelf) -> None:
    shelf.put(added(ANA), *(message(in_group(ANA)) for _ in range(5)), added(BOB))
    assert unread() == 0
    shelf.put(message(in_group(ANA)), message(in_group(ANA)))
    assert unread() == 2
    shelf.put(removed(BOB), message(in_group(ANA)), added(BOB, 3), message(in_group(ANA)))
    assert unread() == 1


def test_ten_thousand_unread_messages_are_more_than_are_counted(shelf: Shelf) -> None:
    shelf.put(added(ANA), added(BOB), *(message(in_group(ANA)) for _ in range(1_000)))
    assert unread() == 1_000
    for _ in range(9):
        shelf.put(*(message(in_group(ANA)) for _ in range(1_000)))
    assert (unread(), unread(ANA.id)) == ("1000+", "1000+")
    shelf.put(marked(BOB, read=f"1:0:{shelf.next_offset - 6}"))
    assert unread() == 5


def test_a_person_who_wrote_two_thousand_messages_unread_sees_that_there_are_more(shelf: Shelf) -> None:
    shelf.put(added(ANA), added(BOB), message(in_group(ANA)), *(message(in_group(BOB)) for _ in range(1_999)))
    assert unread() == 1
    shelf.put(message(in_group(BOB)))
    assert unread() == "1000+"


def test_while_flagged_unread_counts_from_there(shelf: Shelf) -> None:
    shelf.put(added(ANA), added(BOB), *(message(in_group(ANA)) for _ in range(4)), marked(BOB, read="1:0:5"))
    assert unread() == 0
    shelf.put(marked(BOB, unread_from="1:0:3", own_only=True))
    assert (unread(), tea().unread_from, tea().markers.read) == (3, "1:0:3", "1:0:5")
    shelf.put(message(in_group(ANA)), marked(BOB, read="1:0:8"))
    assert (unread(), tea().unread_from) == (0, None)


def test_a_new_persister_goes_on_where_the_last_one_was(shelf: Shelf) -> None:
    shelf.put(added(ANA), added(BOB), message(in_group(ANA)), message(in_group(ANA)), marked(BOB, read="1:0:2"))
    with connect_archive("tests") as again:
        next_shelf = Shelf(Archive(again, EPOCH))
        next_shelf.next_offset = shelf.next_offset
        next_shelf.put(message(in_group(ANA)), marked(BOB, read="1:0:1"))
    assert (unread(), tea().markers.read) == (2, "1:0:2")


def test_a_stranger_sees_nothing(shelf: Shelf) -> None:
    shelf.put(added(ANA), added(BOB), message(in_group(ANA)))
    assert list_conversations(user_id=CLEO.id, limit=10) == []


def talk(shelf: Shelf, count: int, *, every_ms: int = 1_000, user: Any = ANA) -> list[UUID]:
    """Makes as many groups of a person, each with one message, one after the other; returns their ids, newest first."""
    ids = [uuid4() for _ in range(count)]
    Conversation.objects.bulk_create(Conversation(id=one, kind="group", title="x", member_count=1) for one in ids)
    Conversation.objects.filter(id__in=ids).update(created_at="2026-11-01T00:00:00Z")
    Member.objects.bulk_create(Member(conversation_id=one, user_id=user.id) for one in ids)
    Member.objects.filter(conversation_id__in=ids).update(joined_at="2026-11-01T00:00:00Z")
    for first in range(0, count, 1_000):
        some = ids[first : first + 1_000]
        shelf.put(*(added(user, conversation=one) for one in some))
        shelf.put(*(say(user, one, NOW_MS + (first + at) * every_ms) for at, one in enumerate(some)))
    return ids[::-1]


def say(person: Any, conversation: UUID, now_ms: int) -> Any:
    access = in_group(person, conversation)
    return entry_of(posted(access, "hi", client_id=fresh_client_id(now_ms), now_ms=now_ms))


def pages(user_id: UUID, limit: int) -> list[str]:
    """Returns the ids of all pages, by following the last of each."""
    seen: list[ConversationView] = []
    while page := list_conversations(user_id=user_id, limit=limit, after=key(seen[-1]) if seen else None):
        seen += page
    return [view.id for view in seen]


def key(view: ConversationView) -> Any:
    return datetime.fromisoformat(view.updated_at), UUID(view.id)


@pytest.mark.parametrize("every_ms", [1, 500, 40_000, 5_000_000])
def test_pages_are_in_the_order_of_activity_and_neither_repeat_nor_skip(shelf: Shelf, every_ms: int) -> None:
    Member.objects.filter(conversation_id=TEA).delete()
    ids = talk(shelf, 60, every_ms=every_ms)
    assert pages(ANA.id, 7) == [str(one) for one in ids]
    views = list_conversations(user_id=ANA.id, limit=60)
    assert list_conversations(user_id=ANA.id, limit=7, before=key(views[20])) == views[13:20]
    # An old one is the newest again, within the minute that is noted already and later.
    for later_ms in (1, 61_000, 3_700_000):
        now_ms = NOW_MS + 60 * every_ms + later_ms
        shelf.put(say(ANA, ids[50], now_ms))
        first = list_conversations(user_id=ANA.id, limit=1)[0]
        assert (first.id, first.updated_at) == (str(ids[50]), timestamp(now_ms))


def test_a_conversation_that_the_persister_does_not_know_yet_is_listed_first(shelf: Shelf) -> None:
    talk(shelf, 60)
    new = Conversation.objects.create(kind="group", title="new", member_count=1)
    Member.objects.create(conversation=new, user_id=ANA.id)
    assert list_conversations(user_id=ANA.id, limit=5)[0].id == str(new.pk)


def test_in_a_large_conversation_activity_is_noted_once_an_hour(shelf: Shelf) -> None:
    Conversation.objects.filter(id=TEA).update(member_count=101)
    shelf.put(added(ANA), message(in_group(ANA)))
    Marker.objects.update(active_at="2026-11-01T00:00:00Z")
    shelf.archive._known.active.clear()
    shelf.put(say(ANA, TEA, NOW_MS + 60_000))
    assert Marker.objects.get(user_id=ANA.id).active_at.isoformat() == "2026-11-23T21:00:00+00:00"


def test_the_first_page_costs_the_same_for_ten_and_for_ten_thousand_conversations(
    shelf: Shelf, connection: Connection, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    Member.objects.filter(conversation_id=TEA).delete()
    talk(shelf, 10, every_ms=7_000, user=BOB)
    ids = talk(shelf, 10_000, every_ms=7_000)
    connection.execute("ANALYZE")
    connection.commit()
    shown = []
    for person in (BOB, ANA):
        with django_assert_num_queries(1):
            shown.append(list_conversations(user_id=person.id, limit=10))
    assert [view.id for view in shown[1]] == [str(one) for one in ids[:10]]
    few, many = (rows_read(connection, person.id) for person in (BOB, ANA))
    assert many < 3 * few, (few, many)
    assert list_conversations(user_id=ANA.id, limit=100, after=key(shown[1][-1]))[0].id == str(ids[10])


def rows_read(connection: Connection, user_id: UUID) -> float:
    """Blocks that the first page's statement reads."""
    way = Way(("updated_at", "id"), descending=True, has_key=False)
    row = connection.execute(
        f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {page_sql(way)}".encode(), {"user": user_id, "limit": 11}
    ).fetchone()
    connection.rollback()
    assert row is not None
    return float(row[0][0]["Plan"]["Shared Hit Blocks"] + row[0][0]["Plan"]["Shared Read Blocks"])
