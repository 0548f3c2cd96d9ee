"""A token bucket: how often somebody may do something, with a burst of two seconds' worth."""

_BURST_S = 2.0


class TokenBucket:
    """Takes `per_second` on average; 0 means no limit. Time is monotonic seconds, given by the caller."""

    __slots__ = ("_at_s", "_most", "_per_second", "_tokens")

    def __init__(self, per_second: float, now_s: float) -> None:
        self._per_second = per_second
        self._most = max(1.0, per_second * _BURST_S)
        self._tokens = self._most
        self._at_s = now_s

    def take(self, now_s: float) -> float:
        """0 when there was a token; else the seconds until there will be one."""
        if not self._per_second:
            return 0.0
        self._tokens = min(self._most, self._tokens + (now_s - self._at_s) * self._per_second)
        self._at_s = now_s
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return 0.0
        return (1.0 - self._tokens) / self._per_second
