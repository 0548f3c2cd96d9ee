"""Prometheus sees every process by its own address. Grafana has no stand-in here: its files are only parsed."""

import json

import yaml

from tests.compose.stack import ROOT, Stack, wait_until


def test_prometheus_scrapes_each_process_and_knows_the_rules(stack: Stack) -> None:
    stack.compose("--profile", "monitoring", "up", "--wait", "--no-deps", "prometheus")

    def ask(query: str) -> list[str]:
        said = stack.inside("prometheus", "promtool", "query", "instant", "http://127.0.0.1:9090", query)
        return said.splitlines()

    def scraped() -> bool:
        alive = [line for line in ask("up == 1") if "=> 1" in line]
        return all(any(f'process="{one}"' in line for line in alive) for one in ("gateway", "api", "persister"))

    wait_until(scraped, "gateway, api and persister have been scraped")
    assert ask("klatsch_connections")
    said = stack.inside("prometheus", "promtool", "check", "config", "/etc/klatsch/prometheus/prometheus.yaml")
    assert "1 rule files found" in said
    assert "SUCCESS" in said


def test_grafanas_files_lead_to_the_dashboard_and_to_prometheus() -> None:
    folder = ROOT / "deploy" / "grafana"
    provisioning = folder / "provisioning"
    [source] = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    [provider] = yaml.safe_load((provisioning / "dashboards" / "klatsch.yaml").read_text())["providers"]
    assert provider["options"]["path"] == "/etc/klatsch/grafana"
    assert json.loads((folder / "klatsch.json").read_text())["uid"] == "klatsch"
