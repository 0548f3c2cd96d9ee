"""The id that the log lines of one request or connection share; a request's records carry it to the persister."""

import os
import re
from typing import Final

from structlog.contextvars import get_contextvars

TRACE_BYTES_MOST: Final = 32
"""Of an id, in a record's header `trace`; a longer one is cut there."""

_SANE = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")


def new_id() -> str:
    """16 hexadecimal digits."""
    return os.urandom(8).hex()


def accept_id(given: str) -> str:
    """The id that a proxy or client gives, if it can stand in a log line; else a new one."""
    return given if _SANE.match(given) else new_id()


def current_trace() -> bytes:
    """Returns the trace header for records of the present request; empty outside of requests."""
    return str(get_contextvars().get("request", "")).encode("ascii", "ignore")[:TRACE_BYTES_MOST]


def trace_fields(trace: bytes) -> dict[str, str]:
    """The field of a log line about a record that carries this; none for what nobody of ours wrote."""
    text = trace.decode("ascii", "replace")
    return {"request": text} if _SANE.match(text) else {}
