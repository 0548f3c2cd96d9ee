"""A tail that replaces a stalled reader: a new thread continues at the reader's offsets (decision 0024)."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import structlog

from klatsch.eventlog.log import LogError, Record
from klatsch.eventlog.pulse import PATIENCE_S, CallWatch, Pulse, ReadingWatch
from klatsch.eventlog.watch import LogWatch, Told, count_replaced

_log = structlog.get_logger(__name__)
BATCH_MOST = 1_000
_STOP_S = 5.0
"""The time for a reader to return from the driver and close; a reader that takes longer is abandoned."""


def next_offsets(records: Sequence[Record]) -> dict[int, int]:
    """Returns where to continue after these records, by partition; 0.03 µs per record, as most are only looked at."""
    last = {record.partition: record for record in records}
    return {partition: record.offset + 1 for partition, record in last.items()}


class Source(Protocol):
    """Reads from given offsets on; all calls from one thread, which opened it."""

    def read(self, limit: int) -> Sequence[Record]:
        """Returns at most `limit` records within a fraction of a second; fewer when no more are fetched."""

    def close(self) -> None: ...


class _Reader:
    """One thread and its source. `begin` holds the offsets where it began."""

    def __init__(self, begin: dict[int, int]) -> None:
        self.begin = begin
        self.pulse = Pulse()
        self.calls = CallWatch()
        self.thread: threading.Thread | None = None


class ReplaceableTail(ABC):
    """Reads all partitions, without a group, on its own thread. `replaced` counts the replaced readers.

    `role` is the name of the reader in metrics and log lines.
    """

    def __init__(self, watch: LogWatch, patience_s: float = PATIENCE_S, role: str = "tail") -> None:
        self.watch = watch
        self.replaced = 0
        self._role = role
        self._patience_s = patience_s
        self._stalls = ReadingWatch(patience_s)
        # Held while a batch is delivered. Its holder may make another reader the delivering one.
        self._lock = threading.Lock()
        self._reader: _Reader | None = None
        self._positions: dict[int, int] = {}

    @abstractmethod
    def open_source(self, offsets: Mapping[int, int]) -> Source:
        """Opens a source, on the thread that will read from it."""

    def ends(self, deadline_s: float = 10.0) -> dict[int, int]:
        """Returns the offset after each partition's last record; raises LogError when no broker answers in time."""
        return self.watch.asker.ends(deadline_s)

    def offsets_at(self, time_ms: int) -> dict[int, int]:
        """Returns each partition's first offset whose record is of that time or later; else its end."""
        return self.watch.asker.offsets_at(time_ms)

    def start(
        self,
        offsets: Mapping[int, int],
        deliver: Callable[[Sequence[Record]], None],
        failed: Callable[[LogError], None],
    ) -> None:
        """Calls `deliver` on the tail's thread with batches in the partitions' order; `failed` once, then nothing."""
        self._deliver, self._failed = deliver, failed
        self._positions = dict(offsets)
        with self._lock:
            self._begin()
        self.watch.add(self)

    def stop(self) -> None:
        """Stops the tail: `deliver` is not called after this returns."""
        self.watch.remove(self)
        with self._lock:
            reader, self._reader = self._reader, None
        if reader is not None and reader.thread is not None:
            reader.thread.join(_STOP_S)
        self.watch.close()

    def look(self, told: Told, now_s: float) -> None:
        """Replaces the reader where it stalls; called by the watch."""
        if not self._lock.acquire(blocking=False):
            return  # a batch is being delivered, so the reader is not stalled
        try:
            why = self._why_stalled(told, now_s)
            if why:
                self.replaced += 1
                count_replaced(self._role)
                _log.warning("log_client_replaced", client=self._role, why=why)
                self._begin()
        finally:
            self._lock.release()

    def _why_stalled(self, told: Told, now_s: float) -> str:
        reader = self._reader
        if reader is None:
            return ""
        if reader.calls.is_overdue(reader.pulse, now_s):
            return "a call did not return"
        stalled = self._stalls.look(told.ends, self._positions, reader.pulse.emptied, now_s)
        return f"partitions {stalled} are not read any more" if stalled else ""

    def _begin(self) -> None:
        """Makes a new reader the delivering one. The caller holds the lock."""
        reader = _Reader(dict(self._positions))
        self._stalls = ReadingWatch(self._patience_s)
        reader.thread = threading.Thread(target=self._serve, args=(reader,), name="log-tail", daemon=True)
        self._reader = reader
        reader.thread.start()

    def _serve(self, reader: _Reader) -> None:
        pulse = reader.pulse
        try:
            pulse.enter()
            source = self.open_source(reader.begin)
            try:
                while self._reader is reader:
                    pulse.enter()
                    records = source.read(BATCH_MOST)
                    pulse.leave()
                    if len(records) < BATCH_MOST:
                        pulse.emptied += 1
                    if records:
                        self._take(reader, records)
            finally:
                source.close()
        except LogError as error:
            self._fail(reader, error)
        except BaseException as error:  # noqa: BLE001 - a thread's edge: ending silently, sockets would lose their feed
            _log.exception("log_tail_failed")
            self._fail(reader, LogError(f"the log's reader cannot go on: {error!r}"))

    def _take(self, reader: _Reader, records: Sequence[Record]) -> None:
        """Delivers records, unless the reader was replaced: then its successor delivers them."""
        with self._lock:
            if self._reader is reader:
                self._deliver(records)
                self._positions |= next_offsets(records)

    def _fail(self, reader: _Reader, error: LogError) -> None:
        with self._lock:
            if self._reader is not reader:
                return
            self._reader = None
        self._failed(error)
