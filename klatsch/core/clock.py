"""Time as text and as an argument: below `processes`, callers pass the time or a clock."""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Returns milliseconds since 1970-01-01 UTC."""

    def __call__(self) -> int: ...


_last: tuple[int, str] = (0, "1970-01-01T00:00:00.000Z")


def timestamp(milliseconds: int) -> str:
    """Returns RFC 3339 text in UTC with milliseconds, such as `2026-11-23T20:00:00.000Z`."""
    global _last  # noqa: PLW0603 - formats each millisecond once for its several messages
    known, text = _last
    if known != milliseconds:
        seconds, rest = divmod(milliseconds, 1000)
        text = f"{_second(seconds)}.{rest:03d}Z"
        _last = (milliseconds, text)
    return text


def milliseconds(text: str) -> int:
    """Returns the inverse of `timestamp`; raises ValueError."""
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


_last_second: tuple[int, str] = (0, "1970-01-01T00:00:00")


def _second(seconds: int) -> str:
    global _last_second  # noqa: PLW0603 - formats each second once for its thousands of messages
    known, text = _last_second
    if known != seconds:
        text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        _last_second = (seconds, text)
    return text
