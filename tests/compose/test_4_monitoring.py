"""Prometheus sees every process by its own address. Grafana has no stand-in here: its files are only parsed."""

import asyncio
import json

import yaml

from tests.compose.stack import ROOT, Stack, wait_until
from tests.compose.talk import conversation

_OF_TROUBLE = {"Refusals", "Sockets closed by us", "Dead letters"}
"""Panels that show nothing as long as all is well."""


def ask(stack: Stack, query: str) -> list[str]:
    """What Prometheus answers, a line for each series."""
    said = stack.inside("prometheus", "promtool", "query", "instant", "http://127.0.0.1:9090", query)
    return said.splitlines()


def test_prometheus_scrapes_each_process_and_knows_the_rules(stack: Stack) -> None:
    stack.compose("--profile", "monitoring", "up", "--wait", "--no-deps", "prometheus")

    def scraped() -> bool:
        alive = [line for line in ask(stack, "up == 1") if "=> 1" in line]
        return all(any(f'process="{one}"' in line for line in alive) for one in ("gateway", "api", "persister"))

    wait_until(scraped, "gateway, api and persister have been scraped")
    assert ask(stack, "klatsch_connections")
    said = stack.inside("prometheus", "promtool", "check", "config", "/etc/klatsch/prometheus/prometheus.yaml")
    assert "1 rule files found" in said
    assert "SUCCESS" in said


async def test_every_panel_of_the_dashboard_has_something_to_show(stack: Stack) -> None:
    panels = json.loads((ROOT / "deploy" / "grafana" / "klatsch.json").read_text())["panels"]
    queries = {
        target["expr"].replace("$__rate_interval", "1m"): panel["title"]
        for panel in panels
        for target in panel["targets"]
    }

    def empty() -> set[str]:
        return {title for query, title in queries.items() if not ask(stack, query)}

    async with conversation(stack):
        await asyncio.to_thread(wait_until, lambda: empty() <= _OF_TROUBLE, "each panel shows something", 120)


def test_a_killed_prometheus_comes_back_by_itself_and_keeps_what_it_has_seen(stack: Stack) -> None:
    before = ask(stack, "count_over_time(up[1h])")
    killed = stack.crash("prometheus")
    wait_until(lambda: stack.containers("prometheus")[0]["RestartCount"] > 0, "it is started again")
    wait_until(lambda: stack.healthy("prometheus"), "it is healthy")
    assert stack.containers("prometheus")[0]["Id"] == killed
    assert len(ask(stack, "count_over_time(up[1h])")) >= len(before) > 0


def test_grafanas_files_lead_to_the_dashboard_and_to_prometheus() -> None:
    folder = ROOT / "deploy" / "grafana"
    provisioning = folder / "provisioning"
    [source] = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    [provider] = yaml.safe_load((provisioning / "dashboards" / "klatsch.yaml").read_text())["providers"]
    assert provider["options"]["path"] == "/etc/klatsch/grafana"
    assert json.loads((folder / "klatsch.json").read_text())["uid"] == "klatsch"
