"""Time as text and as an argument: nothing below `processes` asks the machine for it behind a caller's back."""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Milliseconds since 1970-01-01 UTC."""

    def __call__(self) -> int: ...


def timestamp(milliseconds: int) -> str:
    """RFC 3339 in UTC with milliseconds, such as `2026-11-23T20:00:00.000Z`."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_second(seconds)}.{rest:03d}Z"


def milliseconds(text: str) -> int:
    """The inverse of `timestamp`; raises ValueError."""
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


_last_second: tuple[int, str] = (0, "1970-01-01T00:00:00")


def _second(seconds: int) -> str:
    global _last_second  # noqa: PLW0603 - one second is formatted once, for the thousands of messages sent in it
    known, text = _last_second
    if known != seconds:
        text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        _last_second = (seconds, text)
    return text
