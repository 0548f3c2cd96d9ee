"""The ring: a copy is known for what it is for at least the span, and nothing is kept for ever (D3)."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from klatsch.eventlog.log import Record
from klatsch.gateway.feed.ring import Ring, RingFull
from klatsch.records.header import NEW_MESSAGE, REACTION, judged_id, make_header
from klatsch.records.verdicts import Target, apply_change, reaction_key

SPAN_S = 150.0
SPAN_MS = int(SPAN_S * 1_000)
SENDER = bytes(16)


def record(number: int, offset: int, *, body: bytes = b"body", time_ms: int = 0, partition: int = 0) -> Record:
    judge = make_header(NEW_MESSAGE, number.to_bytes(16, "big"), SENDER, padded(body))
    return Record(partition, offset, b"key", b"", judge, b"", time_ms)


def find(ring: Ring, copy: Record) -> int | None:
    return ring.find_id(copy.partition, judged_id(copy.judge))


def padded(body: bytes) -> bytes:
    return body.ljust(16, b".")


@dataclass
class Step:
    """A step of the log: time passes, then these messages come."""

    pause_ms: int
    messages: list[int]


pauses = st.integers(0, SPAN_MS * 2) | st.sampled_from([0, SPAN_MS // 4, SPAN_MS // 2, SPAN_MS])
steps = st.lists(st.builds(Step, pauses, st.lists(st.integers(0, 30), max_size=5)), max_size=30)


@given(steps)
def test_a_copy_is_known_for_at_least_the_span_whatever_the_times_of_the_records(taken: list[Step]) -> None:
    now_ms, offset = 0, 0
    ring = Ring(1, SPAN_S)
    model: dict[int, tuple[int, int]] = {}
    for step in taken:
        now_ms += step.pause_ms
        for message in step.messages:
            read = record(message, offset, time_ms=now_ms)
            found = find(ring, read)
            since_ms, first = model.get(message, (-1, -1))
            if message in model and now_ms - since_ms < SPAN_MS:
                assert found == first
            if found is None:
                ring.remember(read)
                model[message] = (now_ms, offset)
            else:
                assert found == first
            offset += 1


@given(st.integers(0, 10 * SPAN_MS), st.integers(1, SPAN_MS // 4))
def test_what_is_older_than_the_span_and_a_quarter_is_forgotten(start_ms: int, every_ms: int) -> None:
    ring = Ring(1, SPAN_S)
    ring.remember(record(1, 7, time_ms=start_ms))
    now_ms, number = start_ms, 1
    while now_ms < start_ms + SPAN_MS * 1.25 + 5 * every_ms:
        now_ms += max(every_ms, SPAN_MS // 40)
        number += 1
        ring.remember(record(number, number, time_ms=now_ms))

    assert find(ring, record(1, 8)) is None


def test_hours_of_the_log_that_are_read_up_at_once_leave_no_more_than_the_span() -> None:
    ring = Ring(2, SPAN_S)
    an_hour_ms = 3_600_000
    for partition in (0, 1):  # one is read up before the other begins
        for second in range(3_600):
            ring.remember(record(10_000 * partition + second, second, partition=partition, time_ms=second * 1_000))
    ring.check()

    assert len(ring) < 2 * 1.3 * SPAN_S
    last = an_hour_ms // 1_000 - 1
    assert [find(ring, record(10_000 * p + last - 149, 0, partition=p)) for p in (0, 1)] == [last - 149] * 2


def test_a_record_of_an_earlier_time_changes_nothing_for_the_others() -> None:
    ring = Ring(1, SPAN_S)
    ring.remember(record(1, 1, time_ms=1_000_000))
    for number in range(2, 20):
        ring.remember(record(number, number, time_ms=0))

    assert [find(ring, record(number, 0)) for number in range(1, 20)] == list(range(1, 20))


def test_beyond_its_bound_it_says_so_and_what_can_be_done() -> None:
    ring = Ring(1, SPAN_S, entries_most=3)
    for number in range(3):
        ring.remember(record(number, number))
    ring.check()
    ring.remember(record(3, 3))

    with pytest.raises(RingFull, match="KLATSCH_RING_SECONDS"):
        ring.check()


def test_a_copy_is_known_by_its_id_and_told_from_another_body() -> None:
    ring = Ring(1, SPAN_S)
    ring.remember(record(1, 7, body=b"hi"))

    assert find(ring, record(1, 8, body=b"ho")) == 7
    assert ring.same_body(record(1, 8), padded(b"hi"))
    assert not ring.same_body(record(1, 8), padded(b"ho"))


def test_what_was_never_remembered_has_no_place_and_no_body() -> None:
    ring = Ring(2, SPAN_S)
    ring.remember(record(1, 7, partition=1))

    assert find(ring, record(1, 8)) is None
    assert not ring.same_body(record(1, 8), padded(b"body"))


@pytest.mark.parametrize("offset", [0, 1, 2**31, 2**63 - 1])
def test_every_offset_of_the_log_is_given_back(offset: int) -> None:
    ring = Ring(1, SPAN_S)
    ring.remember(record(1, offset))

    assert find(ring, record(1, 0)) == offset
    assert ring.same_body(record(1, 0), padded(b"body"))


def test_its_length_is_how_many_ids_it_remembers() -> None:
    ring = Ring(1, SPAN_S)
    for number in range(5):
        ring.remember(record(number, number, time_ms=number * SPAN_MS // 4))

    assert len(ring) == 5


def test_it_spans_no_less_than_it_promises_at_any_time() -> None:
    ring = Ring(1, 100, now_ms=1_000_000)
    for now_ms in range(1_000_000, 2_000_000, 5_000):
        ring.remember(record(now_ms, 0, time_ms=now_ms))
        assert 100 <= ring.span_s(now_ms) <= 225


def reaction(number: int, name: int, time_ms: int) -> Record:
    digest = name.to_bytes(15, "big") + b"\1"
    judge = make_header(REACTION, number.to_bytes(16, "big"), SENDER, digest, target=b"a message' id...")
    return Record(0, number, b"key", b"", judge, b"", time_ms)


def test_a_message_that_is_reacted_to_for_hours_keeps_the_reactions_of_the_span() -> None:
    ring, target = Ring(1, SPAN_S), Target()
    for number in range(10_000):
        for name in (0, number + 1):
            change = reaction(2 * number + bool(name), name, number * 1_000)
            apply_change(change, target)
            ring.remember_change(change, target)
    assert len(target.reactions) == SPAN_S + 2
    assert {reaction_key(reaction(0, name, 0).judge) for name in (0, 10_000 - int(SPAN_S), 10_000)} <= set(
        target.reactions
    )
