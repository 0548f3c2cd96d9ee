"""The checker of runs is silent on good ones, and names the right invariant for each way of spoiling one."""

import random
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from faults.checker import check
from faults.evidence import Evidence, history_file, load_evidence, save_dumps
from faults.history import Connected, History, Pushed
from faults.truth import Standing, judge_log
from tests.unit import faults_mutations as spoil
from tests.unit import faults_mutations_shown as spoil_shown
from tests.unit.faults_model import GROUP, PARTITION, PEOPLE, TALK, Model

SPOILS: dict[spoil.Spoil, set[str]] = {
    spoil.drop_an_acknowledged_row: {"I1", "I2"},
    spoil.drop_an_acknowledged_record: {"I1"},
    spoil.archive_one_twice: {"I2", "I3"},
    spoil.archive_a_void_one: {"I2"},
    spoil.store_a_retry_as_a_message: {"I3"},
    spoil.acknowledge_at_two_positions: {"I3"},
    spoil.refuse_what_is_in_force: {"I3"},
    spoil.refuse_a_member: {"I3"},
    spoil_shown.push_another_text: {"I3"},
    spoil_shown.push_another_sender: {"I3"},
    spoil_shown.load_another_sender: {"I3"},
    spoil_shown.state_another_sender: {"I3"},
    spoil.acknowledge_out_of_real_time: {"I4"},
    spoil_shown.swap_two_pushes: {"I4"},
    spoil_shown.skip_a_push: {"I5"},
    spoil_shown.push_one_twice: {"I5"},
    spoil_shown.push_below_the_presented_token: {"I5"},
    spoil_shown.mark_goes_back: {"I5"},
    spoil_shown.never_load_what_was_reset: {"I5"},
    spoil_shown.leave_one_out_of_a_history: {"I5"},
    spoil_shown.show_to_a_stranger: {"I6"},
    spoil_shown.show_a_stranger_who_has_read: {"I6"},
    spoil_shown.show_a_removed_member_who_has_read: {"I6"},
    spoil_shown.show_a_void_one: {"I6"},
    spoil_shown.show_the_removed_what_was_said_before: {"I6"},
}
_RUNS = 64


@cache
def a_run(seed: int) -> Evidence:
    return Model(seed).evidence()


@given(st.integers(0, 2**32))
@settings(max_examples=40)
def test_a_run_without_mistakes_contradicts_nothing(seed: int) -> None:
    assert check(Model(seed).evidence()).contradictions == []


@pytest.mark.parametrize("mutate", SPOILS, ids=lambda mutate: mutate.__name__)
@given(seed=st.integers(0, _RUNS - 1), other=st.integers(0, 2**32))
def test_a_spoiled_run_breaks_exactly_the_invariant_of(mutate: spoil.Spoil, seed: int, other: int) -> None:
    """The first run from that seed on that has something to spoil that way; the other number chooses what."""
    tries = (mutate(a_run(number % _RUNS), random.Random(other)) for number in range(seed, seed + _RUNS))
    spoiled = next(found for found in tries if found is not None)
    assert {found.invariant for found in check(spoiled).contradictions} == SPOILS[mutate]


def test_a_run_in_which_nothing_was_acknowledged_proves_nothing() -> None:
    run = Model(0).evidence()
    assert check(run).holds
    empty = check(replace(run, histories={}))
    assert (empty.acknowledged, empty.contradictions, empty.holds) == (0, [], False)


def test_what_is_kept_in_a_folder_is_judged_alike(tmp_path: Path) -> None:
    run = Model(1).evidence()
    for client, events in run.histories.items():
        history = History(history_file(tmp_path, client))
        for event in events:
            history.write(event)
        history.close()
    save_dumps(tmp_path, run)
    assert load_evidence(tmp_path) == run


def test_a_push_of_another_conversation_is_mixed_up() -> None:
    run = a_run(0)
    [(client, number, push), *_] = [found for found in spoil.pushes_of(run) if found[2].conversation == TALK]
    events = spoil.events_of(run, client)
    events[number] = structs.replace(push, conversation=GROUP)
    found = check(spoil.with_events(run, client, events)).contradictions
    assert any(one.invariant == "I3" and push.id in one.sentence for one in found)


def test_strangers_are_shown_invitations_and_their_own_removal() -> None:
    """Shows strangers no other removal, and no later record: those are for the members."""
    run = next(run for run in map(a_run, range(_RUNS)) if not carols(run).active)
    position = f"1:{PARTITION[GROUP]}:{carols(run).offset}"
    for client, kind in (("dora#0", "invitation"), ("carol#0", "members")):
        shown = shown_last(run, client, Pushed(1e9, 1_000, kind, position, GROUP))
        assert check(shown).contradictions == []
    shown = shown_last(run, "dora#0", Pushed(1e9, 1_000, "members", position, GROUP))
    assert [found.invariant for found in check(shown).contradictions] == ["I6"]


def carols(run: Evidence) -> Standing:
    return judge_log(1, run.log).standings[GROUP, PEOPLE["carol"]][-1]


def shown_last(run: Evidence, client: str, push: Pushed) -> Evidence:
    return spoil.with_events(run, client, [*spoil.events_of(run, client), Connected(1e9, 1_000, "g", None), push])
