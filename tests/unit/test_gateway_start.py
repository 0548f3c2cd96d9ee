"""Where a gateway begins to read, so that it knows every copy of what it shows (D3)."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from klatsch.processes.gateway_start import begin_of

_MOST_SPANS = 4_032
"""A week of 150 s."""


class Log:
    """One partition: how many records were appended in each span of its life, the last one first."""

    def __init__(self, spans: list[int], oldest: int = 0) -> None:
        self.spans = spans
        self.oldest = oldest
        self.asked = 0

    def spans_ago(self, count: int) -> Mapping[int, int]:
        self.asked += 1
        return {0: self.oldest + sum(self.spans[count:])}


def test_where_the_archive_has_read_up_a_gateway_begins_a_span_ago() -> None:
    log = Log([10] * 20)
    assert begin_of(0, 195, 0, log.spans_ago) == 190
    assert log.asked == 2


def test_where_the_archive_lags_by_hours_it_begins_a_span_before_the_archives_place() -> None:
    log = Log([10] * _MOST_SPANS)
    archived = 10 * (_MOST_SPANS - 100) + 5  # between 99 and 100 spans ago
    begin = begin_of(0, archived, 0, log.spans_ago)

    assert 10 < archived - begin <= 20
    assert log.asked < 2 * _MOST_SPANS.bit_length()


def test_what_the_log_no_longer_holds_is_not_looked_for() -> None:
    log = Log([10] * 20, oldest=1_000)
    assert begin_of(0, 3, 1_000, log.spans_ago) == 1_000


@given(st.lists(st.integers(0, 3), max_size=40), st.integers(0, 120))
def test_all_of_the_span_before_the_archives_place_is_read(spans: list[int], archived: int) -> None:
    log = Log(spans)
    begin = begin_of(0, min(archived, sum(spans)), 0, log.spans_ago)
    place = min(archived, log.spans_ago(1)[0], sum(spans))
    in_span = next(count for count in range(1, len(spans) + 2) if log.spans_ago(count)[0] <= place)
    assert begin <= (log.spans_ago(1)[0] if in_span == 1 else log.spans_ago(in_span + 1)[0])
