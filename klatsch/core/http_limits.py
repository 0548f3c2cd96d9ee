"""The bounds of an HTTP request, for the gateway, the api and the proxy in front of them (deploy/nginx)."""

from collections.abc import AsyncIterable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from klatsch.core.problems import Problem

HEAD_BYTES_MOST: Final = 16 * 1024
"""The longest request line with headers: cookies, a resume token and an address of 8 KiB fit in."""
BODY_BYTES_MOST: Final = 256 * 1024
"""The longest body: 64 times the longest message in UTF-8 escapes."""
HEAD_S: Final = 10.0
"""The longest time for a head to arrive, equal to nginx's client_header_timeout."""
BODY_S: Final = 30.0
"""The longest time for a body to arrive: 9 KB/s for the longest body."""
BODIES_BYTES_MOST: Final = 16 * 1024 * 1024
"""The most memory for incoming bodies: 64 of the longest. A gateway that nobody uses has about 90 MiB."""
SMALL_BODY_BYTES: Final = 4 * 1024
"""A body up to this size is also read beyond the bound: long ones that come slowly stop no sign-in and no send."""
REQUESTS_A_THREAD: Final = 32
"""The requests per thread, running and waiting: about a second's worth, by what a request costs (D12)."""
READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods whose requests have their own threads: all other methods may wait for the log."""

HEAD_TOO_LARGE: Final = Problem(
    431, "head_too_large", f"The request's head is too large. Send at most {HEAD_BYTES_MOST} bytes."
)
BODY_TOO_LARGE: Final = Problem(413, "too_large", f"The body is too large. Send at most {BODY_BYTES_MOST} bytes.")
TOO_SLOW: Final = Problem(408, "request_timeout", "The request took too long to arrive. Try again.")
TOO_MANY: Final = Problem(503, "unavailable", "Too many requests at once. Try again.", retry_after=1)


class Bodies:
    """Reads a process's incoming bodies, within a bound for each body and a bound for all together."""

    def __init__(self) -> None:
        self._bytes = 0

    @contextmanager
    def hold(self) -> Iterator[bytearray]:
        """Yields a body to read into. Its bytes count until the block ends."""
        body = bytearray()
        try:
            yield body
        finally:
            self._bytes -= len(body)

    async def read(self, body: bytearray, parts: AsyncIterable[bytes]) -> Problem | None:
        """Appends the parts to the body; returns a Problem as soon as a bound is exceeded."""
        async for part in parts:
            body += part
            self._bytes += len(part)
            if len(body) > BODY_BYTES_MOST:
                return BODY_TOO_LARGE
            if self._bytes > BODIES_BYTES_MOST and len(body) > SMALL_BODY_BYTES:
                return TOO_MANY
        return None


def is_a_name(header: bytes | str) -> bool:
    """Returns whether a header's name is unambiguous: WSGI maps `X_Forwarded_For` and `X-Forwarded-For` to one name."""
    return (b"_" if isinstance(header, bytes) else "_") not in header  # type: ignore[operator]  # both are of one type


def declared_length(lengths: Iterable[bytes]) -> int | None:
    """Returns the value of Content-Length; None without the header or when it is no number."""
    for length in lengths:
        return int(length) if length.isdigit() else None
    return None
