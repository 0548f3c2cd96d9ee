"""Time as text and as an argument: below `processes`, callers pass the time or a clock.

The messages of one millisecond, and the thousands of one second, share what was formatted for the first of them.
"""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol


class Clock(Protocol):
    """Returns milliseconds since 1970-01-01 UTC."""

    def __call__(self) -> int: ...


@lru_cache(1)
def timestamp(milliseconds: int) -> str:
    """Returns RFC 3339 text in UTC with milliseconds, such as `2026-11-23T20:00:00.000Z`."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_second(seconds)}.{rest:03d}Z"


def milliseconds(text: str) -> int:
    """Returns the inverse of `timestamp`; raises ValueError."""
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


@lru_cache(1)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
