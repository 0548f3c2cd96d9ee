"""Metrics of this process, exported at `/metrics`. No label has a name, an address or content.

A Counter's `inc` takes a lock (0.5 µs, 1.6 µs with a label), a Histogram's `observe` two. What happens for each
message is therefore counted in plain numbers and added once per batch or tick. `Durations` takes no lock at all.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

BOUNDS_S: Final = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0)
"""Upper bounds of the histograms' buckets, inclusive: dense around the goals (2.5 and 8 ms)."""


class Durations(Collector):
    """A histogram of seconds that one thread fills. A scrape in another may see the newest value half counted."""

    def __init__(self, name: str, text: str, registry: CollectorRegistry = REGISTRY) -> None:
        self._name = name
        self._text = text
        self._counts = [0] * (len(BOUNDS_S) + 1)
        self._sum_s = 0.0
        registry.register(self)

    def observe(self, seconds: float, times: int = 1) -> None:
        """Counts `times` events of `seconds` each. Clocks that disagree never make a negative duration."""
        seconds = max(seconds, 0.0)
        self._counts[bisect_left(BOUNDS_S, seconds)] += times
        self._sum_s += seconds * times

    def collect(self) -> Iterable[Metric]:
        counted = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip((*map(str, BOUNDS_S), "+Inf"), list(self._counts), strict=True):
            counted += count
            buckets.append((bound, counted))
        yield HistogramMetricFamily(self._name, self._text, buckets=buckets, sum_value=self._sum_s)


def by_partition(name: str, text: str, values: Mapping[int, float]) -> GaugeMetricFamily:
    """Returns a gauge with a value for each partition."""
    gauge = GaugeMetricFamily(name, text, labels=["partition"])
    for partition, value in sorted(values.items()):
        gauge.add_metric([str(partition)], value)
    return gauge


CONNECTIONS = Gauge("klatsch_connections", "Open WebSocket connections.")
CLOSED = Counter(
    "klatsch_closed",
    "WebSocket connections that the server closed, by close code: 4302 means too slow, 4429 too many frames.",
    ["code"],
)
# The labels that alerts look at are 0 from the start: increase() and rate() over a series that begins with 1 are 0.
CLOSED.labels("4302")
APPENDED = Counter("klatsch_appended", "Records appended by sends over sockets.")
_ANSWERED = Counter("klatsch_answered", "Appended sends, by outcome; accepted is REST's 202.", ["outcome"])
ANSWERED = {
    outcome: _ANSWERED.labels(outcome) for outcome in ("ok", "accepted", "duplicate", "conflict", "rejected", "unknown")
}
"""`accepted` is REST's 202: in the log, not yet judged."""
REFUSED = Counter("klatsch_refused", "Frames and REST sends refused before anything was appended, by code.", ["code"])
CAPPED = Counter("klatsch_capped", "Requests and connections refused at a cap of SECURITY.md, by cap.", ["cap"])
RESETS = Counter(
    "klatsch_resets",
    "Conversations that resuming clients were told to reload: too_far_behind, archive_behind or unknown_epoch.",
    ["why"],
)
DELIVERED = Counter("klatsch_delivered", "Messages pushed to sockets, each socket counted.")
COPIES = Counter("klatsch_copies", "Duplicate records of a message; each gateway and the persister count them.")
VOID = Counter(
    "klatsch_void", "Void records, whose sender had been removed; each gateway and the persister count them."
)
MARKS = Counter("klatsch_marks", "Marks that people made: how far they have received and read a conversation.")
MARKERS = Counter("klatsch_markers", "Marker records appended: at most one a second for a person and a conversation.")
SKIPPED = Counter("klatsch_skipped", "Records that are not Klatsch's, as gateways saw them.")
PERSISTED = Counter("klatsch_persisted", "Messages stored in the archive.")
DEAD_LETTERS = Counter(
    "klatsch_dead_letters", "Records that could not be stored, by reason. Investigate anything above 0.", ["reason"]
)
for _reason in (
    "bad_json",
    "bad_record",
    "empty",
    "mismatch",
    "no_judge",
    "no_key",
    "unknown_conversation",
    "unknown_key",
    "unknown_message",
    "unknown_sender",
    "unknown_version",
    "wrong_key",
):  # and sqlstate_*, as many as PostgreSQL has
    DEAD_LETTERS.labels(_reason)
STATEMENTS_REFUSED = Counter(
    "klatsch_statements_refused",
    "Retried statements that PostgreSQL refused as wrong, by SQLSTATE: tables of another version, or a bug.",
    ["sqlstate"],
)
for _sqlstate in ("none", "42P01", "42703", "42501"):  # no such table, no such column, no right: the likely ones
    STATEMENTS_REFUSED.labels(_sqlstate)
FENCED = Counter("klatsch_fenced", "Batches rolled back because another persister had stored them.")
LOG_CLIENTS_REPLACED = Counter(
    "klatsch_log_clients_replaced",
    "Stalled clients of Kafka that were replaced, by role. Investigate tail and group above 0.",
    ["client"],
)
for _client in (
    "tail",
    "group",
    "writer",
    "asker",
    "signals_tail",
    "signals_writer",
):
    LOG_CLIENTS_REPLACED.labels(_client)
SIGNALS_APPENDED = Counter("klatsch_signals_appended", "Signals appended to their topic, by kind.", ["kind"])
SIGNALS_PUSHED = Counter("klatsch_signals_pushed", "Signals pushed to sockets, by kind.", ["kind"])
SIGNALS_DROPPED = Counter(
    "klatsch_signals_dropped",
    "Signals that went nowhere: away (no topic), busy (other frames waited), often, void, full or unreadable.",
    ["why"],
)
for _kind in ("typing", "presence"):
    SIGNALS_APPENDED.labels(_kind)
    SIGNALS_PUSHED.labels(_kind)
for _why in ("away", "busy", "often", "void", "full", "unreadable"):
    SIGNALS_DROPPED.labels(_why)
SIGNALS_AWAY = Gauge("klatsch_signals_away", "1 while a gateway cannot use the topic of signals. It tries again.")
PEOPLE_ELSEWHERE = Gauge("klatsch_people_elsewhere", "People online at other gateways, as a gateway knows of.")
PEOPLE_WATCHED = Gauge("klatsch_people_watched", "People whose presence connections of a gateway show, each once.")
ADDED_PARTITIONS = Gauge(
    "klatsch_added_partitions", "Partitions that were added to the topic and that Klatsch neither reads nor writes."
)
IGNORED_RECORDS = Gauge(
    "klatsch_ignored_records", "Records of other producers in added partitions, which Klatsch does not read."
)
REQUESTS = Counter("klatsch_requests", "HTTP requests that Django answered.", ["method", "status"])
for _method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
    for _status in ("500", "503"):
        REQUESTS.labels(_method, _status)
REQUEST_SECONDS = Histogram("klatsch_request_seconds", "Django's time for a request.", buckets=BOUNDS_S)
ANSWER_SECONDS = Durations(
    "klatsch_answer_seconds", "From the append of a send to its answer, which its gateway reads back from the log."
)
DELIVERY_SECONDS = Durations(
    "klatsch_delivery_seconds",
    "From the append of a message to the sockets of a gateway, by the clocks of both; each batch of the log counts "
    "with its first message's time.",
)
ARCHIVE_SECONDS = Durations(
    "klatsch_archive_seconds",
    "From the append of a message to its commit in PostgreSQL, by the clocks of both; one message stands for up to 16.",
)
