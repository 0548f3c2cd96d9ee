"""The reasons of `/readyz` as docs/operations.md shows them."""

from klatsch.core.readiness import REMEDIES
from klatsch.processes.tables.markdown import table


def health_table() -> str:
    """A row for each part and reason, with what an operator does then."""
    return table(
        ("part", "reason", "what to do"), ((f"`{part}`", f'"{why}"', text) for (part, why), text in REMEDIES.items())
    )
