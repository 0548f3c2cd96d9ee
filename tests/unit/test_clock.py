"""Times as text: RFC 3339 in UTC with milliseconds, whatever was formatted before."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from klatsch.core.clock import timestamp

YEAR_9999_MS = 253_402_300_799_999
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def test_a_timestamp_is_rfc_3339_in_utc_with_milliseconds() -> None:
    assert timestamp(1_795_464_000_000) == "2026-11-23T20:00:00.000Z"
    assert timestamp(0) == "1970-01-01T00:00:00.000Z"


@given(st.lists(st.integers(0, YEAR_9999_MS), min_size=1, max_size=5))
def test_a_timestamp_is_read_back_as_the_same_millisecond_whatever_came_before(times: list[int]) -> None:
    for milliseconds in times:
        text = timestamp(milliseconds)
        since_1970 = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC) - EPOCH

        assert len(text) == 24
        assert since_1970 // timedelta(milliseconds=1) == milliseconds


@given(st.integers(0, YEAR_9999_MS), st.integers(0, YEAR_9999_MS))
def test_timestamps_sort_as_their_times_do(one: int, other: int) -> None:
    assert (timestamp(one) < timestamp(other)) == (one < other)
