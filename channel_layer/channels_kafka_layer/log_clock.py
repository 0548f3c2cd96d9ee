"""The log's time, told from its records and a steady clock. No I/O."""

_STEP_MS = 1_000
"""Records of one partition never go back in time, unless the broker's clock was set back: then all is learned anew."""
_LEARNED_S = 60.0
"""A clock that drifts is learned anew after this time."""


class LogClock:
    """Tells how late a record was read. The broker stamps records (LogAppendTime); its clock may differ from ours.

    The record that came soonest tells the difference best, so the greatest difference of the last one to two minutes
    counts. A record that waited, because the reader was behind, shows as late.
    """

    def __init__(self) -> None:
        self._last_ms = 0
        self._since_s = 0.0
        self._ahead_ms: float | None = None
        self._ahead_before_ms: float | None = None

    def observe(self, time_ms: int, now_s: float) -> None:
        """Takes the time of a record that was read now."""
        ahead_ms = time_ms - now_s * 1_000
        if self._ahead_ms is None or time_ms < self._last_ms - _STEP_MS:
            self._ahead_ms, self._ahead_before_ms, self._since_s = ahead_ms, None, now_s
        elif now_s - self._since_s > _LEARNED_S:
            self._ahead_before_ms, self._ahead_ms, self._since_s = self._ahead_ms, ahead_ms, now_s
        else:
            self._ahead_ms = max(self._ahead_ms, ahead_ms)
        self._last_ms = time_ms

    def late_s(self, time_ms: int, now_s: float) -> float:
        """Returns how long ago the log took a record; not less than 0."""
        return max((self.now_ms(now_s) - time_ms) / 1_000, 0.0)

    def now_ms(self, now_s: float) -> int:
        """Returns the log's time; 0 before any record was read."""
        return 0 if self._ahead_ms is None else int(now_s * 1_000 + self._known_ahead_ms())

    def _known_ahead_ms(self) -> float:
        assert self._ahead_ms is not None
        return self._ahead_ms if self._ahead_before_ms is None else max(self._ahead_ms, self._ahead_before_ms)
