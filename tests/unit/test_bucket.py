"""The token bucket: an average, a burst of two seconds' worth, and an honest time to wait."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from klatsch.core.bucket import TokenBucket

rates = st.floats(0.01, 5)
pauses = st.lists(st.floats(0, 0.5), max_size=60)


def test_a_burst_of_two_seconds_worth_is_taken_at_once_and_no_more() -> None:
    bucket = TokenBucket(5, now_s=100)

    assert [bucket.take(100) for _ in range(10)] == [0.0] * 10
    assert bucket.take(100) == pytest.approx(0.2)


def test_a_long_pause_saves_up_no_more_than_one_burst() -> None:
    bucket = TokenBucket(5, now_s=0)

    assert [bucket.take(1_000) for _ in range(10)] == [0.0] * 10
    assert bucket.take(1_000) > 0


def test_a_rate_of_0_means_no_limit() -> None:
    bucket = TokenBucket(0, now_s=0)

    assert all(bucket.take(0) == 0.0 for _ in range(10_000))


def test_what_is_taken_once_in_a_while_is_allowed_even_when_the_burst_is_less_than_one() -> None:
    bucket = TokenBucket(0.1, now_s=0)

    assert bucket.take(0) == 0.0
    assert bucket.take(0) == pytest.approx(10)
    assert bucket.take(10.001) == 0.0


def test_tokens_come_at_the_rate_whoever_asks_in_between() -> None:
    bucket = TokenBucket(1, now_s=0)
    taken = [bucket.take(tenth / 10) == 0.0 for tenth in range(100)]

    assert 11 <= sum(taken) <= 12


@given(rates, pauses)
def test_never_more_is_taken_than_the_rate_and_one_burst_allow(per_second: float, waits: list[float]) -> None:
    bucket = TokenBucket(per_second, now_s=0)
    now_s = 0.0
    taken = 0
    for wait in waits:
        now_s += wait
        taken += bucket.take(now_s) == 0.0

    assert taken <= now_s * per_second + max(1.0, 2 * per_second) + 1e-6


@given(rates, pauses)
def test_after_the_told_seconds_there_is_a_token(per_second: float, waits: list[float]) -> None:
    bucket = TokenBucket(per_second, now_s=0)
    now_s = 0.0
    for wait in waits:
        now_s += wait
        if told := bucket.take(now_s):
            now_s += told * (1 + 1e-9) + 1e-9
            assert bucket.take(now_s) == 0.0
