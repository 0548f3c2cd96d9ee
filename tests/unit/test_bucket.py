"""The token bucket: an average, a burst of two seconds' worth, and an honest time to wait."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from klatsch.core.bucket import Buckets, TokenBucket, tokens_for
from klatsch.core.errors import RateLimited
from klatsch.messaging.sending import check_audience, check_rate

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


def test_everybody_has_a_bucket_of_their_own() -> None:
    buckets = Buckets(1)
    assert [buckets.take("ana", 0), buckets.take("ana", 0), buckets.take("bob", 0)] == [0.0, 0.0, 0.0]
    assert buckets.take("ana", 0) == pytest.approx(1)


def test_who_sent_nothing_for_a_while_is_forgotten_and_who_is_short_of_tokens_is_not() -> None:
    buckets = Buckets(1)
    while not buckets.take("ana", 99.9):
        pass
    for number in range(100_000):
        buckets.take(f"person {number}", number / 1_000)  # a thousand new people a second, for 100 s
    assert len(buckets) < 6_000
    assert buckets.take("ana", 100) > 0


def test_without_a_limit_nobody_is_remembered() -> None:
    buckets = Buckets(0)
    assert buckets.take("ana", 0) == 0.0
    assert len(buckets) == 0


def test_what_goes_to_many_costs_more_tokens() -> None:
    assert [tokens_for(people) for people in (0, 2, 19, 20, 1_000, 2_000)] == [1, 1, 1, 2, 51, 101]
    bucket = TokenBucket(10, now_s=0)
    assert bucket.take(0, tokens_for(300)) == 0.0
    assert bucket.take(0, tokens_for(300)) == pytest.approx(1.2)
    assert bucket.take(1.3, tokens_for(300)) == 0.0


@given(st.integers(1, 500), st.integers(20, 5_000))
def test_a_message_to_any_number_of_people_can_be_sent_and_goes_after_the_told_seconds(rate: int, people: int) -> None:
    rates = Buckets(rate)
    now_s = 0.0

    def seconds_to_wait() -> float | None:
        try:
            check_rate(rates, "ana", now_s)
            check_audience(rates, "ana", people, now_s)
        except RateLimited as error:
            return error.retry_after
        return None

    assert seconds_to_wait() is None
    for _ in range(3):
        refusals = 0
        while (told_s := seconds_to_wait()) is not None:
            now_s += told_s + 0.001
            refusals += 1
        assert refusals <= 2  # the first may not know yet how many people there are


def test_nothing_costs_more_than_a_burst_so_that_everything_can_be_had() -> None:
    bucket = TokenBucket(1, now_s=0)
    assert bucket.take(0, 101) == 0.0
    assert bucket.take(0, 101) == pytest.approx(2)
    assert bucket.take(2, 101) == 0.0
