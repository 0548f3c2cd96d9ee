"""Caps on what a person may do at once in a process. Each refusal is counted under the cap's name."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from klatsch.core.errors import KlatschError
from klatsch.core.metrics import CAPPED


class AtOnce:
    """Admits each person at most `most` times at once, from any thread; 0 means no limit.

    `cap` is the name in metrics. Above the cap, `refusal` is raised with `detail` and `retry_after`.
    """

    def __init__(
        self, most: int, *, cap: str, refusal: type[KlatschError], detail: str, retry_after: float | None = 1.0
    ) -> None:
        self._most = most
        self._cap = cap
        self._refusal = refusal
        self._detail = detail
        self._retry_after = retry_after
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    @contextmanager
    def enter(self, who: str) -> Iterator[int]:
        """Counts the person while the block runs, and yields the count with this one."""
        with self._lock:
            if self._most and self._counts[who] >= self._most:
                CAPPED.labels(self._cap).inc()
                raise self._refusal(self._detail, retry_after=self._retry_after)
            self._counts[who] += 1
            count = self._counts[who]
        try:
            yield count
        finally:
            with self._lock:
                self._counts[who] -= 1
                if not self._counts[who]:
                    del self._counts[who]
