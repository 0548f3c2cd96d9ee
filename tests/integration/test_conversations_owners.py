"""Owners of a group: who becomes one, and that a group with members is never left without one."""

import pytest

from klatsch.accounts.models import User
from klatsch.conversations import groups
from klatsch.conversations.models import Member
from klatsch.core.errors import Conflict, Forbidden, NotFound
from tests.integration.group import PEOPLE, Group

pytestmark = pytest.mark.django_db


def test_the_last_owner_can_neither_leave_nor_step_down_while_others_remain(group: Group) -> None:
    group.give_role("olga", "otto", "member")

    with pytest.raises(Conflict):
        group.remove("olga", "olga")
    with pytest.raises(Conflict):
        group.give_role("olga", "olga", "admin")

    group.give_role("olga", "mia", "owner")
    group.remove("olga", "olga")
    assert not group.knows("olga")


def test_the_last_one_of_all_may_leave(group: Group) -> None:
    for name in PEOPLE[1:]:
        group.remove("olga", name)

    group.remove("olga", "olga")

    assert not Member.objects.filter(conversation_id=group.id, active=True).exists()


def test_a_transfer_is_one_record_of_both(group: Group) -> None:
    before = len(group.records())
    groups.transfer_group(actor_id=group["olga"].pk, conversation_id=group.id, username="mia", log=group.log)

    [record] = group.records()[before:]
    assert [(one.user, one.role, one.version) for one in record.members] == [("olga", "admin", 2), ("mia", "owner", 2)]


def test_a_group_is_transferred_to_nobody_who_was_removed_or_deactivated(group: Group) -> None:
    group.remove("olga", "mia")
    deactivate(group["max"])
    for name in ("mia", "max"):
        with pytest.raises(NotFound):
            groups.transfer_group(actor_id=group["olga"].pk, conversation_id=group.id, username=name, log=group.log)
    assert group.member("olga").role == "owner"


def deactivate(person: User) -> None:
    person.is_active = False
    person.save(update_fields=["is_active"])


def test_an_owner_who_was_deactivated_is_none_when_the_last_other_one_would_leave_or_step_down(group: Group) -> None:
    deactivate(group["otto"])

    with pytest.raises(Conflict):
        group.remove("olga", "olga")
    with pytest.raises(Conflict):
        group.give_role("olga", "olga", "admin")
    assert group.member("olga").role == "owner"


def test_the_longest_standing_admin_is_owner_from_the_next_change_on_where_every_owner_was_deactivated(
    group: Group,
) -> None:
    deactivate(group["olga"])
    deactivate(group["otto"])

    group.give_role("adam", "mia", "admin")
    assert {name: group.member(name).role for name in ("adam", "anna", "mia")} == {
        "adam": "owner", "anna": "admin", "mia": "admin",
    }  # fmt: skip
    told = [(one.user, one.role) for record in group.records()[-2:] for one in record.members]
    assert told == [("adam", "owner"), ("mia", "admin")]
    with pytest.raises(Forbidden):
        group.rename("anna", "Coffee")


def test_where_no_admin_is_left_either_a_plain_member_becomes_owner_and_a_deactivated_one_never(group: Group) -> None:
    for name in ("olga", "otto", "adam", "anna", "mia"):
        deactivate(group[name])

    group.rename("max", "Coffee")
    assert group.member("max").role == "owner"
    group.remove("max", "max")
    assert not group.knows("max")
