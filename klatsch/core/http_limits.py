"""The bounds of a request over HTTP: of both doors, gateway and api, and of the proxy in front (deploy/nginx)."""

from collections.abc import AsyncIterable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from klatsch.core.problems import Problem

HEAD_BYTES_MOST: Final = 16 * 1024
"""Request line and headers: cookies, a resume token and an address of 8 KiB go in."""
BODY_BYTES_MOST: Final = 256 * 1024
"""64 times the longest message in UTF-8 escapes; beyond it is no request of ours."""
HEAD_S: Final = 10.0
"""How long a head may take to come; nginx's client_header_timeout is the same."""
BODY_S: Final = 30.0
"""How long a body may take to come: 9 KB/s for the longest."""
BODIES_BYTES_MOST: Final = 64 * 1024 * 1024
"""Of all bodies that are coming in at once: 256 of the longest."""
REQUESTS_A_THREAD: Final = 32
"""The one that a thread is at, and those that wait for it: a second's worth, at what a request costs (D12)."""
READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods whose requests have threads of their own: all others may wait for the log."""

HEAD_TOO_LARGE: Final = Problem(431, "head_too_large", f"A request's head has at most {HEAD_BYTES_MOST} bytes.")
BODY_TOO_LARGE: Final = Problem(413, "too_large", f"A body has at most {BODY_BYTES_MOST} bytes.")
TOO_SLOW: Final = Problem(408, "request_timeout", "The request took too long to come.")
TOO_MANY: Final = Problem(503, "unavailable", "Too many requests at once. Try again.", retry_after=1)


class Bodies:
    """Reads the bodies that come in to one process, each within its bound, and all together within theirs."""

    def __init__(self) -> None:
        self._bytes = 0

    @contextmanager
    def hold(self) -> Iterator[bytearray]:
        """A body to be read, which counts until the block ends."""
        body = bytearray()
        try:
            yield body
        finally:
            self._bytes -= len(body)

    async def read(self, body: bytearray, parts: AsyncIterable[bytes]) -> Problem | None:
        """Fills in what comes; returns a Problem as soon as that is too much."""
        async for part in parts:
            body += part
            self._bytes += len(part)
            if len(body) > BODY_BYTES_MOST:
                return BODY_TOO_LARGE
            if self._bytes > BODIES_BYTES_MOST:
                return TOO_MANY
        return None


def is_a_name(header: bytes | str) -> bool:
    """Returns whether a header's name is unambiguous: WSGI writes `X_Forwarded_For` and `X-Forwarded-For` alike."""
    return (b"_" if isinstance(header, bytes) else "_") not in header  # type: ignore[operator]  # the same kind


def declared_length(lengths: Iterable[bytes]) -> int | None:
    """Returns what Content-Length says; None without one, and where it is no number."""
    for length in lengths:
        return int(length) if length.isdigit() else None
    return None
