"""What a gateway is asked for when it is scraped: how far behind its feed is, and how far back its ring remembers."""

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
    """To be scraped on the event loop, as all that it reads lives there. `ends` asks nobody."""

    def __init__(
        self, feed: Feed, pending: Pending, ring: Ring, ends: Callable[[], Mapping[int, int]], clock: Clock
    ) -> None:
        self._feed = feed
        self._pending = pending
        self._ring = ring
        self._ends = ends
        self._clock = clock

    def describe(self) -> Iterable[Metric]:
        """Nothing: the registry would collect to know the names, before there is anything to read."""
        return []

    def collect(self) -> Iterable[Metric]:
        now_s, offsets, entries = time.monotonic(), self._feed.offsets, len(self._ring)
        ring_bytes = entries * ENTRY_BYTES + self._feed.recent.size
        lag = {partition: max(end - offsets[partition], 0) for partition, end in self._ends().items()}
        yield by_partition("klatsch_feed_lag_records", "Records of the log that the feed has yet to read.", lag)
        for name, text, value in (
            (
                "klatsch_feed_waiting_seconds",
                "How long the oldest unanswered send has waited; beyond 5 s sends are refused.",
                self._waiting_s(now_s),
            ),
            (
                "klatsch_ring_span_seconds",
                "How far back every message id is remembered.",
                self._ring.span_s(self._clock()),
            ),
            ("klatsch_ring_entries", "Message ids that are remembered.", entries),
            ("klatsch_ring_bytes", "What they and the last pushes take, estimated.", ring_bytes),
        ):
            yield GaugeMetricFamily(name, text, value=value)

    def _waiting_s(self, now_s: float) -> float:
        oldest_s = self._pending.oldest_s()
        return 0.0 if oldest_s is None else now_s - oldest_s
