"""Watches the log's clients, by what another client learns and by the clock (decision 0024)."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from klatsch.core.metrics import LOG_CLIENTS_REPLACED

_EVERY_S = 1.0
_SOON_S = 0.1
_LATE_MOST_S = 2.0
"""A longer round counts as this long: the process did not run, so that no client can have stalled in the rest."""
_CLOSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Told:
    """The log's answers in one round: the ends and leaders of those partitions whose leaders answered."""

    ends: Mapping[int, int] = field(default_factory=dict)
    leaders: Mapping[int, int] = field(default_factory=dict)


class Asker(Protocol):
    """Asks the log on its own client. Every call returns: a hanging call is abandoned and its client replaced."""

    def ends(self, deadline_s: float) -> dict[int, int]: ...
    def offsets_at(self, time_ms: int) -> dict[int, int]: ...
    def ask(self) -> Told:
        """Asks every leader. Raises nothing; the answer may lack partitions."""

    def close(self) -> None: ...


class Watched(Protocol):
    """A client of the log; `look` is called on the watch's thread, with the last round's answers."""

    def look(self, told: Told, now_s: float) -> None: ...


class LogWatch:
    """Asks the log each second on its own thread, once a client is added.

    `asker` can also be used at any time, on any thread.
    """

    def __init__(self, asker: Asker, every_s: float = _EVERY_S) -> None:
        self.asker = asker
        self._every_s = every_s
        self._watched: list[Watched] = []
        self._ends: dict[int, int] = {}
        self._told_s: dict[int, float] = {}
        self._leaders: dict[int, int] = {}
        self._now_s = 0.0
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None

    def known_ends(self) -> Mapping[int, int]:
        """Returns the log's ends of the last round, about a second old. Does no I/O."""
        return self._ends

    def leader(self, partition: int) -> int | None:
        """Returns the broker that led the partition in the last round."""
        return self._leaders.get(partition)

    def has_told_since(self, partition: int, since_s: float) -> bool:
        """Returns whether the partition's leader answered a question that was asked after `since_s` (monotonic)."""
        return self._told_s.get(partition, 0.0) > since_s

    def ask_soon(self) -> None:
        """Starts the next round within a tenth of a second, for callers that wait for `has_told_since`."""
        self._woken.set()

    def add(self, watched: Watched) -> None:
        with self._lock:
            self._watched = [*self._watched, watched]
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="log-watch", daemon=True)
                self._thread.start()

    def remove(self, watched: Watched) -> None:
        with self._lock:
            self._watched = [known for known in self._watched if known is not watched]

    def close(self) -> None:
        self._closed = True
        self._woken.set()
        if self._thread is not None:
            self._thread.join(_CLOSE_S)
            if self._thread.is_alive():
                return  # in the middle of a question: the asker must not be closed in use
        self.asker.close()

    def _serve(self) -> None:
        last_s = looked_s = time.monotonic()
        while not self._closed:
            told = self._round()
            now_s = time.monotonic()
            self._now_s += min(now_s - last_s, _LATE_MOST_S)
            last_s = now_s
            if now_s - looked_s >= self._every_s:
                looked_s = now_s
                for watched in self._watched:
                    watched.look(told, self._now_s)
            if self._woken.wait(self._every_s):
                self._woken.clear()
                time.sleep(_SOON_S)

    def _round(self) -> Told:
        begun_s = time.monotonic()
        told = self.asker.ask()
        self._ends = {**self._ends, **told.ends}
        self._leaders = {**self._leaders, **told.leaders}
        self._told_s = {**self._told_s, **dict.fromkeys(told.ends, begun_s)}
        return told


def count_replaced(client: str) -> None:
    """Counts a stalled client of the driver that was replaced."""
    LOG_CLIENTS_REPLACED.labels(client).inc()
