"""Changes since a place in the log, as the archive tells them as state (D7): on the real PostgreSQL."""

from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from klatsch.accounts.models import User
from klatsch.archive.changes import _COUNT, _MESSAGES, PAGE_BYTES, Asked, GroupState, Place, find_changes, read_page
from klatsch.archive.models import LogOffset, MembershipInterval, Message
from klatsch.conversations.access import Access
from klatsch.conversations.models import Conversation, Member
from tests.integration.archive_rows import archive
from tests.integration.changes_told import TEA_PARTITION, make_world, read
from tests.support.records import ANA, BOB, COFFEE, TEA, Somebody, in_group

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def world() -> None:
    make_world()


def edit(message: Message, content: str, *, offset: int) -> None:
    Message.objects.filter(pk=message.pk).update(content=content, changed_offset=offset)


def changed_standing(somebody: Somebody, *, offset: int, version: int = 2, active: bool = True) -> None:
    MembershipInterval.objects.create(
        conversation_id=TEA, user_id=somebody.id, version=version, active=active, epoch=1, partition=0, offset=offset
    )
    Member.objects.filter(conversation_id=TEA, user_id=somebody.id).update(active=active, version=version)


def test_new_messages_come_in_order_from_since_to_until() -> None:
    for offset in (3, 1, 2, 4):
        archive(in_group(BOB), f"at {offset}", offset=offset)

    assert read(2).contents() == ["at 2", "at 3", "at 4"]
    assert read(2, until=4).contents() == ["at 2", "at 3"]


def test_nothing_is_told_that_the_archive_may_not_have_whole() -> None:
    LogOffset.objects.update(next_offset=3)
    for offset in (1, 2, 3):
        archive(in_group(BOB), f"at {offset}", offset=offset)
    changes = read(0)

    assert changes.contents() == ["at 1", "at 2"]
    assert changes.found.offsets[TEA_PARTITION] == 3


def test_an_old_message_that_was_edited_since_comes_as_it_is_now_and_once() -> None:
    old, new = archive(in_group(BOB), "old", offset=1), archive(in_group(BOB), "new", offset=5)
    archive(in_group(BOB), "untouched", offset=2)
    edit(old, "old, edited", offset=6)
    edit(new, "new, edited", offset=7)
    changes = read(5)

    assert changes.contents() == ["new, edited", "old, edited"]
    assert {view.changed for page in changes.pages for view in page.messages} == {
        f"1:{old.partition}:6",
        f"1:{new.partition}:7",
    }


def test_an_edit_from_before_is_not_told_again() -> None:
    old = archive(in_group(BOB), "old", offset=1)
    edit(old, "edited", offset=3)
    assert read(4).contents() == []


def test_only_the_conversations_asked_for_are_told() -> None:
    archive(in_group(BOB), "tea", offset=1)
    archive(in_group(BOB, COFFEE), "coffee", offset=2)
    told = read(0)
    assert (told.contents(), told.contents(COFFEE)) == (["tea"], [])
    assert told.found.counts == {str(TEA): 1}


def test_a_conversation_with_more_than_each_most_is_told_of_as_too_many_and_the_others_are_told() -> None:
    for offset in range(5):
        archive(in_group(BOB), f"at {offset}", offset=offset)
    archive(in_group(BOB, COFFEE), "coffee", offset=1)

    changes = read(0, groups=(TEA, COFFEE), each=4)
    assert (changes.found.too_many, changes.found.counts) == ({str(TEA)}, {str(COFFEE): 1})
    assert (changes.contents(), changes.contents(COFFEE)) == ([], ["coffee"])
    assert read(0, groups=(TEA, COFFEE), each=5).found.too_many == set()


def test_beyond_most_what_may_be_cut_short_or_unread_is_too_many() -> None:
    for offset in range(3):
        archive(in_group(BOB), f"tea {offset}", offset=offset)
        archive(in_group(BOB, COFFEE), f"coffee {offset}", offset=offset)

    assert read(0, groups=(TEA, COFFEE), most=6).found.too_many == set()
    assert read(0, groups=(TEA, COFFEE), most=5).found.too_many == {str(COFFEE)}
    assert read(0, groups=(TEA, COFFEE), most=3).found.too_many == {str(COFFEE)}
    assert read(0, groups=(TEA, COFFEE), most=2).found.too_many == {str(TEA), str(COFFEE)}


def test_who_was_added_since_is_told_with_their_standing_of_now() -> None:
    changed_standing(BOB, offset=7)
    [bob] = read(5).members[str(TEA)]

    assert (bob.user, bob.active, bob.role, bob.version) == ("bob", True, "member", 2)
    assert read(8).members == {}


def test_a_change_of_members_is_told_with_the_title_and_the_number_of_members_of_now() -> None:
    Conversation.objects.filter(pk=TEA).update(title="Green tea", description="At four", member_count=3, version=5)
    changed_standing(BOB, offset=7)

    assert read(5).groups == {str(TEA): GroupState("Green tea", "At four", 3, 5)}
    changed_standing(ANA, offset=8, active=False)
    assert read(5, left=True).groups == {}, "nothing of it is for Ana any more"


def test_who_is_blocked_since_is_told_so() -> None:
    changed_standing(BOB, offset=7)
    Member.objects.filter(conversation_id=TEA, user_id=BOB.id).update(blocked_by=ANA.id)
    [bob] = read(5).members[str(TEA)]

    assert (bob.user, bob.active, bob.blocked) == ("bob", True, True)


def test_of_a_conversation_that_one_has_left_only_ones_own_standing_is_told() -> None:
    archive(in_group(BOB), "after", offset=9)
    changed_standing(ANA, offset=7, active=False)
    changed_standing(BOB, offset=8, active=False)
    changes = read(5, left=True)

    assert [(m.user, m.active) for m in changes.members[str(TEA)]] == [("ana", False)]
    assert changes.contents() == []


def test_what_came_after_a_removal_that_the_gateway_has_not_read_yet_is_not_told() -> None:
    message = archive(in_group(BOB), "before", offset=6)
    archive(in_group(BOB, COFFEE), "elsewhere", offset=8)
    changed_standing(ANA, offset=20, active=False)
    edit(message, "not for Ana", offset=21)
    changes = read(5, until=15, groups=(TEA, COFFEE))

    assert changes.contents() == []
    assert changes.contents(COFFEE) == ["elsewhere"]
    assert changes.members == {}, "the feed tells of the removal when it reads it"


def test_what_is_long_comes_in_pages_in_the_order_of_the_log_and_may_be_read_on_from_any_place_reached() -> None:
    large = "x" * 3_900
    access, other = in_group(BOB), in_group(BOB, COFFEE)
    written = [archive(access if n % 2 else other, f"{n} {large}", offset=n) for n in range(90)]
    for number in (3, 20, 45):  # long after it was written: told where it was changed
        edit(written[number], f"{number} edited", offset=90 + number // 5)
    changed_standing(BOB, offset=30)
    since, until = 10, 95
    asked = [Asked(str(group), TEA_PARTITION, since, until) for group in (TEA, COFFEE)]
    told, places = [], []
    while asked:
        found = find_changes(user_id=ANA.id, epoch=1, asked=asked, each_most=99, most=999)
        page = read_page(user_id=ANA.id, epoch=1, asked=found.asked, after=Place(-1, -1))
        assert sum(len(view.content) for view in page.messages) <= PAGE_BYTES + 4_000
        told += [(view.position, view.content.split()[0]) for view in page.messages]
        places.append((page.reached, bool(page.members)))
        since = page.reached.offset + 1 if page.reached else until
        asked = [Asked(str(group), TEA_PARTITION, since, until) for group in (TEA, COFFEE)] if page.reached else []

    new = range(10, 90)
    assert [int(number) for _, number in told if int(number) not in (3, 20, 45)] == [
        n for n in new if n not in (20, 45)
    ]
    assert [number for _, number in told].count("3") == 1
    assert {"20", "45"} <= {number for _, number in told}
    assert len(places) >= 3
    assert [place for place, members in places if members] == [places[0][0]]


def test_people_whom_one_record_names_are_told_of_in_one_page() -> None:
    many = [Somebody(UUID(int=2**64 + number), f"guest{number}") for number in range(520)]
    for offset, group in ((5, many[:300]), (6, many[300:])):
        User.objects.bulk_create(User(id=guest.id, username=guest.name, email=f"{guest.name}@x.org") for guest in group)
        Member.objects.bulk_create(Member(conversation_id=TEA, user_id=guest.id) for guest in group)
        MembershipInterval.objects.bulk_create(
            MembershipInterval(
                conversation_id=TEA, user_id=g.id, version=1, active=True, epoch=1, partition=0, offset=offset
            )
            for g in group
        )
    archive(in_group(BOB), "before them", offset=4)
    archive(in_group(BOB), "after them", offset=7)
    changed_standing(ANA, offset=8)
    first, *others = read(0).pages

    assert [view.content for view in first.messages] == ["before them"]
    assert (first.reached, len(first.members[str(TEA)])) == (Place(0, 6), 520)
    assert [view.content for page in others for view in page.messages] == ["after them"]
    assert [m.user for page in others for m in page.members[str(TEA)]] == ["ana"]


def test_a_replay_is_read_from_indexes_whatever_else_there_is() -> None:
    access: Access = in_group(BOB)
    for offset in range(30):
        archive(access, f"at {offset}", offset=offset)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        arguments: dict[str, Any] = {
            "conversations": [TEA],
            "partitions": [0],
            "since": [20],
            "begin": [20],
            "until": [30],
            "own": [False],
            "epoch": 1,
            "user": ANA.id,
            "rows": 9,
            "most": 9,
        }
        for statement in (_COUNT, _MESSAGES):
            cursor.execute(f"EXPLAIN {statement}", arguments)
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert "message_position" in plan
            assert "message_by_change" in plan
