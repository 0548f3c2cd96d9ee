"""`/metrics` of real processes: what was done is what is counted."""

import asyncio

import httpx
from prometheus_client.parser import text_string_to_metric_families

from klatsch.embedded.child import free_ports
from tests.e2e.talk import Open
from tests.support.process import HOST, GatewayProcess, PersisterProcess, wait_until
from tests.support.system import Person, System


def scrape(url: str, **labels: str) -> dict[str, float]:
    """Returns the samples, summed over their labels but for those that are given."""
    answer = httpx.get(f"{url}/metrics", trust_env=False)
    assert answer.status_code == 200
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            if labels.items() <= sample.labels.items():
                found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


def lives(url: str) -> bool:
    return httpx.get(f"{url}/livez", trust_env=False).is_success


async def test_a_gateway_counts_sends_answers_deliveries_and_connections(
    gateway_a: GatewayProcess, gateway_b: GatewayProcess, connect: Open, ana: Person, bob: Person
) -> None:
    sending, receiving = await connect(gateway_a, ana), await connect(gateway_b, bob)
    before_a, before_b = scrape(gateway_a.url), scrape(gateway_b.url)
    first = await sending.send("counted", to=bob.username)
    await sending.send("counted", to=bob.username, client_id=first.client_id)
    await sending.send("counted too", to=bob.username, client_id=first.client_id)
    await sending.send("", to=bob.username)
    await receiving.received("counted")

    wait_until(lambda: scrape(gateway_a.url)["klatsch_appended_total"] == before_a["klatsch_appended_total"] + 3, "3")
    after_a, after_b = scrape(gateway_a.url), scrape(gateway_b.url)
    assert after_a["klatsch_answered_total"] == before_a["klatsch_answered_total"] + 3
    assert after_a["klatsch_answer_seconds_count"] == before_a["klatsch_answer_seconds_count"] + 3
    assert scrape(gateway_a.url, outcome="duplicate")["klatsch_answered_total"] >= 1
    assert scrape(gateway_a.url, outcome="conflict")["klatsch_answered_total"] >= 1
    assert scrape(gateway_a.url, code="invalid_content")["klatsch_refused_total"] >= 1
    assert after_b["klatsch_delivered_total"] == before_b["klatsch_delivered_total"] + 1
    assert after_b["klatsch_delivery_seconds_count"] == before_b["klatsch_delivery_seconds_count"] + 1
    assert after_b["klatsch_delivery_seconds_bucket"] > before_b["klatsch_delivery_seconds_bucket"]
    assert after_b["klatsch_copies_total"] == before_b["klatsch_copies_total"] + 2
    assert after_a["klatsch_connections"] >= 1
    assert after_a["klatsch_ring_span_seconds"] >= 150
    wait_until(lambda: scrape(gateway_a.url).get("klatsch_feed_lag_records") == 0, "the feed has read all")


async def test_a_persister_counts_what_it_stores_and_how_far_it_is_behind(
    system: System, gateway_a: GatewayProcess, persister: PersisterProcess, connect: Open, ana: Person, bob: Person
) -> None:
    persister.stop()
    [port] = free_ports(1)
    url = f"http://{HOST}:{port}"
    mine = system.new_persister("measured")
    mine.start(KLATSCH_METRICS_PORT=str(port))
    client = await connect(gateway_a, ana)
    first = await client.send("stored", to=bob.username)
    await client.send("stored", to=bob.username, client_id=first.client_id)
    system.log.append(0, key=b"nobody's", value=b"nothing")
    system.wait_archived()

    wait_until(lambda: scrape(url)["klatsch_persisted_total"] == 1, "one message counted")
    found = scrape(url)
    assert lives(url)
    assert found["klatsch_copies_total"] == 1
    assert found["klatsch_archive_seconds_count"] == 1
    assert scrape(url, reason="unknown_key")["klatsch_dead_letters_total"] == 1
    assert found["klatsch_lag_records"] == 0


async def test_the_lag_is_seen_while_postgresql_takes_nothing(
    system: System, gateway_a: GatewayProcess, persister: PersisterProcess, connect: Open, ana: Person, bob: Person
) -> None:
    client = await connect(gateway_a, ana)
    await client.send("so that they know each other", to=bob.username)
    system.wait_archived()
    await asyncio.to_thread(persister.stop)
    [port] = free_ports(1)
    mine = system.new_persister("measured")
    await asyncio.to_thread(mine.start, KLATSCH_METRICS_PORT=str(port))
    with system.locked("messaging_message", "ACCESS EXCLUSIVE"):
        for number in range(3):
            await client.send(f"waits {number}", to=bob.username)
        wait_until(lambda: scrape(f"http://{HOST}:{port}")["klatsch_lag_records"] == 3, "a lag of 3")
    wait_until(lambda: scrape(f"http://{HOST}:{port}")["klatsch_lag_records"] == 0, "no lag")
