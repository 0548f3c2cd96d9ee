"""Judging: all who read the same records agree on who was out, in whatever order they learn it (D4, D5)."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from klatsch.eventlog.log import Record
from klatsch.records.judge import Memberships, StandingAt, Verdict
from klatsch.records.keys import MEMBERS
from klatsch.records.members import MembersChanged, Membership, Role
from tests.support.records import ANA, BOB, CLEO, COFFEE, PEOPLE, TEA, Somebody, standing

TEA_KEY, COFFEE_KEY = str(TEA).encode(), str(COFFEE).encode()


def changed(*standings: Membership, key: bytes = TEA_KEY) -> MembersChanged:
    return MembersChanged(conversation=key.decode(), kind="group", title="", members=list(standings))


def apply(memberships: Memberships, event: MembersChanged, *, partition: int = 0, offset: int = 0) -> list[Membership]:
    return memberships.apply(Record(partition, offset, MEMBERS.of(event.conversation), b"", b""), event)


def is_out(memberships: Memberships, person: Somebody, key: bytes = TEA_KEY) -> bool:
    return memberships.find_void(key, person.id.bytes) is Verdict.REMOVED


# Each person's versions in a conversation alternate as they must: in, out, in, …
people = st.sampled_from(PEOPLE)
versions = st.integers(1, 6)
events = st.builds(
    lambda key, some: changed(*(standing(p, v, active=v % 2 == 1) for p, v in some), key=key),
    st.sampled_from([TEA_KEY, COFFEE_KEY]),
    st.lists(st.tuples(people, versions), min_size=1, max_size=3),
)


def out_of(told: Sequence[MembersChanged]) -> set[tuple[bytes, str]]:
    """Returns what is true by the rule alone: of a person's versions the highest."""
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
        apply(memberships, event)

    assert out_by(memberships) == out_of(told)


@given(st.data(), st.lists(events, max_size=10))
def test_order_and_repeats_change_nothing_in_the_end(data: st.DataObject, told: list[MembersChanged]) -> None:
    repeated = data.draw(st.lists(st.sampled_from(told), max_size=5)) if told else []
    other_order = data.draw(st.permutations(told + repeated))
    one, other = Memberships(), Memberships()
    for event in told:
        apply(one, event)
    for event in other_order:
        apply(other, event)

    assert out_by(one) == out_by(other)


@given(st.lists(events, max_size=10), st.integers(0, 10))
def test_what_the_archive_says_and_what_records_bring_come_to_the_same(told: list[MembersChanged], cut: int) -> None:
    memberships = Memberships()
    for event in told[:cut]:
        for member in event.members:
            memberships.load(StandingAt(event.conversation, member.user_id, member.version, member.active, 0, 0))
    for event in told[cut:]:
        apply(memberships, event)

    assert out_by(memberships) == out_of(told)


def test_only_a_removal_makes_a_record_void_never_the_want_of_an_addition() -> None:
    memberships = Memberships()
    assert not is_out(memberships, ANA)

    apply(memberships, changed(standing(ANA, 1, active=True), standing(BOB, 2, active=False)))
    assert (is_out(memberships, ANA), is_out(memberships, BOB), is_out(memberships, CLEO)) == (False, True, False)


def test_a_removal_holds_in_its_own_conversation_alone() -> None:
    memberships = Memberships()
    apply(memberships, changed(standing(ANA, 2, active=False)))

    assert is_out(memberships, ANA, TEA_KEY)
    assert not is_out(memberships, ANA, COFFEE_KEY)


def test_who_is_added_again_is_out_no_longer() -> None:
    memberships = Memberships()
    apply(memberships, changed(standing(ANA, 2, active=False)))
    apply(memberships, changed(standing(ANA, 3, active=True)))

    assert not is_out(memberships, ANA)


def test_apply_returns_the_changes_that_no_higher_version_has_overtaken() -> None:
    memberships = Memberships()
    later = standing(ANA, 3, active=True)
    assert apply(memberships, changed(later)) == [later]

    bob = standing(BOB, 1, active=True)
    assert apply(memberships, changed(standing(ANA, 2, active=False), bob)) == [bob]
    assert apply(memberships, changed(later)) == [later]  # a repeat is as true as it was


def test_what_contradicts_a_known_version_is_ignored() -> None:
    memberships = Memberships()
    apply(memberships, changed(standing(ANA, 2, active=False)))

    assert apply(memberships, changed(standing(ANA, 2, active=True))) == []
    assert is_out(memberships, ANA)


def test_nothing_is_kept_of_people_who_were_never_removed() -> None:
    memberships = Memberships()
    for number in range(1_000):
        person = Somebody(UUID(int=number), str(number))
        apply(memberships, changed(standing(person, 1, active=True)))

    assert memberships.size == 0


def test_what_the_log_no_longer_holds_is_forgotten_of_its_own_partition() -> None:
    memberships = Memberships()
    for offset, (person, partition) in enumerate([(ANA, 0), (BOB, 0), (CLEO, 1)]):
        apply(memberships, changed(standing(person, 2, active=False)), partition=partition, offset=offset)
    memberships.prune({0: 1, 1: 2})

    assert [is_out(memberships, person) for person in PEOPLE] == [False, True, True]
    memberships.prune({0: 5, 1: 5})
    assert memberships.size == 0
    assert memberships._standings == {}


def test_what_is_known_of_who_came_back_goes_with_its_record_too() -> None:
    memberships = Memberships()
    apply(memberships, changed(standing(ANA, 2, active=False)), offset=1)
    apply(memberships, changed(standing(ANA, 3, active=True)), offset=2)
    memberships.prune({0: 2})
    assert memberships.size == 1
    memberships.prune({0: 3})
    assert memberships.size == 0


def test_the_standings_of_a_partition_that_somebody_else_judges_are_forgotten() -> None:
    memberships = Memberships()
    apply(memberships, changed(standing(ANA, 2, active=False)), partition=3)
    apply(memberships, changed(standing(ANA, 2, active=False), key=COFFEE_KEY), partition=4)
    memberships.forget([3])

    assert not is_out(memberships, ANA)
    assert is_out(memberships, ANA, COFFEE_KEY)


turns = st.lists(st.tuples(people, st.sampled_from([TEA_KEY, COFFEE_KEY])), max_size=20)


@given(turns, st.lists(st.integers(0, 20), max_size=3))
def test_all_who_forget_at_the_logs_beginning_agree_whenever_they_began(
    told: list[tuple[Somebody, bytes]], cuts: list[int]
) -> None:
    oldest = max(cuts, default=0)
    whole, pruned, late = Memberships(), Memberships(), Memberships()
    last: dict[tuple[Somebody, bytes], StandingAt] = {}
    for offset, (person, key) in enumerate(told):
        known = last.get((person, key))
        version = known.version + 1 if known else 1
        member = standing(person, version, active=version % 2 == 1)
        last[person, key] = StandingAt(key.decode(), person.user_id, version, member.active, 0, offset)
        for judge in (whole, pruned):
            apply(judge, changed(member, key=key), offset=offset)
        if offset in cuts:
            pruned.prune({0: offset})
    for one in last.values():  # as a gateway that starts loads from the archive
        if one.offset >= oldest and one.version > 1:
            late.load(one)
    whole.prune({0: oldest})
    pruned.prune({0: oldest})

    assert out_by(whole) == out_by(late) == out_by(pruned)
    assert whole.size == late.size == pruned.size


def blocked(person: Somebody, version: int, *, on: bool) -> Membership:
    return msgspec.structs.replace(standing(person, version, active=True), blocked=on)


def in_role(person: Somebody, version: int, role: Role) -> Membership:
    return msgspec.structs.replace(standing(person, version, active=True), role=role)


def test_between_block_and_unblock_nothing_of_the_blocked_person_counts() -> None:
    memberships = Memberships()
    apply(memberships, changed(blocked(ANA, 2, on=True), blocked(BOB, 1, on=False)))
    verdicts = [memberships.find_void(TEA_KEY, person.id.bytes) for person in (ANA, BOB)]
    apply(memberships, changed(blocked(ANA, 3, on=False)))
    apply(memberships, changed(blocked(ANA, 2, on=True)))
    assert verdicts == [Verdict.BLOCKED, None]
    assert memberships.find_void(TEA_KEY, ANA.id.bytes) is None


def test_people_have_the_role_that_they_claim_until_a_record_takes_it() -> None:
    memberships = Memberships()
    before = memberships.is_demoted(TEA_KEY, ANA.id.bytes)
    apply(memberships, changed(in_role(ANA, 2, "admin")))
    as_admin = memberships.is_demoted(TEA_KEY, ANA.id.bytes)
    apply(memberships, changed(in_role(ANA, 3, "member")))
    assert (before, as_admin, memberships.is_demoted(TEA_KEY, ANA.id.bytes)) == (False, False, True)
    assert not memberships.is_demoted(COFFEE_KEY, ANA.id.bytes)


def test_roles_and_blocks_from_the_archive_count_like_their_records() -> None:
    memberships = Memberships()
    memberships.load(StandingAt(str(TEA), ANA.user_id, 4, True, 0, 7, "member", True))
    memberships.load(StandingAt(str(TEA), BOB.user_id, 4, True, 0, 7, None, False))
    assert memberships.find_void(TEA_KEY, ANA.id.bytes) is Verdict.BLOCKED
    assert memberships.is_demoted(TEA_KEY, ANA.id.bytes)
    assert not memberships.is_demoted(TEA_KEY, BOB.id.bytes), "an older process stored no role: it is trusted"
