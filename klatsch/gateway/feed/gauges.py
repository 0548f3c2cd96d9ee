"""Metrics that a gateway computes when it is scraped: the feed's lag, and the span that the ring remembers."""

import time
from collections.abc import Callable, Iterable, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from klatsch.core.clock import Clock
from klatsch.core.metrics import by_partition
from klatsch.gateway.feed.feed import Feed
from klatsch.gateway.feed.pending import Pending
from klatsch.gateway.feed.ring import ENTRY_BYTES, Ring


class GatewayGauges(Collector):
    """Must be scraped on the event loop, where its values live. `ends` does no I/O."""

    def __init__(
        self, feed: Feed, pending: Pending, ring: Ring, ends: Callable[[], Mapping[int, int]], clock: Clock
    ) -> None:
        self._feed = feed
        self._pending = pending
        self._ring = ring
        self._ends = ends
        self._clock = clock

    def describe(self) -> Iterable[Metric]:
        """Returns nothing: otherwise the registry would collect for the names before there is anything to read."""
        return []

    def collect(self) -> Iterable[Metric]:
        now_s, offsets, entries = time.monotonic(), self._feed.offsets, len(self._ring)
        ring_bytes = entries * ENTRY_BYTES + self._feed.recent.size
        lag = {partition: max(end - offsets[partition], 0) for partition, end in self._ends().items()}
        yield by_partition("klatsch_feed_lag_records", "Records of the log that the feed has not read yet.", lag)
        for name, text, value in (
            (
                "klatsch_feed_waiting_seconds",
                "Age of the oldest unanswered send. Beyond 5 s, sends are refused.",
                self._waiting_s(now_s),
            ),
            (
                "klatsch_ring_span_seconds",
                "Span for which every message id is remembered.",
                self._ring.span_s(self._clock()),
            ),
            ("klatsch_ring_entries", "Remembered message ids.", entries),
            ("klatsch_ring_bytes", "Estimated memory of remembered ids and pushes.", ring_bytes),
        ):
            yield GaugeMetricFamily(name, text, value=value)

    def _waiting_s(self, now_s: float) -> float:
        oldest_s = self._pending.oldest_s()
        return 0.0 if oldest_s is None else now_s - oldest_s
