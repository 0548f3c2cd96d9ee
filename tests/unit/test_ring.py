"""The ring: a copy is known for what it is for at least the span, and nothing is kept for ever (D3)."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from klatsch.gateway.ring import Ring
from klatsch.messaging.events import judge_header

SPAN_S = 150.0
SENDER = bytes(16)


def name(number: int) -> bytes:
    return number.to_bytes(16, "big")


def header(number: int, body: bytes = b"body") -> bytes:
    return judge_header(name(number), SENDER, body.ljust(16, b"."))


@dataclass
class Step:
    """Time passes; then a batch with these messages comes."""

    pause_s: float
    messages: list[int]


pauses = st.floats(0, SPAN_S * 2) | st.sampled_from([0.0, SPAN_S / 4, SPAN_S / 2, SPAN_S])
steps = st.lists(st.builds(Step, pauses, st.lists(st.integers(0, 30), max_size=5)), max_size=30)


@given(steps)
def test_a_copy_is_known_for_at_least_the_span_whatever_the_times_of_the_turns(taken: list[Step]) -> None:
    now_s, offset = 0.0, 0
    ring = Ring(SPAN_S, now_s)
    model: dict[int, tuple[float, int]] = {}
    for step in taken:
        now_s += step.pause_s
        ring.turn(now_s)
        for message in step.messages:
            found = ring.find(header(message))
            since_s, first = model.get(message, (-1.0, -1))
            if message in model and now_s - since_s < SPAN_S:
                assert found == first
            if found is None:
                ring.remember(header(message), offset)
                model[message] = (now_s, offset)
            else:
                assert found == first
            offset += 1


@given(st.floats(0, 10 * SPAN_S), st.floats(0.001, SPAN_S / 4))
def test_what_is_older_than_the_span_and_a_quarter_is_forgotten(start_s: float, every_s: float) -> None:
    ring = Ring(SPAN_S, start_s)
    ring.remember(header(1), 7)
    now_s = start_s
    while now_s < start_s + SPAN_S * 1.25 + 5 * every_s:
        now_s += max(every_s, SPAN_S / 40)
        ring.turn(now_s)

    assert ring.find(header(1)) is None
    assert len(ring) == 0


def test_a_copy_is_known_by_its_id_and_told_from_another_body() -> None:
    ring = Ring(SPAN_S, 0)
    ring.remember(header(1, b"hi"), 7)

    assert ring.find(header(1, b"ho")) == 7
    assert ring.same_body(name(1), b"hi".ljust(16, b"."))
    assert not ring.same_body(name(1), b"ho".ljust(16, b"."))


def test_what_was_never_remembered_has_no_place_and_no_body() -> None:
    ring = Ring(SPAN_S, 0)

    assert ring.find(header(1)) is None
    assert not ring.same_body(name(1), b"body".ljust(16, b"."))


@pytest.mark.parametrize("offset", [0, 1, 2**31, 2**63 - 1])
def test_every_offset_of_the_log_is_given_back(offset: int) -> None:
    ring = Ring(SPAN_S, 0)
    ring.remember(header(1), offset)

    assert ring.find(header(1)) == offset
    assert ring.same_body(name(1), b"body".ljust(16, b"."))


def test_its_length_is_how_many_ids_it_remembers() -> None:
    ring = Ring(SPAN_S, 0)
    for number in range(5):
        ring.remember(header(number), number)
        ring.turn(number * SPAN_S / 4)

    assert len(ring) == 5
