"""Metrics that a persister computes when it is scraped: the archive's lag behind the log."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from klatsch.core.metrics import by_partition


class PersisterGauges(Collector):
    """The lag of the partitions that this persister holds. Both functions may be called on any thread."""

    def __init__(self, ends: Callable[[], Mapping[int, int]], stored: Callable[[], Mapping[int, int]]) -> None:
        self._ends = ends
        self._stored = stored

    def describe(self) -> Iterable[Metric]:
        """Returns nothing: otherwise the registry would collect for the names before there is anything to read."""
        return []

    def collect(self) -> Iterable[Metric]:
        stored, ends = self._stored(), self._ends()
        lag = {partition: max(ends[partition] - offset, 0) for partition, offset in stored.items() if partition in ends}
        yield by_partition("klatsch_lag_records", "Records of the log that are not in the archive yet.", lag)
