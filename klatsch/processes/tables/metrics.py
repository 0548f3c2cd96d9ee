"""The metrics as docs/metrics.md shows them: names, labels and texts."""

from collections.abc import Iterable, Iterator

from prometheus_client import REGISTRY
from prometheus_client.core import Metric
from prometheus_client.metrics import MetricWrapperBase

from klatsch.core import metrics
from klatsch.gateway.feed.feed import Feed
from klatsch.gateway.feed.gauges import GatewayGauges
from klatsch.gateway.feed.pending import Pending
from klatsch.gateway.feed.ring import Ring
from klatsch.gateway.hub import Hub
from klatsch.persister.gauges import PersisterGauges
from klatsch.processes.tables.markdown import table


def metrics_table() -> str:
    """Returns a row for each metric of Klatsch."""
    return table(("metric", "labels", "of", "what"), _rows())


def gateway_families() -> list[Metric]:
    """Returns the metrics that only a gateway exports, from a gateway that has read nothing."""
    pending, ring = Pending(), Ring(1, 150)
    feed = Feed(epoch=1, offsets={0: 0}, hub=Hub(), pending=pending, ring=ring, recent_bytes=2**20)
    return list(GatewayGauges(feed, pending, ring, lambda: {0: 0}, lambda: 0).collect())


def persister_families() -> list[Metric]:
    """Returns the metrics that only a persister exports, from a persister that has stored nothing."""
    return list(PersisterGauges(lambda: {0: 0}, lambda: {0: 0}).collect())


def _rows() -> Iterator[tuple[str, ...]]:
    common = [family for family in REGISTRY.collect() if family.name.startswith("klatsch_")]
    for of, families in (("all", common), ("gateway", gateway_families()), ("persister", persister_families())):
        for family in families:
            name = family.name + ("_total" if family.type == "counter" else "")
            yield f"`{name}`", ", ".join(f"`{label}`" for label in _labels(family)), of, family.documentation


def _labels(family: Metric) -> Iterable[str]:
    for one in vars(metrics).values():
        if isinstance(one, MetricWrapperBase) and one._name == family.name:  # noqa: SLF001 - no sample yet, no label
            return map(str, one._labelnames)  # noqa: SLF001
    own = {label for sample in family.samples for label in sample.labels}
    return sorted(own - {"le"})
