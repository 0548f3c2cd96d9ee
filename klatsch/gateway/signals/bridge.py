"""The bridge from the thread that reads the topic of signals to the event loop."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import TimeoutError as TookTooLong

from klatsch.core.metrics import SIGNALS_DROPPED
from klatsch.eventlog.log import Record
from klatsch.gateway.signals.signals import Signals

_BATCH_S = 5.0


class SignalBridge:
    """Hands the line's batches to the event loop, one at a time: the line reads no further meanwhile."""

    def __init__(self, signals: Signals) -> None:
        self._signals = signals
        self._loop = asyncio.get_running_loop()
        self.stopping = False

    def deliver(self, records: Sequence[Record]) -> None:
        """Returns when the loop has taken the batch, on the line's thread. A loop that is too busy drops the rest."""
        if self.stopping:
            return
        taking = asyncio.run_coroutine_threadsafe(self._signals.apply(records), self._loop)
        try:
            taking.result(_BATCH_S)
        except TookTooLong:
            taking.cancel()
            SIGNALS_DROPPED.labels("busy").inc()
