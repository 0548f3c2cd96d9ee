"""The memberships of own channels, from either side."""

from hypothesis import given
from hypothesis import strategies as st

from channels_kafka_layer.groups import Groups


def test_the_first_member_makes_a_group_and_the_last_ends_it() -> None:
    groups = Groups()
    assert groups.add("g", "a")
    assert not groups.add("g", "b")
    assert not groups.discard("g", "a")
    assert groups.discard("g", "b")
    assert len(groups) == 0


def test_discarding_what_was_never_added_does_nothing() -> None:
    groups = Groups()
    assert not groups.discard("g", "a")
    groups.add("g", "a")
    assert not groups.discard("g", "b")
    assert list(groups.members("g")) == ["a"]


PAIRS = st.tuples(st.sampled_from("gh"), st.sampled_from("abc"))


@given(steps=st.lists(st.tuples(st.sampled_from(["add", "discard", "end"]), PAIRS), max_size=60))
def test_both_sides_tell_the_same(steps: list[tuple[str, tuple[str, str]]]) -> None:
    groups, model = Groups(), set[tuple[str, str]]()
    for step, (group, channel) in steps:
        if step == "add":
            groups.add(group, channel)
            model.add((group, channel))
        elif step == "discard":
            groups.discard(group, channel)
            model.discard((group, channel))
        else:
            ended = groups.end(channel)
            model = {pair for pair in model if pair[1] != channel}
            assert not [group for group in ended if any(pair[0] == group for pair in model)]
        for name in "gh":
            assert set(groups.members(name)) == {pair[1] for pair in model if pair[0] == name}
        assert len(groups) == len({pair[0] for pair in model})
