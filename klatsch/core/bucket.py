"""Token buckets: how often somebody may do something, with a burst of two seconds' worth."""

import threading

_BURST_S = 2.0
_SWEPT_FROM = 1_000


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

    def is_full(self, now_s: float) -> bool:
        """Whether it is as good as a new one."""
        return self._tokens + (now_s - self._at_s) * self._per_second >= self._most


class Buckets:
    """A bucket for each person, for any thread. Full ones are forgotten: hardly more are kept than who sent lately."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._buckets: dict[str, TokenBucket] = {}
        self._sweep_at = _SWEPT_FROM
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, who: str, now_s: float) -> float:
        """As `TokenBucket.take`, from that person's."""
        if not self._per_second:
            return 0.0
        with self._lock:
            bucket = self._buckets.get(who)
            if bucket is None:
                if len(self._buckets) >= self._sweep_at:
                    self._sweep(now_s)
                bucket = self._buckets[who] = TokenBucket(self._per_second, now_s)
            return bucket.take(now_s)

    def _sweep(self, now_s: float) -> None:
        self._buckets = {who: bucket for who, bucket in self._buckets.items() if not bucket.is_full(now_s)}
        self._sweep_at = max(_SWEPT_FROM, 2 * len(self._buckets))
