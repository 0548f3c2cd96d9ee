"""Changes of one group at once: each sees what the one before it did, and the records come in that order."""

import pytest

from klatsch.conversations.models import Member
from klatsch.core.errors import Conflict
from tests.integration.at_once import at_once
from tests.integration.race import Race

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def race() -> Race:
    return Race()


def test_the_last_two_owners_cannot_leave_others_behind_by_leaving_at_once(race: Race) -> None:
    race.add("ana", "zoe")

    refusals = at_once([lambda: race.remove("ana", "ana"), lambda: race.remove("bob", "bob")])

    assert [type(refusal) for refusal in refusals if refusal] == [Conflict]
    assert Member.objects.filter(conversation=race.group, active=True, role="owner").count() == 1


def test_one_who_is_added_by_many_at_once_is_added_once(race: Race) -> None:
    refusals = at_once([lambda: race.add("ana", "zoe"), lambda: race.add("bob", "zoe")] * 3)

    assert refusals == [None] * 6
    assert race.versions_told("zoe") == [1]


def test_additions_and_removals_at_once_are_told_in_the_order_of_their_versions(race: Race) -> None:
    race.add("ana", "zoe")

    at_once([lambda: race.add("ana", "zoe"), lambda: race.remove("bob", "zoe")] * 4)

    told = race.versions_told("zoe")
    assert told == sorted(told)
    assert Member.objects.get(conversation=race.group, user=race.people["zoe"]).version == told[-1]
