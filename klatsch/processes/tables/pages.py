"""Declares the pages with generated tables, and replaces their sections."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from klatsch.processes.tables.codes import (
    close_codes_for_javascript,
    close_codes_for_python,
    close_table,
    error_table,
    health_table,
    rest_codes,
)
from klatsch.processes.tables.limits import limits_table
from klatsch.processes.tables.metrics import metrics_table
from klatsch.processes.tables.settings import settings_example, settings_table

PAGES: Final[Mapping[str, Mapping[str, Callable[[], str]]]] = {
    ".env.example": {"settings": settings_example},
    "docs/metrics.md": {"metrics": metrics_table},
    "docs/operations.md": {"health": health_table},
    "docs/protocol.md": {
        "errors": error_table,
        "errors of REST alone": rest_codes,
        "close codes": close_table,
        "limits": limits_table,
    },
    "docs/settings.md": {"settings": settings_table},
    "clients/python/klatsch_client/frames.py": {"close codes": close_codes_for_python},
    "clients/js/src/errors.js": {"close codes": close_codes_for_javascript},
}
"""The sections of each page by name, with the functions that generate them."""

_SECTION: Final = re.compile(
    r"^(?P<begin>(?:<!--|#|//) generated: (?P<name>[^\n]*?)(?: -->)?\n)(?P<body>.*?)^(?P<end>(?:<!--|#|//) end\b)",
    re.MULTILINE | re.DOTALL,
)


def with_tables(text: str, tables: Mapping[str, Callable[[], str]]) -> str:
    """Returns the page with its sections generated; raises ValueError unless it has each of them exactly once."""
    found = [match["name"] for match in _SECTION.finditer(text)]
    if sorted(found) != sorted(tables):
        raise ValueError(f"has the sections {found}, but should have {list(tables)}")
    return _SECTION.sub(lambda match: match["begin"] + tables[match["name"]]() + match["end"], text)
