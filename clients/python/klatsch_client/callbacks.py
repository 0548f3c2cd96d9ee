"""Calls of the application's functions."""

import logging
from collections.abc import Callable
from typing import TypeVar

_log = logging.getLogger("klatsch_client")
Given = TypeVar("Given")


def call_back(callback: Callable[[Given], None], given: Given) -> None:
    """Calls a function of the application's. What it raises is logged, and stops nothing here."""
    try:
        callback(given)
    except Exception:  # noqa: BLE001 - whatever the application raises
        _log.exception("a function of the application has raised")
