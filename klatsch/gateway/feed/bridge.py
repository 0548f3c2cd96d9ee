"""The bridge from the log's thread to the event loop (D1)."""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence

import structlog

from klatsch.core.clock import Clock
from klatsch.eventlog.log import LogError, Record
from klatsch.gateway.feed.feed import Feed
from klatsch.gateway.hub import Hub
from klatsch.gateway.language.protocol import Close
from klatsch.gateway.opening import Opening

_log = structlog.get_logger(__name__)
_BATCHES_MOST = 8
"""The batches that wait for the event loop: the tail reads no further while the loop is busy."""
_LOOK_UP_S = 1.0


class Feeding:
    """Hands the tail's batches to the event loop, a few at a time, and opens the gateway once it has caught up.

    `failed` is called, on the loop, when a batch cannot be applied: the process should then end.
    """

    def __init__(
        self,
        *,
        feed: Feed,
        hub: Hub,
        opening: Opening,
        ends: dict[int, int],
        clock: Clock,
        failed: Callable[[LogError], None],
    ) -> None:
        self._feed = feed
        self._hub = hub
        self._opening = opening
        self._ends = ends
        self._clock = clock
        self._failed = failed
        self._loop = asyncio.get_running_loop()
        self._room = threading.Semaphore(_BATCHES_MOST)
        self._broken: LogError | None = None
        self.stopping = False

    def deliver(self, records: Sequence[Record]) -> None:
        """Hands on a batch, on the tail's thread; raises LogError, which ends the tail, once a batch failed."""
        if self._broken is not None:
            raise self._broken
        while not self._room.acquire(timeout=_LOOK_UP_S):
            if self.stopping:
                return
        self._loop.call_soon_threadsafe(self.apply, records)

    def halt(self) -> None:
        """Stops applying batches, on the loop, so that nothing more is pushed or acknowledged."""
        self.stopping = True
        self._opening.shut()

    def apply(self, records: Sequence[Record]) -> None:
        """Applies a batch, on the loop. After an error nothing more is applied: a stream must not skip records."""
        try:
            if self._broken is None and not self.stopping:
                self._feed.apply(records)
                self._feed.tally.measure(time.monotonic(), self._clock())
        except BaseException as error:
            self._broken = _log_error(error)
            self._opening.shut()
            self._hub.close_all(Close.LOG_UNAVAILABLE, "log unavailable, resume")
            self._failed(self._broken)
            raise
        finally:
            self._room.release()
        if self._broken is None and self._ends and self._feed.has_reached(self._ends):
            self._ends = {}
            self._opening.open()
            _log.info("gateway_ready", offsets=self._feed.offsets)


def _log_error(error: BaseException) -> LogError:
    if isinstance(error, LogError):
        return error
    told = LogError("the feed could not take a record that it read")
    told.__cause__ = error
    return told
