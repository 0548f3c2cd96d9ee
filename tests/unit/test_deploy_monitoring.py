"""The alert rules and the dashboard name what is exported, and nothing else."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import REGISTRY
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from klatsch.processes.tables.metrics import gateway_families, persister_families
from klatsch.variables import VARIABLES

ROOT = Path(__file__).resolve().parents[2]
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yaml"
DASHBOARD = ROOT / "deploy" / "grafana" / "klatsch.json"


def families() -> list[Metric]:
    return [*REGISTRY.collect(), *gateway_families(), *persister_families()]


def exported() -> set[str]:
    """Returns each name that a query can use."""
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
    return {f.name + suffix for f in families() for suffix in suffixes.get(f.type, ("",))}


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def named_in(text: str) -> set[str]:
    return set(re.findall(r"\b(?:klatsch|process)_[a-z_]+\b", text))


def test_every_alert_is_about_what_is_exported_and_says_what_to_do() -> None:
    assert len({rule["alert"] for rule in rules()}) == len(rules())
    for rule in rules():
        assert named_in(rule["expr"])
        assert named_in(rule["expr"]) <= exported(), rule["alert"]
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["annotations"]["description"].endswith(".")


def test_an_alert_tells_when_no_gateway_and_when_no_persister_answers() -> None:
    absent = {name for rule in rules() for name in re.findall(r"^absent\((\w+)\)$", rule["expr"])}
    for of_process in (gateway_families(), persister_families()):
        assert absent & {family.name for family in of_process}


def test_no_span_of_the_ring_that_a_setting_allows_is_alerted_of() -> None:
    [least] = [variable.least for variable in VARIABLES if variable.name == "KLATSCH_RING_SECONDS"]
    [alerted] = [rule["expr"].split(" < ")[1] for rule in rules() if rule["alert"] == "KlatschRingTooShort"]
    assert int(alerted) == least


def rises() -> list[tuple[str, str, str]]:
    """Returns each alert's expression with a counter that it takes increase or rate of, and that counter's matchers."""
    taken = re.compile(r"\b(?:increase|rate)\((klatsch_[a-z_]+)(?:\{([^}]*)\})?\[")
    return [(rule["expr"], name, matchers) for rule in rules() for name, matchers in taken.findall(rule["expr"])]


def test_every_counter_that_an_alert_takes_increase_or_rate_of_is_exported_with_0_before_its_first_event() -> None:
    export = "import prometheus_client as p, klatsch.core.metrics; print(p.generate_latest(p.REGISTRY).decode())"
    said = subprocess.run([sys.executable, "-c", export], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    samples = [sample for family in text_string_to_metric_families(said) for sample in family.samples]
    assert len(rises()) > 5
    for _, name, matchers in rises():
        wanted = re.findall(r'(\w+)=~?"([^"]*)"', matchers)
        found = [
            sample.value
            for sample in samples
            if sample.name == name and all(re.fullmatch(value, sample.labels[label]) for label, value in wanted)
        ]
        assert found, f"{name}{{{matchers}}}"
        assert set(found) == {0}


def test_an_alert_on_labels_without_end_sees_the_first_event_of_a_new_series_too() -> None:
    endless = {"klatsch_dead_letters_total", "klatsch_statements_refused_total"}  # by SQLSTATE
    assert endless <= {name for _, name, _ in rises()}
    for expr, name, _ in rises():
        assert name not in endless or f"{name} unless {name} offset" in expr


def test_every_panel_shows_what_is_exported() -> None:
    assert len({panel["id"] for panel in panels()}) == len(panels())
    for panel in panels():
        for target in panel["targets"]:
            assert named_in(target["expr"])
            assert named_in(target["expr"]) <= exported(), panel["title"]


def test_every_metric_of_ours_is_on_the_dashboard() -> None:
    ours = {name for name in exported() if name.startswith("klatsch_")}
    shown = {name for panel in panels() for target in panel["targets"] for name in named_in(target["expr"])}
    bases = {f.name + ("_total" if f.type == "counter" else "") for f in families() if f.name.startswith("klatsch_")}
    assert {name for name in bases if not any(name in one for one in shown)} == set()
    assert bases <= ours | {name for name in bases if name.endswith("_seconds")}


def test_labels_in_queries_are_those_that_metrics_have() -> None:
    labels = {s.name: set(s.labels) for f in families() for s in f.samples}
    for expr in [rule["expr"] for rule in rules()] + [t["expr"] for panel in panels() for t in panel["targets"]]:
        for name, matchers in re.findall(r"(klatsch_[a-z_]+)\{([^}]*)\}", expr):
            known = labels.get(name)
            assert known is None or set(re.findall(r"(\w+)=", matchers)) <= known, expr
