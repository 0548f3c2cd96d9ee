"""The bridge from the log's thread to the event loop (D1)."""

import asyncio
import threading
from collections.abc import Sequence

import structlog

from klatsch.eventlog.log import LogError, Record
from klatsch.gateway.arrivals import Gateway
from klatsch.gateway.language.protocol import Close

_log = structlog.get_logger(__name__)
_BATCHES_MOST = 8
"""Batches of the log that wait for the event loop: the tail reads no further while it is busy."""
_LOOK_UP_S = 1.0


class Feeding:
    """Hands the tail's batches to the event loop, a few at a time, and opens the gateway when it has read up."""

    def __init__(self, gateway: Gateway, ends: dict[int, int], loop: asyncio.AbstractEventLoop) -> None:
        self._gateway = gateway
        self._ends = ends
        self._loop = loop
        self._room = threading.Semaphore(_BATCHES_MOST)
        self._broken: BaseException | None = None
        self.stopping = False

    def deliver(self, records: Sequence[Record]) -> None:
        """Called on the tail's thread; raises LogError, which ends the tail, once a batch could not be applied."""
        if self._broken is not None:
            raise LogError("the feed could not take a record that it read") from self._broken
        while not self._room.acquire(timeout=_LOOK_UP_S):
            if self.stopping:
                return
        self._loop.call_soon_threadsafe(self.apply, records)

    def halt(self) -> None:
        """Called on the loop. Applies nothing more, so that nothing more is pushed or acknowledged."""
        self.stopping = True
        self._gateway.shut()

    def apply(self, records: Sequence[Record]) -> None:
        """Called on the loop. After an error nothing more is applied: no stream may go on over a hole in it."""
        try:
            if self._broken is None and not self.stopping:
                self._gateway.apply(records)
        except BaseException as error:
            self._broken = error
            self._gateway.shut()
            self._gateway.hub.close_all(Close.LOG_UNAVAILABLE, "log unavailable, resume")
            raise
        finally:
            self._room.release()
        if self._broken is None and self._ends and self._gateway.feed.has_reached(self._ends):
            self._ends = {}
            self._gateway.open()
            _log.info("gateway_ready", offsets=self._gateway.feed.offsets)
