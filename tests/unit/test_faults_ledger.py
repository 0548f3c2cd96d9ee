"""The plan of a seed is the same each time, and the ledger says by itself what it proves and what it does not."""

from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from faults.ledger import FaultLine, Line, RunLine, append_line, read_ledger, recount, shortcomings
from faults.plan import DELAY_MOST_S, make_plan
from faults.run import uses_of

USES = uses_of(1)
FAULT = FaultLine(
    run="r", number=1, kind="gateway killed", target="gateway-a", at_s=1.0, lasted_s=3.0, overlaps=2, sends_in_flight=4,
    reconnects_in_flight=0, evidence="pid 7 gone", bit=True, recovered_s=2.0, after_heal_s=0.0, limit_s=5.0,
)  # fmt: skip
OTHER = structs.replace(FAULT, number=2, kind="postgres killed", overlaps=1, recovered_s=4.0, after_heal_s=1.0)
RUN = RunLine(
    run="r", seed=1, began="2026-11-24T12:00:00+00:00", commit="abc", seconds=60.0, faults=2, acknowledged=1_000,
    lost=0, doubled=0, reordered=0, strangers=0, mixed_up=0, seen={"resets": 1},
)  # fmt: skip


@given(st.integers(0, 10**6))
def test_the_same_seed_gives_the_same_plan(seed: int) -> None:
    assert list(islice(make_plan(seed, USES), 40)) == list(islice(make_plan(seed, USES), 40))


@given(st.integers(0, 10**6))
def test_two_of_a_pair_use_nothing_in_common_and_begin_close_to_each_other(seed: int) -> None:
    for first, second in islice(make_plan(seed, USES), 40):
        assert not USES[first.kind] & USES[second.kind]
        assert second.delay_s - first.delay_s <= DELAY_MOST_S


def test_a_kind_that_cannot_be_paired_comes_alone() -> None:
    uses = {"one": frozenset({"all"}), "other": frozenset({"all"})}
    planned = list(islice(make_plan(1, uses), 4))
    assert [len(pair) for pair in planned] == [1, 1, 1, 1]
    assert {kind for [(kind, *_)] in planned} == {"one", "other"}


@given(st.integers(0, 10**6))
def test_no_kind_comes_much_more_often_than_another(seed: int) -> None:
    kinds = [planned.kind for pair in islice(make_plan(seed, USES), 90) for planned in pair]
    counts = [kinds.count(kind) for kind in USES]
    assert max(counts) - min(counts) <= 3


def test_a_ledger_in_which_all_is_well_has_no_shortcomings_and_can_be_recounted(tmp_path: Path) -> None:
    file = tmp_path / "ledger.jsonl"
    for line in (FAULT, OTHER, RUN):
        append_line(file, line)
    lines = read_ledger(file)
    assert lines == [FAULT, OTHER, RUN]
    assert list(shortcomings(lines)) == []
    said = "\n".join(recount(lines))
    assert "2 faults of 2 kinds in 1 runs, 2 of them overlapping another" in said
    assert "1,000 messages acknowledged: 0 lost, 0 doubled, 0 reordered, 0 to strangers" in said
    assert "| gateway killed | 1 | 2.0 s | 2.0 s | 0.0 s |" in said


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([structs.replace(FAULT, bit=False), OTHER, RUN], "did not bite"),
        ([structs.replace(FAULT, sends_in_flight=0), OTHER, RUN], "nothing was in flight"),
        ([structs.replace(FAULT, after_heal_s=None), OTHER, RUN], "was not recovered from"),
        ([structs.replace(FAULT, after_heal_s=5.1), OTHER, RUN], "took 5.1 s to recover from, and may take 5 s"),
        ([FAULT, RUN], "1 faults are in the ledger, and 2 were made"),
        ([FAULT, OTHER], "run r has no verdict"),
        ([structs.replace(RUN, faults=0)], "0 faults are in the ledger, and 0 were made"),
        ([FAULT, OTHER, structs.replace(RUN, acknowledged=0)], "nothing was acknowledged"),
        (
            [FAULT, OTHER, structs.replace(RUN, undrained="the archive did not catch up")],
            "the archive did not catch up",
        ),
        ([FAULT, OTHER, structs.replace(RUN, lost=1)], "1 lost"),
        ([FAULT, OTHER, structs.replace(RUN, doubled=2)], "2 doubled"),
        ([FAULT, OTHER, structs.replace(RUN, reordered=1)], "1 reordered"),
        ([FAULT, OTHER, structs.replace(RUN, strangers=1)], "1 strangers"),
        ([FAULT, OTHER, structs.replace(RUN, mixed_up=1)], "1 mixed_up"),
    ],
)
def test_each_shortcoming_is_told(lines: list[Line], sentence: str) -> None:
    found = list(shortcomings(lines))
    assert len(found) == 1
    assert sentence in found[0]
