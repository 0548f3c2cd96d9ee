"""Tracks the archive's progress: PostgreSQL's NOTIFY is a hint, its table of offsets the truth (D8)."""

import asyncio
import contextlib
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

import psycopg

from klatsch.archive.at_least import parse_at_least
from klatsch.core.errors import NotArchivedYet, Unavailable
from klatsch.eventlog.epochs import current_epoch
from klatsch.postgres.base import release_connection
from klatsch.postgres.connections import connect
from klatsch.postgres.outages import DATABASE_ERRORS, note_failure

ARCHIVED_CHANNEL: Final = "klatsch_archived"
"""The NOTIFY channel: `partition:next_offset` pairs, separated by commas. A hint; the table has the offsets."""

READ_EVERY_S: Final = 1.0
"""The interval of reading the offsets while a thread waits: a lost NOTIFY costs no more than this."""

LAST_LOOK_S: Final = 0.2
"""The end of a wait, reserved for a last reading of the offsets."""

BACKOFF_S: Final = (0.1, 2.0)
"""The first and the longest pause between attempts to connect."""

_OFFSETS: Final = """
    SELECT newest.epoch, stored.partition, stored.next_offset
    FROM (SELECT max(epoch) AS epoch FROM eventlog_epoch) newest
    LEFT JOIN messaging_logoffset stored ON stored.epoch = newest.epoch"""


class Progress(Protocol):
    """The archive's progress, for callers that wait in a thread."""

    @property
    def epoch(self) -> int: ...

    def wait_for(self, partition: int, offset: int, deadline_s: float) -> bool: ...

    def wait_for_position(self, at_least: str, deadline_s: float) -> None: ...


class ReachableProgress(Protocol):
    """The archive's progress, for callers that wait on an event loop."""

    @property
    def epoch(self) -> int: ...

    async def reach(self, partition: int, offset: int, deadline_s: float) -> bool: ...


class _Wait:
    """A thread that waits. The thread that learns of progress ends it, so that no other one wakes in vain."""

    def __init__(self, reached: Callable[[], bool], *, in_vain: bool) -> None:
        self.reached = reached
        self.in_vain = in_vain
        self.ended = threading.Event()


class ArchiveProgress:
    """Lets any number of threads wait for the archive of the newest epoch; one connection and one thread serve all.

    The connection and the thread are created on first use. While PostgreSQL cannot be reached, every wait still ends
    at its deadline.

    At most `vain_most` threads wait at once for what may not come soon. Others return at once, so that threads remain
    for requests that can be answered. A wait for a position that a client names always counts as such. Any wait does
    in a partition in which one was in vain, until the archive has reached what that one waited for.
    """

    def __init__(self, vain_most: int) -> None:
        self._vain_most = vain_most
        self._vain: dict[int, int] = {}
        self._lock = threading.Lock()
        self._epoch: int | None = None
        self._offsets: dict[int, int] = {}
        self._readings = 0
        self._waiting: set[_Wait] = set()
        self._tell: set[Callable[[], None]] = set()
        self._thread: threading.Thread | None = None
        self._waker: socket.socket | None = None
        self._closing = threading.Event()

    @property
    def epoch(self) -> int:
        """Returns the log's newest epoch, read once and then with the offsets; raises Unavailable before the first."""
        if self._epoch is None:
            newest = current_epoch()
            if newest is None:
                raise Unavailable("The log's topic does not exist yet. Try again later.", retry_after=5)
            self._epoch = newest.epoch
        return self._epoch

    @property
    def waiting(self) -> int:
        """Returns the number of threads that wait."""
        return len(self._waiting)

    def wait_for(self, partition: int, offset: int, deadline_s: float) -> bool:
        """Returns whether the archive has the record at `offset`, once it does; False at the deadline (or 0.2 s)."""
        behind = self._offsets.get(partition, 0) <= self._vain.get(partition, -1)
        reached = self._wait(lambda: self._offsets.get(partition, 0) > offset, deadline_s, in_vain=behind)
        if not reached:
            self._vain[partition] = max(offset, self._vain.get(partition, -1))
        return reached

    def wait_for_position(self, at_least: str, deadline_s: float) -> None:
        """Returns when the archive holds a position, or all before a resume token; raises BadRequest, NotArchivedYet.

        An earlier epoch is complete as far as it ever will be.
        """
        epoch, wanted = parse_at_least(at_least)

        def reached() -> bool:
            if self._epoch != epoch:
                return self._epoch is not None and self._epoch > epoch
            return all(self._offsets.get(partition, 0) >= offset for partition, offset in wanted.items())

        if not self._wait(reached, deadline_s, in_vain=True):
            raise NotArchivedYet("The archive has not reached this position yet. Try again.", retry_after=1)

    async def reach(self, partition: int, offset: int, deadline_s: float) -> bool:
        """Waits like `wait_for`, but holds no thread."""

        def reached() -> bool:
            return self._offsets.get(partition, 0) > offset

        if reached():
            return True
        with self._told() as news:
            if await _until(lambda: reached() or self._closing.is_set(), news, deadline_s - LAST_LOOK_S):
                return reached()
            readings = self._readings
            self._wake()
            await _until(lambda: self._readings > readings or self._closing.is_set(), news, LAST_LOOK_S)
            return reached()

    @contextlib.contextmanager
    def _told(self) -> Iterator[asyncio.Event]:
        """Yields an event of this loop that is set whenever the progress changes, while the block runs."""
        loop, news = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(news.set)

        with self._lock:
            self._ensure_thread()
            self._tell.add(tell)
        try:
            yield news
        finally:
            with self._lock:
                self._tell.discard(tell)

    def close(self) -> None:
        """Ends every wait and the thread; returns within a second."""
        self._closing.set()
        with self._lock:
            self._wake()
            self._notify()
        if self._thread is not None:
            self._thread.join(1.0)

    def _wait(self, reached: Callable[[], bool], deadline_s: float, *, in_vain: bool) -> bool:
        if reached():
            return True
        release_connection()
        wait = _Wait(reached, in_vain=in_vain)
        with self._lock:
            if reached() or self._closing.is_set():
                return reached()
            if in_vain and sum(other.in_vain for other in self._waiting) >= self._vain_most:
                return False
            self._ensure_thread()
            self._waiting.add(wait)
        try:
            if not wait.ended.wait(max(0.0, deadline_s - LAST_LOOK_S)):
                self._look_again(wait)
            return reached()
        finally:
            with self._lock:
                self._waiting.discard(wait)

    def _look_again(self, wait: "_Wait") -> None:
        """Returns once the offsets were read again, which may end the wait, or in vain after `LAST_LOOK_S`."""
        with self._lock:
            readings, reached = self._readings, wait.reached
            wait.reached = lambda: reached() or self._readings > readings
        self._wake()
        wait.ended.wait(LAST_LOOK_S)

    def _ensure_thread(self) -> None:
        if not self._closing.is_set() and (self._thread is None or not self._thread.is_alive()):
            woken, self._waker = socket.socketpair()
            woken.setblocking(False)
            self._waker.setblocking(False)
            ends = (woken, self._waker)
            self._thread = threading.Thread(target=self._serve, args=ends, name="archive-progress", daemon=True)
            self._thread.start()

    def _wake(self) -> None:
        """Makes the thread read the offsets now, unless it was told already or has ended."""
        if self._waker is not None:
            with contextlib.suppress(OSError):
                self._waker.send(b"!")

    def _serve(self, woken: socket.socket, waker: socket.socket) -> None:
        pause_s = BACKOFF_S[0]
        with woken, waker:
            while not self._closing.is_set():
                try:
                    with connect("archive-progress", autocommit=True, silent_s=5, connect_s=3) as listening:
                        listening.execute(f"LISTEN {ARCHIVED_CHANNEL}")
                        self._read(listening)
                        pause_s = BACKOFF_S[0]
                        self._listen(listening, woken)
                except DATABASE_ERRORS as error:
                    note_failure("archive_progress_lost", error, again_in_s=pause_s)
                    self._closing.wait(pause_s)
                    pause_s = min(pause_s * 2, BACKOFF_S[1])

    def _listen(self, listening: "psycopg.Connection[Any]", woken: socket.socket) -> None:
        # Not select(): a gateway's descriptors exceed its 1,024.
        ready = select.poll()
        for descriptor in (listening.fileno(), woken.fileno()):
            ready.register(descriptor, select.POLLIN)
        next_reading_s = time.monotonic() + READ_EVERY_S
        while not self._closing.is_set():
            ready.poll(READ_EVERY_S * 1000)
            for notice in listening.notifies(timeout=0):
                self._take_hint(notice.payload)
            is_due = (self._waiting or self._tell) and time.monotonic() >= next_reading_s
            if _was_woken(woken) or is_due:
                self._read(listening)
                next_reading_s = time.monotonic() + READ_EVERY_S

    def _read(self, listening: "psycopg.Connection[Any]") -> None:
        rows = listening.execute(_OFFSETS).fetchall()
        with self._lock:
            self._epoch = rows[0][0]
            self._offsets = {partition: offset for _, partition, offset in rows if partition is not None}
            self._readings += 1
            self._notify()

    def _take_hint(self, payload: str) -> None:
        """Takes `partition:next_offset` pairs. A malformed hint counts like a lost one."""
        with self._lock:
            for pair in payload.split(","):
                partition, _, offset = pair.partition(":")
                if partition.isdecimal() and offset.isdecimal():
                    known = self._offsets.get(int(partition), 0)
                    self._offsets[int(partition)] = max(known, int(offset))
            self._notify()

    def _notify(self) -> None:
        """Wakes the threads that need not wait any more, and all waiters on event loops. The caller holds the lock."""
        for wait in self._waiting:
            if self._closing.is_set() or wait.reached():
                wait.ended.set()
        for tell in self._tell:
            tell()


async def _until(condition: Callable[[], bool], news: asyncio.Event, deadline_s: float) -> bool:
    """Returns whether the condition became true in time; it is checked whenever there is news."""
    try:
        async with asyncio.timeout(max(0.0, deadline_s)):
            while not condition():
                await news.wait()
                news.clear()
    except TimeoutError:
        return condition()
    return True


def _was_woken(woken: socket.socket) -> bool:
    try:
        return bool(woken.recv(4096))
    except BlockingIOError:
        return False
