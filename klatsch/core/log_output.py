"""Writes log lines to stderr without waiting for long until somebody reads them."""

import logging
import os
import select
import time
from typing import Final

import structlog

_log = structlog.get_logger(__name__)
_STDERR: Final = 2
PATIENCE_S: Final = 0.25
"""The time that lines may wait for their reader in all: enough for a burst that fills a pipe (64 KiB on Linux)."""
_PATIENCE_SHARE: Final = 0.05
"""The share of the time in which waiting is allowed again: a reader that is slow for good costs no more than this."""


class StderrHandler(logging.Handler):
    """Writes lines to stderr, and drops them while nobody takes them.

    A pipe whose reader stands still would otherwise stop the thread that logs, and with it an event loop. A container
    engine's slow log driver does that. The first line that is taken again comes after `log_lines_dropped`, which has
    their number. A line is written in pieces of PIPE_BUF bytes: a pipe that poll calls writable takes that much at once
    (pipe(7)).
    """

    def __init__(self, fd: int = _STDERR) -> None:
        super().__init__()
        self._fd = fd
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)
        self._dropped = 0
        self._is_cut = False
        self._patience_s = PATIENCE_S
        self._waited_at_s = time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = f"{self.format(record)}\n".encode(errors="backslashreplace")
        except Exception:  # noqa: BLE001 - as in each handler of the standard library
            self.handleError(record)
            return
        if self._dropped and self._is_writable():
            dropped, self._dropped = self._dropped, 0
            _log.warning("log_lines_dropped", count=dropped)  # comes here again, before this line
        try:
            self._write(line)
        except OSError:
            self._dropped += 1  # nobody reads any more

    def _write(self, line: bytes) -> None:
        if self._is_cut:
            line = b"\n" + line
        for begin in range(0, len(line), select.PIPE_BUF):
            if not self._is_writable():
                self._is_cut = self._is_cut or begin > 0
                self._dropped += 1
                return
            os.write(self._fd, line[begin : begin + select.PIPE_BUF])
        self._is_cut = False

    def _is_writable(self) -> bool:
        """Returns whether a piece can be written without waiting, after a wait for which there is patience."""
        if self._poll.poll(0):
            return True
        now_s = time.monotonic()
        regained_s = (now_s - self._waited_at_s) * _PATIENCE_SHARE
        self._patience_s = min(self._patience_s + regained_s, PATIENCE_S)
        is_writable = bool(self._poll.poll(int(self._patience_s * 1_000)))
        self._waited_at_s = time.monotonic()
        self._patience_s = max(self._patience_s - (self._waited_at_s - now_s), 0.0)
        return is_writable
