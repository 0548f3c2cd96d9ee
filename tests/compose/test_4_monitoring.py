"""Prometheus sees every process by its own address. Grafana has no stand-in here: its files are only parsed."""

import asyncio
import json

import pytest
import yaml

from tests.compose.stack import ROOT, Stack, wait_until
from tests.compose.talk import conversation

_OF_TROUBLE = {"Refusals", "Sockets closed by us", "Dead letters, statements refused"}
"""Panels that show nothing as long as all is well."""


def ask(stack: Stack, query: str) -> list[str]:
    """Returns what Prometheus answers, a line for each series."""
    said = stack.inside("prometheus", "promtool", "query", "instant", "http://127.0.0.1:9090", query)
    return said.splitlines()


@pytest.fixture(scope="module")
def watched(stack: Stack) -> Stack:
    """Runs Prometheus beside the stack."""
    stack.compose("--profile", "monitoring", "up", "--wait", "--no-deps", "prometheus")
    return stack


def test_prometheus_scrapes_each_process_and_knows_the_rules(watched: Stack) -> None:
    def scraped() -> bool:
        alive = [line for line in ask(watched, "up == 1") if "=> 1" in line]
        return all(any(f'process="{one}"' in line for line in alive) for one in ("gateway", "api", "persister"))

    wait_until(scraped, "gateway, api and persister have been scraped")
    assert ask(watched, "klatsch_connections")
    said = watched.inside("prometheus", "promtool", "check", "config", "/etc/klatsch/prometheus/prometheus.yaml")
    assert "1 rule files found" in said
    assert "SUCCESS" in said


def test_the_rules_wake_somebody_in_an_outage_and_nobody_otherwise(watched: Stack) -> None:
    test = ("promtool", "test", "rules", "/etc/klatsch/prometheus/alerts.test.yaml")
    said = watched.inside("prometheus", "env", "TMPDIR=/prometheus", *test)  # the container writes nowhere else
    assert "SUCCESS" in said


async def test_every_panel_of_the_dashboard_has_something_to_show(watched: Stack) -> None:
    panels = json.loads((ROOT / "deploy" / "grafana" / "klatsch.json").read_text())["panels"]
    queries = {
        target["expr"].replace("$__rate_interval", "1m"): panel["title"]
        for panel in panels
        for target in panel["targets"]
    }

    def empty() -> set[str]:
        return {title for query, title in queries.items() if not ask(watched, query)}

    async with conversation(watched):
        await asyncio.to_thread(wait_until, lambda: empty() <= _OF_TROUBLE, "each panel shows something", 120)


def test_a_killed_prometheus_comes_back_by_itself_and_keeps_what_it_has_seen(watched: Stack) -> None:
    before = ask(watched, "count_over_time(up[1h])")
    killed = watched.crash("prometheus")
    wait_until(lambda: watched.containers("prometheus")[0]["RestartCount"] > 0, "it is started again")
    wait_until(lambda: watched.healthy("prometheus"), "it is healthy")
    assert watched.containers("prometheus")[0]["Id"] == killed
    assert len(ask(watched, "count_over_time(up[1h])")) >= len(before) > 0


def test_grafanas_files_lead_to_the_dashboard_and_to_prometheus() -> None:
    folder = ROOT / "deploy" / "grafana"
    provisioning = folder / "provisioning"
    [source] = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    [provider] = yaml.safe_load((provisioning / "dashboards" / "klatsch.yaml").read_text())["providers"]
    assert provider["options"]["path"] == "/etc/klatsch/grafana"
    assert json.loads((folder / "klatsch.json").read_text())["uid"] == "klatsch"
