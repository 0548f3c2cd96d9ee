"""Where a gateway begins to read, so that it knows every copy of what it shows (D3)."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from klatsch.processes.gateway_start import RECENT_SPANS, begin_of

_MOST_SPANS = 4_032
"""A week of 150 s."""


class Log:
    """A log of one partition: how many records came in each fifth of a span of its life, the last one first."""

    def __init__(self, fifths: list[int], oldest: int = 0) -> None:
        self.fifths = fifths
        self.oldest = oldest
        self.asked = 0

    def spans_ago(self, count: float) -> Mapping[int, int]:
        self.asked += 1
        return {0: self.oldest + sum(self.fifths[round(count * 5) :])}


def test_where_the_archive_has_read_up_a_gateway_begins_a_span_before_what_it_replays() -> None:
    log = Log([10] * 20)
    assert begin_of(0, 195, 0, log.spans_ago) == 140
    assert log.asked == 2


def test_where_the_archive_lags_within_the_span_a_gateway_begins_a_span_before_the_archives_place() -> None:
    log = Log([10] * 20)
    assert begin_of(0, 165, 0, log.spans_ago) == 100


def test_where_the_archive_lags_by_hours_it_begins_a_span_before_the_archives_place() -> None:
    log = Log([2] * _MOST_SPANS * 5)
    archived = 10 * (_MOST_SPANS - 100) + 5  # between 99 and 100 spans ago
    begin = begin_of(0, archived, 0, log.spans_ago)

    assert 10 < archived - begin <= 20
    assert log.asked < 2 * _MOST_SPANS.bit_length()


def test_what_the_log_no_longer_holds_is_not_looked_for() -> None:
    log = Log([2] * 100, oldest=1_000)
    assert begin_of(0, 3, 1_000, log.spans_ago) == 1_000


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(0, 180))
def test_all_of_the_span_before_the_archives_place_is_read(fifths: list[int], archived: int) -> None:
    log = Log(fifths)
    begin = begin_of(0, min(archived, sum(fifths)), 0, log.spans_ago)
    judged = min(archived, sum(fifths), log.spans_ago(RECENT_SPANS)[0])
    ago = next(count for count in range(len(fifths) + 6) if log.spans_ago(count / 5)[0] <= judged)
    assert begin <= log.spans_ago(ago / 5 + 1)[0]
