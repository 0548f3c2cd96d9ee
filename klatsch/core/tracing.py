"""The id that the log lines of one request or connection share. A request's records carry it to the persister."""

import os
import re
from typing import Final

from structlog.contextvars import get_contextvars

TRACE_BYTES_MOST: Final = 32
"""The longest id in a record's header `trace`; longer ids are cut."""

_SANE = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")


def new_id() -> str:
    """Returns a new id of 16 hexadecimal digits."""
    return os.urandom(8).hex()


def accept_id(given: str) -> str:
    """Returns the id that a proxy or client gave if it is safe in a log line, else a new one."""
    return given if _SANE.match(given) else new_id()


def current_trace() -> bytes:
    """Returns the trace header for records of the present request; empty outside of requests."""
    return str(get_contextvars().get("request", "")).encode("ascii", "ignore")[:TRACE_BYTES_MOST]


def trace_fields(trace: bytes) -> dict[str, str]:
    """Returns the log field of a record's trace header; empty for a header that Klatsch did not write."""
    text = trace.decode("ascii", "replace")
    return {"request": text} if _SANE.match(text) else {}
