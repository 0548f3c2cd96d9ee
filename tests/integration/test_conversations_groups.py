"""Groups: who may change them, and that every change gets its record, in the order of the changes."""

from collections.abc import Callable
from uuid import UUID

import msgspec
import pytest
from django.db import connection

from klatsch.accounts.models import User
from klatsch.conversations import group_rows, groups
from klatsch.conversations.group_rows import MEMBERS_MOST, repair_counts
from klatsch.conversations.models import Conversation
from klatsch.conversations.services import RECORD_MEMBERS_MOST, ensure_direct_conversation
from klatsch.core.errors import BadRequest, Conflict, Forbidden, NotFound, Unavailable
from klatsch.records.members import MembersChanged, Membership
from tests.integration.archive_rows import as_sender
from tests.integration.group import PEOPLE, Group

pytestmark = pytest.mark.django_db


def test_a_new_group_has_its_maker_as_owner_and_one_record_of_all(group: Group) -> None:
    first = group.records()[0]

    assert (first.conversation, first.kind, first.title) == (str(group.id), "group", "Tea")
    assert {one.user: one.role for one in first.members} == {"olga": "owner"} | dict.fromkeys(PEOPLE[1:], "member")
    assert all(one.active and one.version == 1 for one in first.members)


@pytest.mark.parametrize(
    ("actor", "target", "allowed"),
    [
        ("olga", "otto", True),
        ("olga", "adam", True),
        ("olga", "mia", True),
        ("adam", "olga", False),
        ("adam", "anna", False),
        ("adam", "mia", True),
        ("mia", "olga", False),
        ("mia", "adam", False),
        ("mia", "max", False),
        ("mia", "mia", True),
        ("adam", "adam", True),
        ("olga", "olga", True),
    ],
)
def test_owners_remove_everybody_admins_remove_plain_members_and_everybody_may_leave(
    *, group: Group, actor: str, target: str, allowed: bool
) -> None:
    if allowed:
        group.remove(actor, target)
    else:
        with pytest.raises(Forbidden):
            group.remove(actor, target)

    assert group.knows(target) is not allowed


@pytest.mark.parametrize(("actor", "allowed"), [("olga", True), ("adam", True), ("mia", False)])
def test_owners_and_admins_add_members(*, group: Group, actor: str, allowed: bool) -> None:
    if allowed:
        group.add(actor, "zoe")
    else:
        with pytest.raises(Forbidden):
            group.add(actor, "zoe")

    assert group.knows("zoe") is allowed


@pytest.mark.parametrize(("actor", "allowed"), [("olga", True), ("adam", False), ("mia", False)])
def test_owners_alone_rename_the_group_change_roles_and_dissolve_it(*, group: Group, actor: str, allowed: bool) -> None:
    changes: list[Callable[[], None]] = [
        lambda: group.rename(actor, "Coffee"),
        lambda: group.give_role(actor, "max", "admin"),
        lambda: group.dissolve(actor),
    ]
    for change in changes:
        if allowed:
            change()
        else:
            with pytest.raises(Forbidden):
                change()

    assert any(group.knows(name) for name in PEOPLE) is not allowed


def test_strangers_and_removed_people_get_the_same_answer_as_for_a_group_that_does_not_exist(group: Group) -> None:
    group.remove("olga", "mia")
    details = set()
    for actor, conversation_id in (("zoe", group.id), ("mia", group.id), ("olga", UUID(int=1))):
        with pytest.raises(NotFound) as refusal:
            groups.update_group(actor_id=group[actor].pk, conversation_id=conversation_id, title="Mine", log=group.log)
        details.add(refusal.value.detail)

    assert len(details) == 1


def test_every_change_of_a_member_raises_the_version_and_is_told_in_order(group: Group) -> None:
    group.remove("olga", "mia")
    group.add("adam", "mia")
    group.give_role("olga", "mia", "admin")

    told = [one for record in group.records() for one in record.members if one.user == "mia"]
    assert [(one.version, one.active, one.role) for one in told] == [
        (1, True, "member"),
        (2, False, "member"),
        (3, True, "member"),
        (4, True, "admin"),
    ]
    assert group.member("mia").version == 4


def test_an_admin_who_was_removed_comes_back_as_a_plain_member(group: Group) -> None:
    group.remove("olga", "adam")
    group.add("anna", "adam")

    assert group.member("adam").role == "member"


def test_a_change_that_changes_nothing_has_no_record(group: Group) -> None:
    before = len(group.records())

    group.add("olga", "mia")
    group.give_role("olga", "adam", "admin")
    group.remove("olga", "max")
    group.remove("olga", "max")

    assert len(group.records()) == before + 1


def test_a_dissolved_group_is_gone_for_everybody_and_its_rows_stay(group: Group) -> None:
    group.dissolve("olga")

    assert not any(group.knows(name) for name in PEOPLE)
    assert {one.user for one in group.records()[-1].members if not one.active} == set(PEOPLE)
    assert Conversation.objects.filter(pk=group.id).exists()


def test_a_new_title_is_told_with_a_version_of_who_gave_it_so_that_the_archive_knows_of_it(group: Group) -> None:
    group.rename("olga", "Coffee")
    olga = Membership("olga", str(group["olga"].pk), active=True, role="owner", version=2)

    assert group.records()[-1] == MembersChanged(
        conversation=str(group.id),
        kind="group",
        title="Coffee",
        members=[olga],
        member_count=6,
        description="",
        version=5,
    )
    assert group.member("olga").version == 2


@pytest.mark.parametrize("title", ["", "  ", "x" * 201, "a\nb", "a\0b", "\ud800", "a\u2028b", "\u200d\u0301"])
def test_a_title_is_one_line_of_1_to_200_characters(group: Group, title: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        group.rename("olga", title)

    assert refusal.value.fields[0].field == "title"


def test_a_group_with_somebody_unknown_is_not_made(group: Group) -> None:
    before = Conversation.objects.count()

    with pytest.raises(NotFound, match="nobody"):
        groups.create_group(owner=as_sender(group["olga"]), title="Tea", usernames=["mia", "nobody"], log=group.log)

    assert Conversation.objects.count() == before


def test_a_large_group_is_told_in_records_of_200(group: Group) -> None:
    people = User.objects.bulk_create(User(username=f"p{i}", email=f"p{i}@example.org") for i in range(450))
    group.id = groups.create_group(
        owner=as_sender(group["olga"]), title="All", usernames=[one.username for one in people], log=group.log
    )

    sizes = [len(record.members) for record in group.records()]
    assert sum(sizes) == 451
    assert max(sizes) == RECORD_MEMBERS_MOST


def test_conversations_of_two_cannot_be_changed(group: Group) -> None:
    access = ensure_direct_conversation(sender=as_sender(group["mia"]), receiver_username="max", log=group.log)

    for actor, name in (("mia", "mia"), ("mia", "max")):
        with pytest.raises(Forbidden):
            groups.remove_member(
                actor_id=group[actor].pk, conversation_id=UUID(access.conversation), username=name, log=group.log
            )


def test_additions_hold_without_the_log_and_removals_are_not_answered_before_their_record(group: Group) -> None:
    group.log.broken = True

    group.add("olga", "zoe")
    with pytest.raises(Unavailable):
        group.remove("olga", "mia")
    assert group.knows("zoe")
    assert not group.knows("mia")

    group.log.broken = False
    group.remove("olga", "mia")
    assert [one.user for record in group.records()[-2:] for one in record.members] == ["zoe", "mia"]


def test_a_change_that_fails_promises_no_record(group: Group) -> None:
    before = len(group.records())

    with pytest.raises(Forbidden):
        group.remove("mia", "olga")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM eventlog_outboxentry WHERE relayed_at IS NULL")
        assert cursor.fetchone() == (0,)

    assert len(group.records()) == before


def test_a_description_is_told_to_everybody_and_emptied_again(group: Group) -> None:
    for description in ("Every day\nat four", ""):
        groups.update_group(actor_id=group["adam"].pk, conversation_id=group.id, description=description, log=group.log)
        assert (group.records()[-1].title, group.records()[-1].description) == ("Tea", description)
        assert [one.user for one in group.records()[-1].members] == ["adam"]


def test_the_version_of_a_group_grows_with_every_record_of_it(group: Group) -> None:
    group.rename("olga", "Coffee")
    group.remove("olga", "mia")
    group.add("olga", "mia")

    assert [record.version for record in group.records()] == [1, 2, 3, 4, 5, 6, 7]
    assert Conversation.objects.get(pk=group.id).version == 7


def test_a_record_of_before_without_description_and_version_is_still_read() -> None:
    old = msgspec.convert(
        {"t": "members", "conversation": str(UUID(int=1)), "kind": "group", "title": "Tea", "members": [], "v": 1},
        MembersChanged,
    )
    assert (old.description, old.version, old.member_count) == (None, None, None)


def test_a_number_of_members_that_an_old_process_left_wrong_is_counted_anew(group: Group) -> None:
    Conversation.objects.filter(pk=group.id).update(member_count=1)
    group.remove("olga", "max")
    assert Conversation.objects.get(pk=group.id).member_count == 5

    Conversation.objects.filter(pk=group.id).update(member_count=MEMBERS_MOST)
    group.add("olga", "max")
    assert Conversation.objects.get(pk=group.id).member_count == 6

    Conversation.objects.filter(pk=group.id).update(member_count=9)
    assert repair_counts() == 1
    assert Conversation.objects.get(pk=group.id).member_count == 6
    assert repair_counts() == 0


def test_a_full_group_takes_nobody_more(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_rows, "MEMBERS_MOST", 6)
    with pytest.raises(Conflict):
        group.add("olga", "zoe")
