"""Judging: all who read the same records agree on who was out, in whatever order they learn it (D4, D5)."""

from collections.abc import Sequence
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from klatsch.conversations.records import MembersChanged, Membership, members_key
from klatsch.messaging.judge import Memberships
from tests.contract.talk import ANA, BOB, CLEO, COFFEE, PEOPLE, TEA, Somebody, standing

TEA_KEY, COFFEE_KEY = str(TEA).encode(), str(COFFEE).encode()


def changed(*standings: Membership, key: bytes = TEA_KEY) -> MembersChanged:
    return MembersChanged(conversation=key.decode(), kind="group", title="", members=list(standings))


def is_out(memberships: Memberships, person: Somebody, key: bytes = TEA_KEY) -> bool:
    return memberships.is_removed(key, person.id.bytes)


# Each person's versions in a conversation alternate as they must: in, out, in, …
people = st.sampled_from(PEOPLE)
versions = st.integers(1, 6)
events = st.builds(
    lambda key, some: changed(*(standing(p, v, active=v % 2 == 1) for p, v in some), key=key),
    st.sampled_from([TEA_KEY, COFFEE_KEY]),
    st.lists(st.tuples(people, versions), min_size=1, max_size=3),
)


def out_of(told: Sequence[MembersChanged]) -> set[tuple[bytes, str]]:
    """What is true by the rule alone: of a person's versions the highest."""
    highest: dict[tuple[bytes, str], Membership] = {}
    for event in told:
        for member in event.members:
            place = (event.conversation.encode(), member.user_id)
            if place not in highest or highest[place].version < member.version:
                highest[place] = member
    return {place for place, member in highest.items() if not member.active}


def out_by(memberships: Memberships) -> set[tuple[bytes, str]]:
    return {(key, p.user_id) for key in (TEA_KEY, COFFEE_KEY) for p in PEOPLE if is_out(memberships, p, key)}


@given(st.lists(events, max_size=12))
def test_of_a_persons_versions_the_highest_is_true(told: list[MembersChanged]) -> None:
    memberships = Memberships()
    for event in told:
        memberships.apply(event)

    assert out_by(memberships) == out_of(told)


@given(st.data(), st.lists(events, max_size=10))
def test_order_and_repeats_change_nothing_in_the_end(data: st.DataObject, told: list[MembersChanged]) -> None:
    repeated = data.draw(st.lists(st.sampled_from(told), max_size=5)) if told else []
    other_order = data.draw(st.permutations(told + repeated))
    one, other = Memberships(), Memberships()
    for event in told:
        one.apply(event)
    for event in other_order:
        other.apply(event)

    assert out_by(one) == out_by(other)


@given(st.lists(events, max_size=10), st.integers(0, 10))
def test_what_the_archive_says_and_what_records_bring_come_to_the_same(told: list[MembersChanged], cut: int) -> None:
    memberships = Memberships()
    for event in told[:cut]:
        for member in event.members:
            memberships.load(event.conversation, member.user_id, member.version, active=member.active)
    for event in told[cut:]:
        memberships.apply(event)

    assert out_by(memberships) == out_of(told)


def test_only_a_removal_makes_a_record_void_never_the_want_of_an_addition() -> None:
    memberships = Memberships()
    assert not is_out(memberships, ANA)

    memberships.apply(changed(standing(ANA, 1, active=True), standing(BOB, 2, active=False)))
    assert (is_out(memberships, ANA), is_out(memberships, BOB), is_out(memberships, CLEO)) == (False, True, False)


def test_a_removal_holds_in_its_own_conversation_alone() -> None:
    memberships = Memberships()
    memberships.apply(changed(standing(ANA, 2, active=False)))

    assert is_out(memberships, ANA, TEA_KEY)
    assert not is_out(memberships, ANA, COFFEE_KEY)


def test_who_is_added_again_is_out_no_longer() -> None:
    memberships = Memberships()
    memberships.apply(changed(standing(ANA, 2, active=False)))
    memberships.apply(changed(standing(ANA, 3, active=True)))

    assert not is_out(memberships, ANA)


def test_apply_returns_the_changes_that_no_higher_version_has_overtaken() -> None:
    memberships = Memberships()
    later = standing(ANA, 3, active=True)
    assert memberships.apply(changed(later)) == [later]

    bob = standing(BOB, 1, active=True)
    assert memberships.apply(changed(standing(ANA, 2, active=False), bob)) == [bob]
    assert memberships.apply(changed(later)) == [later]  # a repeat is as true as it was


def test_what_contradicts_a_known_version_is_ignored() -> None:
    memberships = Memberships()
    memberships.apply(changed(standing(ANA, 2, active=False)))

    assert memberships.apply(changed(standing(ANA, 2, active=True))) == []
    assert is_out(memberships, ANA)


def test_nothing_is_kept_of_people_who_were_never_removed() -> None:
    memberships = Memberships()
    for number in range(1_000):
        person = Somebody(UUID(int=number), str(number))
        memberships.apply(changed(standing(person, 1, active=True)))

    assert memberships._known == {}
    assert memberships._removed == {}


def test_what_is_forgotten_is_known_no_longer_by_either_key() -> None:
    for key in (TEA_KEY, members_key(str(TEA))):
        memberships = Memberships()
        memberships.apply(changed(standing(ANA, 2, active=False)))
        memberships.apply(changed(standing(ANA, 2, active=False), key=COFFEE_KEY))
        memberships.forget([key])

        assert not is_out(memberships, ANA)
        assert is_out(memberships, ANA, COFFEE_KEY)
