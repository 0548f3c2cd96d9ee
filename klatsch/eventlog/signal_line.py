"""A line to the topic of signals: whatever happens to it, nobody waits and nothing else stops (D11, D20)."""

import threading
from collections.abc import Callable, Sequence

import structlog

from klatsch.core.metrics import SIGNALS_AWAY
from klatsch.eventlog.log import Entry, LogError, LogTail, LogWriter, Record

_log = structlog.get_logger(__name__)
_AGAIN_S = 5.0
_CLOSE_S = 1.0
_STOP_S = 4.0


class SignalLine:
    """Reads the topic from its end and appends to it, on clients that it makes again when they fail.

    Each failure is logged once, until the line works again. `open_tail` and `open_writer` make new clients. `opened`
    is called, like `deliver`, on a thread of the line.
    """

    def __init__(
        self,
        *,
        open_tail: Callable[[], LogTail],
        open_writer: Callable[[LogTail], LogWriter],
        deliver: Callable[[Sequence[Record]], None],
        opened: Callable[[], object],
        again_s: float = _AGAIN_S,
    ) -> None:
        self._open_tail = open_tail
        self._open_writer = open_writer
        self._deliver = deliver
        self._opened = opened
        self._again_s = again_s
        self._writer: LogWriter | None = None
        self._stopping = threading.Event()
        self._broken = threading.Event()
        self._why = ""
        self._told = False
        self._thread = threading.Thread(target=self._serve, name="signals", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def append(self, entry: Entry) -> bool:
        """Queues an entry, without waiting; returns False where it is dropped."""
        writer = self._writer
        if writer is None:
            return False
        try:
            writer.append(entry)
        except LogError:
            return False
        return True

    def stop(self) -> None:
        """Sends what is queued and stops, within seconds: `deliver` may be called until it returns."""
        self._stopping.set()
        self._broken.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._broken.clear()
            try:
                self._work()
            except LogError as error:
                self._why = str(error)
            if not self._stopping.is_set():
                self._tell_away()
                self._stopping.wait(self._again_s)

    def _work(self) -> None:
        """Returns when the line is broken; raises LogError when it cannot be opened."""
        tail = self._open_tail()
        try:
            tail.start(tail.ends(), self._deliver, self._fail)
            writer = self._writer = self._open_writer(tail)
            try:
                self._tell_back()
                self._opened()
                if not self._stopping.is_set():
                    self._broken.wait()
            finally:
                self._writer = None
                writer.close(_CLOSE_S)
        finally:
            tail.stop()

    def _fail(self, error: LogError) -> None:
        self._why = str(error)
        self._broken.set()

    def _tell_away(self) -> None:
        SIGNALS_AWAY.set(1)
        if not self._told:
            self._told = True
            _log.warning("signals_away", error=self._why)

    def _tell_back(self) -> None:
        SIGNALS_AWAY.set(0)
        if self._told:
            self._told = False
            _log.info("signals_back")
