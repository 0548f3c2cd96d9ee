"""The patterns of all documents compile for whoever reads them: in Python, and in JavaScript with `u` and without."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client

from klatsch.core.text import LINE, TEXT_OR_NOTHING, is_line, is_text
from tests.support.node import NODE

_DOCS = Path(__file__).resolve().parents[2] / "docs"
_COMPILE = """
const refused = [];
for (const pattern of JSON.parse(require("fs").readFileSync(0, "utf8")))
  for (const flags of ["", "u"])
    try { new RegExp(pattern, flags) } catch (error) { refused.push(flags + " " + error.message) }
console.log(JSON.stringify(refused));
"""


def _documents() -> dict[str, Any]:
    schemas = {file.name: json.loads(file.read_text()) for file in (_DOCS / "schemas").glob("*.json")}
    openapi = Client().get("/api/schema", headers={"Accept": "application/json"}).json()
    return schemas | {"openapi": openapi, "asyncapi": yaml.safe_load((_DOCS / "asyncapi.yaml").read_text())}


def _patterns(value: Any) -> Iterator[str]:
    if isinstance(value, dict) and isinstance(value.get("pattern"), str):
        yield value["pattern"]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in parts:
        yield from _patterns(part)


def refused_by_javascript(patterns: list[str]) -> list[str]:
    done = subprocess.run(
        [NODE, "-e", _COMPILE], input=json.dumps(patterns), capture_output=True, text=True, check=True, timeout=180
    )
    refused: list[str] = json.loads(done.stdout)
    return refused


def test_every_pattern_compiles_in_python_and_in_javascript_with_and_without_its_flag_for_unicode() -> None:
    found = {name: set(_patterns(document)) for name, document in _documents().items()}
    assert {"openapi", "asyncapi"} <= {name for name, patterns in found.items() if patterns}
    assert LINE in found["openapi"]
    patterns = sorted(set().union(*found.values()))
    for pattern in patterns:
        re.compile(pattern)
    assert refused_by_javascript(patterns) == []


def test_a_range_beyond_the_first_plane_is_what_javascript_refuses_without_the_flag() -> None:
    assert len(refused_by_javascript(["[\U00013430-\U0001343f]"])) == 1


@pytest.mark.parametrize(
    "text", ["Tea", "\U0001f375", "e\u0301", "\U000e0041", "\U0001d173 ", "\u2066", "\x1b", "a\nb", ""]
)
def test_what_the_documents_refuse_is_refused_by_the_checks_too(text: str) -> None:
    assert bool(re.search(LINE, text)) >= is_line(text)
    assert bool(re.search(TEXT_OR_NOTHING, text)) >= is_text(text)
