"""Metrics are counted in plain numbers where they are frequent, and shown as Prometheus reads them."""

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from klatsch.core.exposition import exposition, may_read
from klatsch.core.metrics import ANSWERED, BOUNDS_S, DELIVERED, DELIVERY_SECONDS, Durations
from klatsch.eventlog.log import Record
from klatsch.gateway.feed.feed import Feed
from klatsch.gateway.feed.gauges import GatewayGauges
from klatsch.gateway.feed.pending import Pending
from klatsch.gateway.feed.ring import Ring
from klatsch.gateway.feed.tally import Tally
from klatsch.gateway.hub import Hub
from klatsch.persister.gauges import PersisterGauges
from klatsch.persister.http import serve_metrics

TOKEN = "a-token-of-prometheus"


def shown(registry: CollectorRegistry) -> dict[str, float]:
    """Returns each sample by its name and labels, as Prometheus parses it."""
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        s.name + str(sorted(s.labels.items())): s.value
        for family in families
        for s in family.samples
        if not s.name.endswith("_created")
    }


def delivery_counts() -> dict[str, float]:
    [family] = DELIVERY_SECONDS.collect()
    return {sample.labels["le"]: sample.value for sample in family.samples if sample.name.endswith("_bucket")}


@given(st.lists(st.one_of(st.sampled_from(BOUNDS_S), st.floats(0, 100))))
def test_durations_are_shown_as_the_librarys_own_histogram_shows_them(times: list[float]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    durations = Durations("h", "text", ours)
    histogram = Histogram("h", "text", buckets=BOUNDS_S, registry=theirs)
    for seconds in times:
        durations.observe(seconds)
        histogram.observe(seconds)
    assert shown(ours) == pytest.approx(shown(theirs))


def test_one_observation_may_stand_for_several_and_none_takes_less_than_no_time() -> None:
    registry = CollectorRegistry()
    durations = Durations("h", "text", registry)
    durations.observe(-3.0, times=5)
    found = shown(registry)
    assert (found["h_count[]"], found["h_sum[]"]) == (5, 0)
    assert found["h_bucket[('le', '0.001')]"] == 5


def test_a_batch_is_folded_in_once_and_its_first_message_says_how_long_all_took() -> None:
    tally = Tally(ok=2, duplicate=1, delivered=7, pushed=3)
    tally.first_pushed = b'{"content":"\\"sent_at\\":\\"no","sent_at":"2026-11-23T20:00:00.000Z","reply_to":null}'
    before, delivered, ok = delivery_counts(), DELIVERED._value.get(), ANSWERED["ok"]._value.get()
    tally.fold()
    tally.fold()
    tally.measure(now_s=5.0, now_ms=1_795_464_000_010)
    assert (DELIVERED._value.get() - delivered, ANSWERED["ok"]._value.get() - ok) == (7, 2)
    after = delivery_counts()
    assert {le for le in after if after[le] - before[le] == 3} == set(map(str, BOUNDS_S[4:])) | {"+Inf"}
    assert tally == Tally()


@pytest.mark.parametrize("value", [b"", b'{"sent_at":"', b'{"sent_at":"yesterday"}', b'{"sent_at":"\xff"}'])
def test_a_message_without_a_time_is_not_measured_and_stops_nothing(value: bytes) -> None:
    before = delivery_counts()
    Tally(pushed=1, first_pushed=value).measure(now_s=0.0, now_ms=0)
    assert delivery_counts() == before


def test_a_gateway_shows_its_lag_its_oldest_send_and_its_ring() -> None:
    pending, ring = Pending(), Ring(2, 150, now_ms=0)
    feed = Feed(epoch=1, offsets={0: 5, 1: 7}, hub=Hub(), pending=pending, ring=ring, recent_bytes=2**20)
    ring.remember(Record(0, 3, b"", b"", bytes(49), time_ms=1))
    registry = CollectorRegistry()
    registry.register(GatewayGauges(feed, pending, ring, lambda: {0: 9, 1: 6}, lambda: 10_000))
    found = shown(registry)
    assert found["klatsch_feed_lag_records[('partition', '0')]"] == 4
    assert found["klatsch_feed_lag_records[('partition', '1')]"] == 0
    assert found["klatsch_feed_waiting_seconds[]"] == 0
    assert (found["klatsch_ring_entries[]"], found["klatsch_ring_bytes[]"]) == (1, 140)
    assert found["klatsch_ring_span_seconds[]"] == 160


def test_a_persister_shows_the_lag_of_what_it_holds_where_it_is_known() -> None:
    registry = CollectorRegistry()
    registry.register(PersisterGauges(lambda: {0: 9, 2: 4}, lambda: {0: 4, 1: 8}))
    assert shown(registry) == {"klatsch_lag_records[('partition', '0')]": 5}


@pytest.mark.parametrize(
    ("authorization", "token", "allowed"),
    [
        ("", "", True),
        ("Bearer whatever", "", True),
        (f"Bearer {TOKEN}", TOKEN, True),
        (f"bearer  {TOKEN} ", TOKEN, True),
        ("", TOKEN, False),
        (TOKEN, TOKEN, False),
        (f"Basic {TOKEN}", TOKEN, False),
        (f"Bearer {TOKEN}x", TOKEN, False),
        ("Bearer ü", TOKEN, False),
    ],
)
def test_metrics_are_for_whoever_has_the_token_where_one_is_set(authorization: str, token: str, allowed: bool) -> None:  # noqa: FBT001
    assert may_read(authorization, token) is allowed


@pytest.fixture
def persister_url() -> Iterator[str]:
    server = serve_metrics("127.0.0.1", 0, TOKEN)
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def status(url: str, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_persister_says_that_it_lives_and_shows_its_metrics_for_the_token(persister_url: str) -> None:
    assert status(f"{persister_url}/livez") == 200
    assert status(f"{persister_url}/metrics") == 401
    assert status(f"{persister_url}/metrics", Authorization=f"Bearer {TOKEN}") == 200
    assert status(f"{persister_url}/admin/") == 404


def test_a_persister_writes_no_line_about_who_asked(persister_url: str, capfd: pytest.CaptureFixture[str]) -> None:
    status(f"{persister_url}/metrics")
    assert capfd.readouterr() == ("", "")


def test_everything_that_is_counted_is_shown_from_the_start() -> None:
    text = exposition().decode()
    for outcome in ("ok", "duplicate", "conflict", "rejected", "unknown"):
        assert f'klatsch_answered_total{{outcome="{outcome}"}}' in text
    assert "klatsch_archive_seconds_count" in text
