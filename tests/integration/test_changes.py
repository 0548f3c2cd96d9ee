"""What the archive says has changed since a place in the log, as state (D7): on the real PostgreSQL."""

from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from klatsch.conversations.access import Access
from klatsch.conversations.models import Conversation, Member
from klatsch.messaging.changes import _MESSAGES, Asked, Changes, read_changes
from klatsch.messaging.models import LogOffset, MembershipInterval, Message
from tests.contract.talk import ANA, BOB, COFFEE, TEA, Somebody, in_group
from tests.integration.archive_rows import archive, open_epoch
from tests.integration.people import make_person

pytestmark = pytest.mark.django_db

TEA_PARTITION = 0


@pytest.fixture(autouse=True)
def world() -> None:
    """Ana and Bob in two groups, and an archive that has come to offset 100 everywhere."""
    open_epoch()
    for somebody in (ANA, BOB):
        make_person(somebody.name, id=somebody.id)
    for group in (TEA, COFFEE):
        Conversation.objects.create(id=group, kind="group", title="Tea")
        for somebody in (ANA, BOB):
            Member.objects.create(conversation_id=group, user_id=somebody.id)
    LogOffset.objects.bulk_create(LogOffset(epoch=1, partition=p, next_offset=100) for p in range(12))


def edit(message: Message, content: str, *, offset: int) -> None:
    Message.objects.filter(pk=message.pk).update(content=content, changed_offset=offset)


def read(
    since: int = 0,
    *,
    until: int = 100,
    groups: tuple[UUID, ...] = (TEA,),
    left: bool = False,
    each: int = 50,
    most: int = 99,
) -> Changes:
    asked = [Asked(str(group), TEA_PARTITION, since, until, left) for group in groups]
    return read_changes(user_id=ANA.id, epoch=1, asked=asked, each_most=each, most=most)


def contents(changes: Changes, group: UUID = TEA) -> list[str]:
    return [view.content for view in changes.messages.get(str(group), [])]


def changed_standing(somebody: Somebody, *, offset: int, version: int = 2, active: bool = True) -> None:
    MembershipInterval.objects.create(
        conversation_id=TEA, user_id=somebody.id, version=version, active=active, epoch=1, partition=0, offset=offset
    )
    Member.objects.filter(conversation_id=TEA, user_id=somebody.id).update(active=active, version=version)


def test_new_messages_come_in_order_from_since_to_until() -> None:
    for offset in (3, 1, 2, 4):
        archive(in_group(BOB), f"at {offset}", offset=offset)

    assert contents(read(2)) == ["at 2", "at 3", "at 4"]
    assert contents(read(2, until=4)) == ["at 2", "at 3"]


def test_nothing_is_told_that_the_archive_may_not_have_whole() -> None:
    LogOffset.objects.update(next_offset=3)
    for offset in (1, 2, 3):
        archive(in_group(BOB), f"at {offset}", offset=offset)
    changes = read(0)

    assert contents(changes) == ["at 1", "at 2"]
    assert changes.offsets[TEA_PARTITION] == 3


def test_an_old_message_that_was_edited_since_comes_as_it_is_now_and_once() -> None:
    old, new = archive(in_group(BOB), "old", offset=1), archive(in_group(BOB), "new", offset=5)
    archive(in_group(BOB), "untouched", offset=2)
    edit(old, "old, edited", offset=6)
    edit(new, "new, edited", offset=7)
    changes = read(5)

    assert sorted(contents(changes)) == ["new, edited", "old, edited"]
    assert {view.changed for view in changes.messages[str(TEA)]} == {f"1:{old.partition}:6", f"1:{new.partition}:7"}


def test_an_edit_from_before_is_not_told_again() -> None:
    old = archive(in_group(BOB), "old", offset=1)
    edit(old, "edited", offset=3)
    assert contents(read(4)) == []


def test_only_the_conversations_asked_for_are_told() -> None:
    archive(in_group(BOB), "tea", offset=1)
    archive(in_group(BOB, COFFEE), "coffee", offset=2)
    assert list(read(0).messages) == [str(TEA)]


def test_a_conversation_with_more_than_each_most_is_told_of_as_too_many_and_the_others_are_told() -> None:
    for offset in range(5):
        archive(in_group(BOB), f"at {offset}", offset=offset)
    archive(in_group(BOB, COFFEE), "coffee", offset=1)

    changes = read(0, groups=(TEA, COFFEE), each=4)
    assert (changes.too_many, list(changes.messages)) == ({str(TEA)}, [str(COFFEE)])
    assert read(0, groups=(TEA, COFFEE), each=5).too_many == set()


def test_beyond_most_what_may_be_cut_short_or_unread_is_too_many() -> None:
    for offset in range(3):
        archive(in_group(BOB), f"tea {offset}", offset=offset)
        archive(in_group(BOB, COFFEE), f"coffee {offset}", offset=offset)

    assert read(0, groups=(TEA, COFFEE), most=6).too_many == set()
    assert read(0, groups=(TEA, COFFEE), most=5).too_many == {str(COFFEE)}
    assert read(0, groups=(TEA, COFFEE), most=3).too_many == {str(COFFEE)}
    assert read(0, groups=(TEA, COFFEE), most=2).too_many == {str(TEA), str(COFFEE)}


def test_who_was_added_since_is_told_with_their_standing_of_now() -> None:
    changed_standing(BOB, offset=7)
    [bob] = read(5).members[str(TEA)]

    assert (bob.user, bob.active, bob.role, bob.version) == ("bob", True, "member", 2)
    assert read(8).members == {}


def test_of_a_conversation_that_one_has_left_only_ones_own_standing_is_told() -> None:
    archive(in_group(BOB), "after", offset=9)
    changed_standing(ANA, offset=7, active=False)
    changed_standing(BOB, offset=8, active=False)
    changes = read(5, left=True)

    assert [(m.user, m.active) for m in changes.members[str(TEA)]] == [("ana", False)]
    assert changes.messages == {}


def test_a_replay_is_read_from_indexes_whatever_else_there_is() -> None:
    access: Access = in_group(BOB)
    for offset in range(30):
        archive(access, f"at {offset}", offset=offset)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        arguments: dict[str, Any] = {
            "conversations": [TEA],
            "since": [20],
            "until": [30],
            "epoch": 1,
            "each": 9,
            "most": 9,
        }
        cursor.execute(f"EXPLAIN {_MESSAGES}", arguments)
        plan = "\n".join(row[0] for row in cursor.fetchall())

    assert "message_position" in plan
    assert "message_by_change" in plan
